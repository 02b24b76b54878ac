"""Tiles as files: written whole, and looked at whether they are what was written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.errors import RasterioError
from rasterio.io import MemoryFile

from glacier_inversion.errors import RasterError
from glacier_inversion.files import write_bytes
from glacier_inversion.geodata.geotiffs import (
    failing_at,
    gdal_ready,
    geotiff_profile,
    geotiff_writer,
    open_raster,
    opened,
)
from glacier_inversion.grid import Grid

_ROWS = 1024  # written at once: whole blocks
# Of pixels; a larger tile is written to its file block by block.
_MADE_IN_MEMORY = 2**26  # bytes
# What GDAL need not find out: where a file lies takes three quarters of its opening.
_PIXELS_ALONE = {"driver": "GTiff", "sharing": False, "GEOREF_SOURCES": "NONE"}


def write_tile(
    path: Path,
    values: NDArray[np.float32],
    grid: Grid,
    epsg: int,
    tags: Mapping[str, str],
) -> None:
    """
    Write a tile, whole or not at all; no more than some rows are held twice.

    One that memory holds with ease is made there and written at once, which spares the
    disk GDAL's many small writes, and the check of what became of each of them.

    Raises
    ------
    WorkspaceError
        It cannot be written.
    """
    if values.nbytes <= _MADE_IN_MEMORY:
        with _in_memory(values, grid, epsg, tags) as content:
            write_bytes(path, content)
        return
    cols = slice(0, grid.n_cols)
    with geotiff_writer(path, grid, epsg, tags) as write:
        for rows in _parts(grid):
            write(values[rows], rows, cols)


def _parts(grid: Grid) -> Iterator[slice]:
    for row in range(0, grid.n_rows, _ROWS):
        yield slice(row, min(row + _ROWS, grid.n_rows))


@contextmanager
def _in_memory(
    values: NDArray[np.float32], grid: Grid, epsg: int, tags: Mapping[str, str]
) -> Iterator[memoryview]:
    """Make the bytes of a tile; MemoryError, for which alone GDAL fails here."""
    with gdal_ready(), MemoryFile() as memory:
        try:
            with memory.open(**geotiff_profile(grid, epsg)) as dst:
                dst.update_tags(**tags)
                for rows in _parts(grid):
                    window = (rows.start, rows.stop), (0, grid.n_cols)
                    dst.write(values[rows], 1, window=window)
        except RasterioError as error:
            raise MemoryError from error
        content = memory.getbuffer()
        # where memory ends GDAL leaves out blocks as it closes a file, and is silent
        if not _is_complete(memory, len(content), tags):
            raise MemoryError
        yield content


def _is_complete(memory: MemoryFile, n_bytes: int, tags: Mapping[str, str]) -> bool:
    """Tell whether tags and all blocks of a GeoTIFF are in it."""
    try:
        with open_raster(Path(memory.name), **_PIXELS_ALONE) as src:
            ((height, width),) = src.block_shapes
            for row in range(-(-src.height // height)):
                for col in range(-(-src.width // width)):
                    begin, size = (
                        src.get_tag_item(f"BLOCK_{what}_{col}_{row}", "TIFF", bidx=1)
                        for what in ("OFFSET", "SIZE")
                    )
                    if size is None or int(begin) + int(size) > n_bytes:
                        return False
            return bool(tags.items() <= src.tags().items())
    except RasterioError:
        return False


def read_tags(path: Path) -> dict[str, str]:
    """Return the tags of a GeoTIFF, empty where it is missing or broken."""
    try:
        with opened(path) as src:
            tags: dict[str, str] = src.tags()
            return tags
    except RasterError:
        return {}


@contextmanager
def opened_pixels(path: Path) -> Iterator[Any]:
    """Open a GeoTIFF of ours for its tags and pixels, not for where it lies."""
    with failing_at(path), open_raster(path, **_PIXELS_ALONE) as src:
        yield src
