"""Windows of a file, in memory, resampled by GDAL."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.io import MemoryFile
from rasterio.transform import Affine
from rasterio.vrt import WarpedVRT
from rasterio.warp import reproject

from glacier_inversion.geodata.longitudes import on_one_circle
from glacier_inversion.geodata.warping import Warping
from glacier_inversion.grid import Grid

# Of a pixel of the file: GDAL's coordinates are then exact. (With 0 rasterio fails.)
_EXACT = 1e-9
_crs = functools.lru_cache(maxsize=64)(CRS.from_wkt)


def resample(
    values: NDArray[Any],
    corner: tuple[int, int],
    warping: Warping,
    grid: Grid,
    scales: tuple[float, float],
) -> NDArray[np.float32]:
    """Resample a window of a file, whose first pixel is *corner*, onto a grid."""
    row, col = corner
    transform = Affine(*warping.transform) @ Affine.translation(col, row)
    crs = _crs(warping.crs_wkt)
    how = {
        "resampling": Resampling[warping.method],
        "XSCALE": repr(scales[0]),
        "YSCALE": repr(scales[1]),
    }
    if warping.to_file is None:
        tile = np.full(grid.shape, np.nan, dtype=np.float32)
        reproject(
            values,
            tile,
            src_transform=transform,
            src_crs=crs,
            src_nodata=np.nan,
            dst_transform=Affine(*grid.transform),
            dst_crs=crs,
            dst_nodata=np.nan,
            num_threads=1,
            **how,
        )
        return tile
    # rasterio's reproject interpolates places between CRSs, to an eighth of a pixel
    n_rows, n_cols = values.shape
    a, b, left, *_ = transform
    ends = [left + a * i + b * j for i in (0, n_cols) for j in (0, n_rows)]
    crs_wkt, added = on_one_circle(warping.crs_wkt, min(ends), max(ends))
    transform = Affine.translation(added, 0) @ transform
    profile = {"driver": "GTiff", "dtype": values.dtype, "count": 1, "nodata": np.nan}
    profile |= {"height": n_rows, "width": n_cols, "crs": crs, "transform": transform}
    with MemoryFile() as memory:
        with memory.open(**profile) as dst:
            dst.write(values, 1)
        with (
            memory.open() as src,
            WarpedVRT(
                src,
                src_crs=_crs(crs_wkt),
                crs=CRS.from_epsg(warping.epsg),
                transform=Affine(*grid.transform),
                height=grid.n_rows,
                width=grid.n_cols,
                nodata=np.nan,
                tolerance=_EXACT,
                **how,
            ) as warped,
        ):
            return np.asarray(warped.read(1), dtype=np.float32)
