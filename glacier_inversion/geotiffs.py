"""GeoTIFFs of ours, tiles and maps: opened, read by window, written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.errors import RasterioError
from rasterio.transform import Affine
from rasterio.windows import Window

from glacier_inversion.errors import RasterError
from glacier_inversion.files import replacing
from glacier_inversion.grid import Grid

_GEOTIFF = {
    "driver": "GTiff",
    "dtype": "float32",
    "count": 1,
    "nodata": float("nan"),
    "compress": "deflate",
    "predictor": 3,
    "tiled": True,
    "blockxsize": 256,
    "blockysize": 256,
    "BIGTIFF": "IF_SAFER",
}


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Open a raster; RasterError if it is not there or no raster."""
    if not path.is_file():
        message = (
            f"{path}: does not exist. Must be a raster in the workspace's data folder. "
            "Put it there, or correct 'file'."
        )
        raise RasterError(message)
    try:
        with rasterio.open(path) as src:
            yield src
    except RasterioError as error:
        message = f"{path}: cannot be read ({error}). Must be a raster that GDAL reads."
        raise RasterError(message) from error


def read_tile(
    path: Path, rows: slice | None = None, cols: slice | None = None
) -> NDArray[np.float32]:
    """Read a tile, or a window of it, as (n_rows, n_cols), NaN where there is none."""
    with opened(path) as src:
        window = None
        if rows is not None and cols is not None:
            window = Window.from_slices(rows, cols)
        values: NDArray[np.float32] = src.read(1, window=window)
        return values


def read_grid(path: Path) -> Grid:
    """Return the grid of a GeoTIFF with square pixels, north up."""
    with opened(path) as src:
        left, top, resolution = src.transform.c, src.transform.f, src.transform.a
        return Grid(left, top, resolution, src.height, src.width)


def read_tags(path: Path) -> dict[str, str]:
    """Return the tags of a GeoTIFF, empty where it is missing or broken."""
    try:
        with opened(path) as src:
            tags: dict[str, str] = src.tags()
            return tags
    except RasterError:
        return {}


@contextmanager
def geotiff_writer(
    path: Path, grid: Grid, epsg: int, tags: Mapping[str, str], unit: str | None = None
) -> Iterator[Callable[[NDArray[np.float32], slice, slice], None]]:
    """
    Open a float32 GeoTIFF for writing, whole or not at all.

    Yields a function of values, rows and columns that writes a window; what no window
    covers is NaN.

    Raises
    ------
    WorkspaceError
        The file cannot be written.
    """
    with (
        replacing(path) as scratch,
        rasterio.open(
            scratch,
            "w",
            height=grid.n_rows,
            width=grid.n_cols,
            crs=CRS.from_epsg(epsg),
            transform=Affine(*grid.transform),
            **_GEOTIFF,
        ) as dst,
    ):
        dst.update_tags(**tags)
        if unit is not None:
            dst.set_band_unit(1, unit)
            dst.update_tags(unit=unit)

        def write(values: NDArray[np.float32], rows: slice, cols: slice) -> None:
            dst.write(values, 1, window=Window.from_slices(rows, cols))

        yield write


def write_tile(
    path: Path,
    values: NDArray[np.float32],
    grid: Grid,
    epsg: int,
    tags: Mapping[str, str],
) -> None:
    """Write a tile, whole or not at all."""
    with geotiff_writer(path, grid, epsg, tags) as write:
        write(values, slice(0, grid.n_rows), slice(0, grid.n_cols))
