"""Parameters of the distance to the margin of ice: none."""

from __future__ import annotations

from typing import ClassVar, Literal

from glacier_inversion.experiment.derivation import Derivation


class DistanceToMargin(Derivation):
    """
    Distance of a pixel's centre to the margin of all ice, in metres; 0 outside.

    A border that two outlines share is no margin.
    """

    own_unit: ClassVar[str | None] = "m"

    name: Literal["distance_to_margin"]

    @property
    def uses_outlines(self) -> bool:
        """Always."""
        return True
