"""What a raster file is and which places it covers, before any of it is read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glacier_inversion.geodata.rasters import Source
from glacier_inversion.geodata.vectors import name_crs
from glacier_inversion.grid import Bounds

_PER_SIDE = 17  # points that stand for a tile
_AT_ONCE = 1000  # tiles, whose points take some 10 MB of memory
_TOUCHING = 1e-6  # of a pixel: the rounding of a reprojection


def find_coverage(source: Source, bounds: Mapping[str, Bounds]) -> dict[str, float]:
    """
    Estimate the share of each tile that a raster's extent covers, 0 to 1.

    From 17 x 17 points of the tile, the corners among them, in the file's CRS: 1 means
    that all of them are covered. What is no data within the extent counts as covered.

    Parameters
    ----------
    bounds : mapping of Bounds
        Of the tiles, by feature, in the CRS of the tiles.
    """
    tiles = np.array([*bounds.values()])
    shares: list[float] = []
    for begin in range(0, len(tiles), _AT_ONCE):
        shares += _shares_of(source, tiles[begin : begin + _AT_ONCE]).tolist()
    return dict(zip(bounds, shares, strict=True))


def _shares_of(source: Source, tiles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the shares of tiles that are covered, given their bounds, a row each."""
    sides = np.linspace(0, 1, _PER_SIDE)
    left, bottom, right, top = (v[:, None] for v in tiles.T)
    x = np.repeat(left + (right - left) * sides, _PER_SIDE, axis=1)
    y = np.tile(bottom + (top - bottom) * sides, (1, _PER_SIDE))
    col, row = source.warping.places(x, y)
    n_rows, n_cols = source.warping.shape
    covered = (row >= -_TOUCHING) & (row <= n_rows + _TOUCHING)
    covered &= (col >= -_TOUCHING) & (col <= n_cols + _TOUCHING)
    # points on a side stand for half as much as those within, corners for a quarter
    weight = np.ones(_PER_SIDE)
    weight[[0, -1]] = 0.5
    weights = np.outer(weight, weight).ravel()
    shares: NDArray[np.float64] = (covered * weights).sum(axis=1) / weights.sum()
    return shares


def describe_source(source: Source) -> dict[str, Any]:
    """Return what a raster file says of itself, as JSON can hold it."""
    # JSON has no word for what is not finite
    nodata = [n if math.isfinite(n) else str(n) for n in source.nodata]
    size = source.pixel_size
    n_rows, n_cols = source.warping.shape
    return {
        "crs": name_crs(source.warping.crs_wkt),
        "pixel_size": round(size, 6) if math.isfinite(size) else None,
        "n_rows": n_rows,
        "n_cols": n_cols,
        "resampling": source.warping.method,
        "nodata": nodata,
    }
