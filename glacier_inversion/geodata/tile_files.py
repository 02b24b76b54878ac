"""Tiles as files: written whole, and looked at whether they are what was written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from rasterio.errors import RasterioError
from rasterio.io import MemoryFile

from glacier_inversion.errors import RasterError, WorkspaceError
from glacier_inversion.files import (
    discarding,
    scratch_of,
    unwritable,
    write_bytes,
)
from glacier_inversion.geodata.geotiffs import (
    gdal_ready,
    geotiff_writer,
    opened,
)
from glacier_inversion.geodata.layouts import STRIP_ROWS, tile_profile
from glacier_inversion.grid import Grid

# Of pixels; a larger tile is written to its file block by block.
_MADE_IN_MEMORY = 2**24  # bytes
_NEEDED = 5  # times the pixels: GDAL's blocks, and what grows by a half as it is full
_NEEDED_AT_LEAST = 2**25  # bytes


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
    write_strips(path, lambda rows: values[rows], grid, epsg, tags)


def write_strips(
    path: Path,
    strip: Callable[[slice], NDArray[np.float32]],
    grid: Grid,
    epsg: int,
    tags: Mapping[str, str],
) -> None:
    """Write a tile as `write_tile` does, given some rows at a time by a function."""
    with geotiff_writer(path, grid, epsg, tags) as write:
        for rows in _parts(grid):
            write(strip(rows), rows, slice(0, grid.n_cols))


def _parts(grid: Grid) -> Iterator[slice]:
    for row in range(0, grid.n_rows, STRIP_ROWS):
        yield slice(row, min(row + STRIP_ROWS, grid.n_rows))


@contextmanager
def _in_memory(
    values: NDArray[np.float32], grid: Grid, epsg: int, tags: Mapping[str, str]
) -> Iterator[memoryview]:
    """
    Make the bytes of a tile.

    Where memory ends GDAL leaves out blocks as it closes a file, and is silent: so all
    that it may need is asked for before, and let go.

    Raises
    ------
    MemoryError
        There is not as much: nothing else can fail here.
    """
    np.empty(_NEEDED * values.nbytes + _NEEDED_AT_LEAST, dtype=np.uint8)
    with gdal_ready(), MemoryFile() as memory:
        try:
            with memory.open(**tile_profile(grid, epsg)) as dst:
                dst.update_tags(**tags)
                for rows in _parts(grid):
                    window = (rows.start, rows.stop), (0, grid.n_cols)
                    dst.write(values[rows], 1, window=window)
        except RasterioError as error:
            raise MemoryError from error
        yield memory.getbuffer()


@contextmanager
def holding_aside(path: Path) -> Iterator[BinaryIO]:
    """
    Yield a file for what memory does not hold of *path*, there for a block alone.

    Raises
    ------
    WorkspaceError
        It cannot be written.
    """
    scratch = scratch_of(path.with_name(f"{path.stem}.aside"))
    try:
        with discarding([scratch]), scratch.open("w+b") as file:
            yield file
    except WorkspaceError:
        raise
    except OSError as error:
        raise unwritable(path, error) from error


def read_tags(path: Path) -> dict[str, str]:
    """Return the tags of a GeoTIFF, empty where it is missing or broken."""
    try:
        with opened(path) as src:
            tags: dict[str, str] = src.tags()
            return tags
    except RasterError:
        return {}
