"""The size of a raster's pixels in the CRS of the tiles."""

from __future__ import annotations

import functools

import numpy as np
from pyproj import CRS, Transformer

from glacier_inversion.geodata.warping import Warping


def measure_pixel(warping: Warping) -> float:
    """
    Return the side of a pixel of a file, in the units of the tiles' CRS.

    It is measured in the middle of the file, or, where that CRS is not used there,
    nearest to the middle of where it is; NaN if the pixel has none there.
    """
    col, row = _place_to_measure(warping)
    a, b, c, d, e, f = warping.transform
    corners = np.array([(col, row), (col + 1, row), (col, row + 1)])
    x = a * corners[:, 0] + b * corners[:, 1] + c
    y = d * corners[:, 0] + e * corners[:, 1] + f
    if warping.to_file is not None:
        x, y = warping.to_file.transform(x, y, direction="INVERSE")
    with np.errstate(all="ignore"):
        area = (x[1] - x[0]) * (y[2] - y[0]) - (x[2] - x[0]) * (y[1] - y[0])
    return float(np.sqrt(abs(area))) if 0 < abs(area) < np.inf else float("nan")


def _place_to_measure(warping: Warping) -> tuple[float, float]:
    """
    Return the column and row of a file at which its pixels are measured.

    Far from where a projection is used it may give a pixel any size: a degree of a
    global file is 60 times as wide in the UTM zone of the other side of the Earth.
    """
    n_rows, n_cols = warping.shape
    col, row = n_cols / 2, n_rows / 2
    area = CRS.from_epsg(warping.epsg).area_of_use
    if warping.to_file is None or area is None:
        return col, row
    a, b, c, d, e, f = warping.transform
    lon, lat = _to_degrees(warping.crs_wkt).transform(
        a * col + b * row + c, d * col + e * row + f
    )
    width = (area.east - area.west) % 360 or 360
    if (lon - area.west) % 360 <= width and area.south <= lat <= area.north:
        return col, row
    x, y = _to_degrees(f"EPSG:{warping.epsg}").transform(
        area.west + width / 2, (area.south + area.north) / 2, direction="INVERSE"
    )
    cols, rows = warping.places(np.array([x]), np.array([y]))
    if not np.isfinite([*cols, *rows]).all():
        return col, row
    return (
        float(np.clip(cols[0], 0, n_cols - 1)),
        float(np.clip(rows[0], 0, n_rows - 1)),
    )


@functools.lru_cache(maxsize=64)  # some need milliseconds
def _to_degrees(crs: str) -> Transformer:
    return Transformer.from_crs(CRS.from_user_input(crs), 4326, always_xy=True)
