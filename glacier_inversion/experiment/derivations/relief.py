"""Parameters of the relief above a pixel."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from glacier_inversion.experiment.derivation import (
    Derivation,
    Metres,
    OneRaster,
    pixels_within,
)


class Relief(Derivation):
    """Highest elevation within a radius minus the elevation, in its unit."""

    name: Literal["relief"]
    of: OneRaster = Field(description="The elevation.")
    radius: Metres = Field(description="How far is looked, in metres.")

    def reach_px(self, resolution: float) -> int:
        """Return the radius."""
        return pixels_within(self.radius, resolution)
