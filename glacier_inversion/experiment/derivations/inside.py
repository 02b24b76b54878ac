"""Parameters of where ice is: none."""

from __future__ import annotations

from typing import ClassVar, Literal

from glacier_inversion.experiment.derivation import Derivation


class Inside(Derivation):
    """1 where a pixel's centre is inside any outline, 0 elsewhere; without a unit."""

    own_unit: ClassVar[str | None] = "1"

    name: Literal["inside"]

    @property
    def uses_outlines(self) -> bool:
        """Always."""
        return True
