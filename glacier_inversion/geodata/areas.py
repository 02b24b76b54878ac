"""Areas on the ellipsoid, which no projection distorts."""

from __future__ import annotations

import shapely
from pyproj import CRS, Geod, Transformer

_STEP = 1000.0  # metres: what is straight in a projection is curved on the ellipsoid


def ellipsoidal_area(geometry: shapely.Geometry, epsg: int) -> float:
    """
    Return the area of an outline on the ellipsoid of its CRS.

    Parameters
    ----------
    geometry : Polygon or MultiPolygon
        Its holes are left out. Edges are straight in the CRS.
    epsg : int
        Of a projected CRS in metres.

    Returns
    -------
    area : float, square metres

    Examples
    --------
    >>> square = shapely.box(499_000, 5_000_000, 501_000, 5_002_000)
    >>> round(ellipsoidal_area(square, 32632) * 0.9996**2)  # the scale of UTM here
    4000000
    """
    crs = CRS.from_epsg(epsg)
    to_degrees = Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True)
    on_ellipsoid = shapely.transform(
        shapely.segmentize(geometry, _STEP), to_degrees.transform, interleaved=False
    )
    geod = crs.get_geod()
    if geod is None:
        message = f"Invalid epsg {epsg!r}. Must be a CRS on an ellipsoid."
        raise ValueError(message)
    # of each ring by itself: which way it turns is not seen from degrees at 180 E
    return sum(
        _area_of(polygon.exterior, geod)
        - sum(_area_of(r, geod) for r in polygon.interiors)
        for polygon in shapely.get_parts(on_ellipsoid)
    )


def _area_of(ring: shapely.LinearRing, geod: Geod) -> float:
    return abs(float(geod.polygon_area_perimeter(*shapely.get_coordinates(ring).T)[0]))
