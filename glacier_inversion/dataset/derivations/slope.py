"""The slope of a surface."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from glacier_inversion.dataset.computation import Place, Values
from glacier_inversion.experiment.derivations.slope import Slope


def compute(given: Slope, rasters: Sequence[Values], at: Place) -> Values:
    """
    Compute the slope of an elevation, in degrees, as gdaldem does.

    With z of the 3 x 3 pixels a b c, d e f, g h i around each, of side s:

        dz/dx = ((c + 2 f + i) - (a + 2 d + g)) / (8 s)
        dz/dy = ((g + 2 h + i) - (a + 2 b + c)) / (8 s)
        slope = arctan(sqrt((dz/dx)^2 + (dz/dy)^2))

    Unknown where any of the nine is.

    References
    ----------
    Horn (1981), doi:10.1109/PROC.1981.11918
    """
    del given
    (elevation,) = rasters
    slope = np.full(elevation.shape, np.nan)
    above, centre, below = elevation[:-2], elevation[1:-1], elevation[2:]
    columns = above + 2 * centre + below
    across = columns[:, 2:] - columns[:, :-2]
    rows = below - above
    down = rows[:, :-2] + 2 * rows[:, 1:-1] + rows[:, 2:]
    steepness = np.hypot(across, down) / (8 * at.grid.resolution)
    steepness[np.isnan(centre[:, 1:-1])] = np.nan  # a difference skips its own pixel
    slope[1:-1, 1:-1] = np.degrees(np.arctan(steepness))
    return slope
