"""The elevation within a glacier."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from glacier_inversion.dataset.computation import Place, Values
from glacier_inversion.experiment.derivations.relative_elevation import (
    RelativeElevation,
)


def compute(given: RelativeElevation, rasters: Sequence[Values], at: Place) -> Values:
    """
    Compute (z - lowest) / (highest - lowest) of a pixel's outline, without a unit.

    The range is that of the pixels whose centres are inside the outline, all of it and
    not of a tile's part. Pixels outside take the nearest outline's, cut to 0 and 1. So
    the value does not depend on whose tile a pixel lies in. Where outlines overlap the
    first counts. An outline that is flat has 0; one where nothing is known is unknown.

    References
    ----------
    Huss et al. (2010), doi:10.5194/hess-14-815-2010, for elevations so normalised
    """
    del given
    (elevation,) = rasters
    nearest = at.ice.nearest(at.grid)
    relative = np.full(elevation.shape, np.nan)
    for outline in np.unique(nearest[nearest >= 0]).tolist():
        lowest, highest = at.read_range(outline)
        its = nearest == outline
        span = highest - lowest
        above = elevation[its] - lowest
        relative[its] = np.clip(above / span if span > 0 else 0 * above, 0, 1)
    return relative
