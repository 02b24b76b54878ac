"""What a raster file is and which places it covers, before any of it is read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from pyproj import Transformer

from glacier_inversion.grid import Bounds
from glacier_inversion.outlines import name_crs
from glacier_inversion.rasters import Source

_PER_SIDE = 17  # points that stand for a tile
_TOUCHING = 1e-6  # of a pixel: the rounding of a reprojection


def find_coverage(
    source: Source, epsg: int, bounds: Mapping[str, Bounds]
) -> dict[str, float]:
    """
    Estimate the share of each tile that a raster's extent covers, 0 to 1.

    From 17 x 17 points of the tile, the corners among them, in the file's CRS: 1 means
    that all of them are covered. What is no data within the extent counts as covered.

    Parameters
    ----------
    bounds : mapping of Bounds
        Of the tiles, by feature, in the CRS *epsg*.
    """
    if not bounds:
        return {}
    sides = np.linspace(0, 1, _PER_SIDE)
    left, bottom, right, top = (v[:, None] for v in np.array([*bounds.values()]).T)
    x = np.repeat(left + (right - left) * sides, _PER_SIDE, axis=1)
    y = np.tile(bottom + (top - bottom) * sides, (1, _PER_SIDE))
    to_file = Transformer.from_crs(epsg, source.crs_wkt, always_xy=True)
    x, y = to_file.transform(x, y)
    a, b, c, d, e, f = source.transform
    area = a * e - b * d
    with np.errstate(invalid="ignore"):  # points that the file's CRS cannot hold
        col = (e * (x - c) - b * (y - f)) / area
        row = (a * (y - f) - d * (x - c)) / area
    n_rows, n_cols = source.shape
    covered = (row >= -_TOUCHING) & (row <= n_rows + _TOUCHING)
    covered &= (col >= -_TOUCHING) & (col <= n_cols + _TOUCHING)
    # points on a side stand for half as much as those within, corners for a quarter
    weight = np.ones(_PER_SIDE)
    weight[[0, -1]] = 0.5
    weights = np.outer(weight, weight).ravel()
    shares = (covered * weights).sum(axis=1) / weights.sum()
    return dict(zip(bounds, shares.tolist(), strict=True))


def describe_source(source: Source) -> dict[str, Any]:
    """Return what a raster file says of itself, as JSON can hold it."""
    nodata = source.declared_nodata if source.nodata is None else source.nodata
    n_rows, n_cols = source.shape
    return {
        "crs": name_crs(source.crs_wkt),
        "pixel_size": round(source.pixel_size, 6),
        "n_rows": n_rows,
        "n_cols": n_cols,
        "resampling": source.resampling,
        # JSON has no word for it
        "nodata": "nan" if nodata is not None and math.isnan(nodata) else nodata,
    }
