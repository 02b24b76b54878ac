"""How maps are laid out in files, as Cloud-Optimized GeoTIFFs."""

from __future__ import annotations

import math
from typing import Any

from glacier_inversion.grid import Grid

BLOCK_PX = 512
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
    return {**_COG, "blocksize": min(side, BLOCK_PX)}
