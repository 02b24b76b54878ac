"""Parameters of a smoothed raster."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from glacier_inversion.experiment.derivation import Derivation, Metres, OneRaster


class Smooth(Derivation):
    """Mean of the known pixels around, weighted by a Gaussian, in the raster's unit."""

    name: Literal["smooth"]
    of: OneRaster = Field(description="The raster to smooth.")
    sigma: Metres = Field(
        description="Standard deviation of the Gaussian, in metres; it ends at four."
    )
    within: Literal["ice", "everywhere"] = Field(
        default="everywhere",
        description="'ice': pixels outside all outlines have no weight.",
    )

    @property
    def uses_outlines(self) -> bool:
        """Whether pixels on ice alone have a weight."""
        return self.within == "ice"

    def reach_px(self, resolution: float) -> int:
        """Return four standard deviations, rounded."""
        return int(4 * self.sigma / resolution + 0.5)
