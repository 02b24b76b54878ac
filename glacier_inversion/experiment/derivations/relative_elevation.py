"""Parameters of the elevation within a glacier: none."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from glacier_inversion.experiment.derivation import Derivation, OneRaster


class RelativeElevation(Derivation):
    """
    Elevation from 0 to 1 within the range of the outline that a pixel is in.

    Outside, within that of the nearest outline, cut to 0 and 1. Without a unit.
    """

    own_unit: ClassVar[str | None] = "1"

    name: Literal["relative_elevation"]
    of: OneRaster = Field(description="The elevation.")

    @property
    def uses_outlines(self) -> bool:
        """Always."""
        return True
