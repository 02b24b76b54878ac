"""Parameters of the half width of a glacier."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from glacier_inversion.experiment.derivation import (
    Derivation,
    Metres,
    OneRaster,
    pixels_within,
)


class HalfWidth(Derivation):
    """Largest distance to the margin within a radius, in metres; 0 outside."""

    name: Literal["half_width"]
    of: OneRaster = Field(description="A raster derived by distance_to_margin.")
    radius: Metres = Field(description="How far is looked, in metres.")

    def reach_px(self, resolution: float) -> int:
        """Return the radius."""
        return pixels_within(self.radius, resolution)
