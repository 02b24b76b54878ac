"""Parameters of the slope of a surface: none."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from glacier_inversion.experiment.derivation import Derivation, OneRaster


class Slope(Derivation):
    """Slope of an elevation in degrees, by the eight pixels around (Horn 1981)."""

    own_unit: ClassVar[str | None] = "degree"
    given_units: ClassVar[tuple[str, ...]] = ("m",)

    name: Literal["slope"]
    of: OneRaster = Field(description="The elevation, in metres.")

    def reach_px(self, resolution: float) -> int:
        """Return 1: the pixels around."""
        del resolution
        return 1
