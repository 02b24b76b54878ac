"""Maps as files: Cloud-Optimized GeoTIFFs, all of a feature or none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError
from rasterio.io import MemoryFile

from glacier_inversion.files import replacing_all, unwritable
from glacier_inversion.geodata.geotiffs import (
    NewGeoTiff,
    Write,
    cog_writers,
    gdal_ready,
)
from glacier_inversion.geodata.layouts import cog_profile, geotiff_profile
from glacier_inversion.grid import Grid

_MADE_IN_MEMORY = 512**2  # pixels: one block, without overviews
_NEEDED = 2**25  # bytes, for GDAL to make one of them
# What rasters in memory have; files have blocks and compression, too.
_PIXELS = "height", "width", "crs", "transform", "dtype", "count", "nodata"


@contextmanager
def map_writers(
    files: Sequence[NewGeoTiff], grid: Grid, epsg: int
) -> Iterator[list[Write]]:
    """
    Open maps that belong together for writing, as `cog_writers` does.

    Those of one block are made in memory, which takes a third of the time: no file
    beside is written, copied and read again. Their bytes are the same.

    Raises
    ------
    WorkspaceError
        A file cannot be written.
    """
    if grid.n_rows * grid.n_cols > _MADE_IN_MEMORY:
        with cog_writers(files, grid, epsg) as writers:
            yield writers
        return
    images = [np.full(grid.shape, np.nan, dtype=np.float32) for _ in files]
    with replacing_all([file.path for file in files]) as scratches:
        yield [partial(_write, image) for image in images]
        for file, image, scratch in zip(files, images, scratches, strict=True):
            content = _content(file, image, grid, epsg)
            try:
                scratch.write_bytes(content)
            except OSError as error:
                raise unwritable(file.path, error, len(content)) from error


def auxiliary_path(path: Path) -> Path:
    """Return where GDAL keeps what it has found out of a raster, such as its mean."""
    return path.with_name(f"{path.name}.aux.xml")


def _write(
    image: NDArray[np.float32], values: NDArray[np.float32], rows: slice, cols: slice
) -> None:
    image[rows, cols] = values


def _content(
    file: NewGeoTiff, image: NDArray[np.float32], grid: Grid, epsg: int
) -> bytes:
    """
    Make the bytes of a map.

    Where memory ends GDAL may leave out a block, and is silent: so all that it may need
    is asked for before, and let go.

    Raises
    ------
    MemoryError
        There is not as much: nothing else can fail here.
    """
    np.empty(_NEEDED, dtype=np.uint8)
    whole = geotiff_profile(grid, epsg)
    profile = {name: whole[name] for name in _PIXELS}
    unit = {} if file.unit is None else {"unit": file.unit}
    try:
        with gdal_ready(), MemoryFile() as memory:
            with rasterio.open("", "w", driver="MEM", **profile) as dst:
                dst.update_tags(**file.tags, **unit)
                if file.unit is not None:
                    dst.set_band_unit(1, file.unit)
                if file.description is not None:
                    dst.set_band_description(1, file.description)
                dst.write(image, 1)
                rasterio.shutil.copy(dst, memory.name, **cog_profile(grid))
            return bytes(memory.getbuffer())
    except (RasterioError, CPLE_BaseError, SystemError) as error:
        raise MemoryError from error
