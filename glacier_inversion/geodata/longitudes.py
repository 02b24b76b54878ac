"""Longitudes: one place has many, which differ by full circles."""

from __future__ import annotations

import functools
import math
from typing import Any

from pyproj import CRS

# Of a circle, more than a pixel of a tile: its corners are then on one side of the end.
_NEAR = 0.01


@functools.lru_cache(maxsize=64)
def circle_of(crs_wkt: str) -> float:
    """
    Return the circle of longitudes in the unit of a CRS; infinite if it has none.

    >>> round(circle_of(CRS(4326).to_wkt()), 9), circle_of(CRS(2056).to_wkt())
    (360.0, inf)
    """
    crs = CRS.from_wkt(crs_wkt)
    if not crs.is_geographic:
        return math.inf
    return 2 * math.pi / crs.axis_info[0].unit_conversion_factor


def on_one_circle(crs_wkt: str, left: float, right: float) -> tuple[str, float]:
    """
    Return a CRS, and what to add to longitudes, so that GDAL finds all of them.

    GDAL's warped rasters look for longitudes from half a circle west to half a circle
    east of the prime meridian. Where longitudes lie across or near one end of that, the
    CRS is turned by half a circle, with its datum, and its way to WGS 84 (TOWGS84) if
    it has one, as they are.

    Parameters
    ----------
    left, right : float
        The least and the greatest longitude, in the unit of the CRS.

    Returns
    -------
    crs_wkt : str
    added : float, in the unit of the CRS
        0 in a CRS that is not geographic.
    """
    circle = circle_of(crs_wkt)
    if math.isinf(circle):
        return crs_wkt, 0.0
    turns = round((left + right) / 2 / circle)
    left, right = left - turns * circle, right - turns * circle
    near = circle * _NEAR
    at_west, at_east = left < near - circle / 2, right > circle / 2 - near
    if at_west == at_east:  # at neither end, or all around
        return crs_wkt, -turns * circle
    half = circle / 2 if at_east else -circle / 2
    return _turned(crs_wkt), -turns * circle - half


@functools.lru_cache(maxsize=64)
def _turned(crs_wkt: str) -> str:
    """Return a geographic CRS whose longitudes count from the antimeridian."""
    crs = CRS.from_wkt(crs_wkt)
    if crs.is_compound:  # heights are of no concern
        crs = crs.sub_crs_list[0]
    base = crs.geodetic_crs
    assert base is not None  # a geographic CRS is one, or has one
    described = base.to_2d().to_json_dict()
    del described["$schema"]
    # rotated about the pole itself
    angles = {"o_lat_p": 90.0, "o_lon_p": 0.0, "lon_0": 180.0}
    turned: dict[str, Any] = {
        "type": "DerivedGeographicCRS",
        "name": f"{base.name}, longitudes from the antimeridian",
        "base_crs": described,
        "conversion": {
            "name": "turn by half a circle",
            "method": {"name": "PROJ ob_tran o_proj=longlat"},
            "parameters": [
                {"name": name, "value": angle, "unit": "degree"}
                for name, angle in angles.items()
            ],
        },
        "coordinate_system": described["coordinate_system"],
    }
    if crs.is_bound:
        turned = {**crs.to_json_dict(), "source_crs": turned}
    return CRS.from_json_dict(turned).to_wkt("WKT2_2019")
