"""How long a metre of a projection is on the ground."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely
from pyproj import CRS, Proj


def worst_scale(geometries: Sequence[shapely.Geometry], epsg: int) -> float:
    """
    Return the scale of a projection where it is furthest from 1, of some geometries.

    It is the length on the map of what is 1 m long on the ellipsoid, in the direction
    that is stretched most, or least, at the centroids: Tissot's indicatrix.

    Parameters
    ----------
    geometries : sequence of geometries
        In the projection.
    epsg : int
        Of a projected CRS in metres.

    Returns
    -------
    scale : float
        1 where there is none, or it is not known.

    Examples
    --------
    >>> place = shapely.Point(890_000, 5_860_000)  # 46.5 N: 1 / cos(latitude), nearly
    >>> round(worst_scale([place], 3857), 2), round(worst_scale([], 3857), 2)
    (1.45, 1.0)
    """
    x, y = shapely.get_coordinates(shapely.centroid(geometries)).T
    if not x.size:
        return 1.0
    projection = Proj(CRS.from_epsg(epsg))
    factors = projection.get_factors(*projection(x, y, inverse=True))
    scales = np.concatenate([factors.tissot_semimajor, factors.tissot_semiminor])
    known = scales[np.isfinite(scales) & (scales > 0)]
    if not known.size:
        return 1.0
    return float(known[np.abs(np.log(known)).argmax()])
