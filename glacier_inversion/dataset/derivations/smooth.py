"""A smoothed raster."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import gaussian_filter

from glacier_inversion.dataset.computation import Place, Values
from glacier_inversion.experiment.derivations.smooth import Smooth


def compute(given: Smooth, rasters: Sequence[Values], at: Place) -> Values:
    """
    Compute the mean of the known pixels around, in the unit of the raster.

    The weights are exp(-d^2 / (2 sigma^2)) with the distance d of pixels along rows and
    along columns, up to four sigma each, divided by their sum over the known pixels. So
    a gap is filled as far as known pixels reach, and a pixel is unknown where none is
    within. With `within` "ice" pixels outside all outlines count as unknown.

    References
    ----------
    Knutsson and Westin (1993), doi:10.1109/CVPR.1993.341081, for weights of what is
    known.
    """
    (values,) = rasters
    known = np.isfinite(values)
    if given.within == "ice":
        known &= at.ice.inside(at.grid)
    radius = given.reach_px(at.grid.resolution)
    sigma_px = given.sigma / at.grid.resolution

    def spread(image: Values) -> Values:
        spread_out: Values = gaussian_filter(
            image, sigma_px, mode="constant", radius=radius
        )
        return spread_out

    weight = spread(known.astype(np.float64))
    total = spread(np.where(known, values, 0.0))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean: Values = np.where(weight > 0, total / weight, np.nan)
    return mean
