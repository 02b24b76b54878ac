"""How our GeoTIFFs are laid out: tiles plain, maps as Cloud-Optimized GeoTIFFs."""

from __future__ import annotations

import functools
import math
from typing import Any

from rasterio.crs import CRS
from rasterio.transform import Affine

from glacier_inversion.grid import Grid

_GEOTIFF = {
    "driver": "GTiff",
    "dtype": "float32",
    "count": 1,
    "nodata": float("nan"),
    "compress": "deflate",
    "predictor": 3,
    "tiled": True,
    "BIGTIFF": "IF_SAFER",
}
_GEOTIFF_BLOCK_PX = 256
STRIP_ROWS = 1024
"""Rows of a tile that are written at once: whole blocks."""

MAP_BLOCK_PX = 512
"""Side of the blocks of maps; smaller ones have one block, which may be smaller."""
_STEP_PX = 16  # sides of blocks are multiples of it
_COG = {
    "driver": "COG",
    "compress": "deflate",
    "predictor": "floating_point",
    "overview_resampling": "average",
    "statistics": "yes",
    "BIGTIFF": "IF_SAFER",
}


def geotiff_profile(grid: Grid, epsg: int) -> dict[str, Any]:
    """Return what rasterio needs to know of a GeoTIFF of ours to create it."""
    return {
        "height": grid.n_rows,
        "width": grid.n_cols,
        "crs": _crs(epsg),
        "transform": Affine(*grid.transform),
        "blockysize": _GEOTIFF_BLOCK_PX,
        "blockxsize": _GEOTIFF_BLOCK_PX,
        **_GEOTIFF,
    }


def tile_profile(grid: Grid, epsg: int) -> dict[str, Any]:
    """
    Return the same of a tile, whose strips of `STRIP_ROWS` rows are whole blocks.

    Blocks are written and read whole. Those of a small tile are hardly larger than the
    tile, else most of the time would go into pixels that it does not have.

    >>> profile = tile_profile(Grid(0.0, 0.0, 10.0, 54, 300), 32632)
    >>> profile["blockysize"], profile["blockxsize"]
    (64, 160)
    """
    sides = {"blockysize": grid.n_rows, "blockxsize": grid.n_cols}
    fitted = {name: _fitted(n_px) for name, n_px in sides.items()}
    return {**geotiff_profile(grid, epsg), **fitted}


def _fitted(n_px: int) -> int:
    """
    Return the side of the blocks of a tile with so many pixels on a side.

    >>> _fitted(54), _fitted(300), _fitted(1000), _fitted(5000)
    (64, 160, 256, 256)
    """
    if n_px > STRIP_ROWS:
        return _GEOTIFF_BLOCK_PX
    n_blocks = math.ceil(n_px / _GEOTIFF_BLOCK_PX)
    return math.ceil(n_px / n_blocks / _STEP_PX) * _STEP_PX


_crs = functools.lru_cache(maxsize=16)(CRS.from_epsg)


def cog_profile(grid: Grid) -> dict[str, Any]:
    """
    Return what GDAL needs to know to copy a raster to a Cloud-Optimized GeoTIFF.

    A map that fits into a block has one that is hardly larger: to compress and to
    decompress pixels that it does not have would take most of the time.

    >>> cog_profile(Grid(0.0, 0.0, 10.0, 13, 20))["blocksize"]
    32
    >>> cog_profile(Grid(0.0, 0.0, 10.0, 13, 2000))["blocksize"]
    512
    """
    side = math.ceil(max(grid.shape) / _STEP_PX) * _STEP_PX
    return {**_COG, "blocksize": min(side, MAP_BLOCK_PX)}
