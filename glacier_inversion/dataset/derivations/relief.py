"""The relief above a pixel."""

from __future__ import annotations

from collections.abc import Sequence

from glacier_inversion.dataset.computation import Place, Values
from glacier_inversion.dataset.discs import highest_within
from glacier_inversion.experiment.derivations.relief import Relief


def compute(given: Relief, rasters: Sequence[Values], at: Place) -> Values:
    """
    Compute the highest elevation within a radius minus the elevation, in its unit.

    Of the known pixels whose centres are within the radius; unknown where the pixel's
    own elevation is.

    References
    ----------
    Smith (1935), The relative relief of Ohio, Geographical Review 25(2), 272-284
    """
    (elevation,) = rasters
    return highest_within(elevation, given.radius / at.grid.resolution) - elevation
