"""GeoTIFFs of ours, tiles and maps: opened, read by window, written."""

from __future__ import annotations

import os
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from rasterio._err import CPLE_BaseError
from rasterio.enums import Resampling
from rasterio.env import getenv, hasenv
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window

from glacier_inversion.errors import RasterError, first_line, unprinted
from glacier_inversion.files import (
    discarding,
    replacing,
    replacing_all,
    scratch_of,
    unwritable,
)
from glacier_inversion.geodata.archives import (
    READ_ONLY,
    archive_problem,
    file_of,
    path_of,
)
from glacier_inversion.geodata.layouts import cog_profile, geotiff_profile, tile_profile
from glacier_inversion.grid import Grid
from glacier_inversion.machine.crashes import reading
from glacier_inversion.sharing.executors import ending_if_stuck

# What GDAL need not find out: where a file lies takes three quarters of its opening.
_PIXELS_ALONE = {"driver": "GTiff", "sharing": False, "GEOREF_SOURCES": "NONE"}


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Open a raster; RasterError if it is not there or no raster."""
    check_is_file(path)
    with failing_at(path), open_raster(path) as src:
        yield src


def check_is_file(path: Path) -> None:
    """Check that a raster, or the archive that holds it, is there; RasterError."""
    try:
        is_file, is_there = file_of(path).is_file(), file_of(path).exists()
    except OSError as error:
        raise RasterError(unreadable(path, error.strerror)) from error
    if not is_file:
        is_what = "is no file" if is_there else "does not exist"
        must = "Must be a raster in the workspace's data folder"
        message = f"{path}: {is_what}. {must}. Put it there, or correct 'file'."
        raise RasterError(message)


@contextmanager
def failing_at(path: Path) -> Iterator[None]:
    """Say which raster cannot be read where GDAL fails; RasterError."""
    try:
        with reading(path), unprinted(), gdal_ready():
            yield
    except (RasterioError, CPLE_BaseError, UnicodeError) as error:
        # what GDAL says is often behind rasterio's "see previous exception"
        cause = error.__cause__
        why = first_line(cause if isinstance(cause, CPLE_BaseError) else error)
        message = archive_problem(path) or unreadable(path, why)
        raise RasterError(message) from error


@contextmanager
def gdal_ready() -> Iterator[None]:
    """
    Give GDAL the options with which files are read, unless it has them.

    Around many short calls, as each would take the time of a small read to do so.
    """
    if hasenv() and READ_ONLY.items() <= getenv().items():
        yield
        return
    with rasterio.Env(**READ_ONLY):
        yield


def open_raster(path: Path | str, **options: Any) -> Any:
    """
    Open a raster, or what GDAL names, with options of GDAL, within `failing_at`.

    Whether it is georeferenced is looked at by who needs it.
    """
    with warnings.catch_warnings(), ending_if_stuck():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        return rasterio.open(path, **options)


def unreadable(path: Path | str, reason: str | None) -> str:
    """Say that a raster cannot be read, and why."""
    return (
        f"{path}: cannot be read ({reason}). Must be a raster that GDAL reads. Put it "
        "there again, or name another."
    )


@contextmanager
def opened_pixels(path: Path) -> Iterator[Any]:
    """
    Open a tile or map for its tags and pixels, not for where it lies.

    RasterError if it has not one band, as they are written.
    """
    check_is_file(path)
    with failing_at(path), open_raster(path, **_PIXELS_ALONE) as src:
        if src.count != 1:  # who says thousands takes seconds to read
            raise RasterError(unreadable(path, f"it has {src.count} bands, not one"))
        yield src


def check_opens(name: Path | str, **options: Any) -> None:
    """Check that GDAL opens a raster, of which nothing is read; RasterError."""
    with failing_at(path_of(str(name))), open_raster(name, sharing=False, **options):
        pass


def read_tile(
    path: Path, rows: slice | None = None, cols: slice | None = None
) -> NDArray[np.float32]:
    """Read a tile, or a window of it, as (n_rows, n_cols), NaN where there is none."""
    with opened_pixels(path) as src:
        window = None
        if rows is not None and cols is not None:
            window = Window.from_slices(rows, cols)
        values: NDArray[np.float32] = src.read(1, window=window)
        return values


def read_reduced(src: Any, most_px: int) -> NDArray[np.float32]:
    """Read an open map, with at most so many pixels along a side."""
    fewer = max(1.0, max(src.shape) / most_px)
    shape = tuple(max(1, round(n / fewer)) for n in src.shape)
    # the mean of the valid pixels, so that a narrow glacier stays whole
    values: NDArray[np.float32] = src.read(
        1, out_shape=shape, resampling=Resampling.average
    )
    return values


def read_grid(path: Path) -> Grid:
    """Return the grid of a tile or map: square pixels, north up."""
    with opened(path) as src:
        place = src.transform
        return Grid(place.c, place.f, place.a, src.height, src.width)


@dataclass(frozen=True)
class NewGeoTiff:
    """A GeoTIFF that is to be written: where, and what it says of itself."""

    path: Path
    tags: Mapping[str, str]
    unit: str | None = None
    description: str | None = None  # of its band


Write = Callable[[NDArray[np.float32], slice, slice], None]
"""Writes values into a window, given by its rows and columns."""


@contextmanager
def cog_writers(
    files: Sequence[NewGeoTiff], grid: Grid, epsg: int
) -> Iterator[list[Write]]:
    """
    Open float32 GeoTIFFs that belong together for writing, all of them or none.

    They become Cloud-Optimized GeoTIFFs: blocks of 512 pixels, or one that a smaller
    map just fits into; overviews, each pixel of which is the mean of the valid ones
    below it, until one fits into a block; minimum, maximum, mean and standard deviation
    of the valid pixels as tags of the band. What no window covers is NaN. Windows must
    not overlap, and are written to a plain GeoTIFF beside, so that memory is bounded;
    it is removed at the end.

    GDAL does not report all that goes wrong when a file is closed, on a full disk for
    one: so what was written is read again, of all files, before the first takes its
    place.

    Raises
    ------
    WorkspaceError
        A file cannot be written.
    """
    paths = [file.path for file in files]
    plain = [scratch_of(path.with_stem(f"{path.stem}.pixels")) for path in paths]
    # where GDAL keeps overviews for a while
    beside = [path.with_name(f"{scratch_of(path).name}.ovr.tmp") for path in paths]
    profile = geotiff_profile(grid, epsg)
    # within an Env, GDAL's own errors are logged by rasterio, else printed
    with (
        replacing_all(paths) as scratches,
        discarding([*plain, *beside]),
        rasterio.Env(),
    ):
        with ExitStack() as stack:
            opened_files = [
                stack.enter_context(_Writing(file, scratch, grid, profile))
                for file, scratch in zip(files, plain, strict=True)
            ]
            yield [file.write for file in opened_files]
        for file, scratch in zip(opened_files, scratches, strict=True):
            file.optimize(scratch)
        for file, scratch in zip(opened_files, scratches, strict=True):
            file.check(scratch)


@contextmanager
def geotiff_writer(
    path: Path, grid: Grid, epsg: int, tags: Mapping[str, str], unit: str | None = None
) -> Iterator[Write]:
    """Open a plain GeoTIFF, laid out as tiles are; checked as `cog_writers` does."""
    file = NewGeoTiff(path, tags, unit)
    with replacing(path) as scratch, rasterio.Env():
        with _Writing(file, scratch, grid, tile_profile(grid, epsg)) as written:
            yield written.write
        written.check(scratch)


class _Writing:
    """A GeoTIFF that is being written, and the checksums of its windows."""

    def __init__(
        self, file: NewGeoTiff, scratch: Path, grid: Grid, profile: Mapping[str, Any]
    ) -> None:
        self._file = file
        self._scratch = scratch
        self._grid = grid
        self._windows: list[tuple[Window, int]] = []
        unit = {} if file.unit is None else {"unit": file.unit}
        self._tags = {**file.tags, **unit}
        with self._failing():
            self._dst = rasterio.open(scratch, "w", **profile)
            self._dst.update_tags(**self._tags)
            if file.unit is not None:
                self._dst.set_band_unit(1, file.unit)
            if file.description is not None:
                self._dst.set_band_description(1, file.description)

    def write(self, values: NDArray[np.float32], rows: slice, cols: slice) -> None:
        """Write a window."""
        window = Window.from_slices(rows, cols)
        with self._failing():
            self._dst.write(values, 1, window=window)
        self._windows.append((window, _checksum(values)))

    def __enter__(self) -> _Writing:
        """Be closed at the end of a block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file, whatever became of it."""
        with self._failing():
            self._dst.close()

    def optimize(self, path: Path) -> None:
        """Copy the file, once it is closed, to a Cloud-Optimized GeoTIFF."""
        # a third more with overviews, which GDAL first keeps in a file of their own
        n_bytes = 2 * self._scratch.stat().st_size
        try:
            with _libtiff_muted():
                rasterio.shutil.copy(self._scratch, path, **cog_profile(self._grid))
        except (RasterioError, CPLE_BaseError, SystemError) as error:
            # a SystemError where GDAL fails and says nothing
            raise unwritable(self._file.path, error, n_bytes) from error

    def check(self, path: Path) -> None:
        """Read all that was written again; WorkspaceError if it differs."""
        with self._failing(), rasterio.open(path) as src:
            whole = (
                self._tags.items() <= src.tags().items()
                and all(
                    _checksum(src.read(1, window=window)) == checksum
                    for window, checksum in self._windows
                )
                and all(np.isnan(src.read(1, window=w)).all() for w in self._rest(src))
            )
        if not whole:
            raise unwritable(self._file.path, "it does not hold what was written")

    def _rest(self, src: Any) -> Iterator[Window]:
        """Iterate over the blocks of the file that no window has touched."""
        ((height, width),) = src.block_shapes
        touched = np.zeros((-(-src.height // height), -(-src.width // width)))
        for window, _ in self._windows:
            rows, cols = window.toslices()
            touched[
                rows.start // height : -(-rows.stop // height),
                cols.start // width : -(-cols.stop // width),
            ] = 1
        for (row, col), window in src.block_windows(1):
            if not touched[row, col]:
                yield window

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """Say which file cannot be written where GDAL fails."""
        try:
            with _libtiff_muted():
                yield
        except RasterioError as error:
            raise unwritable(self._file.path, error) from error


@contextmanager
def _libtiff_muted() -> Iterator[None]:
    """Let libtiff print nothing, which it does by itself beside what GDAL reports."""
    try:
        stderr, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    except OSError:  # there is no error stream, or too many files are open
        yield
        return
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nothing)


def _checksum(values: NDArray[np.float32]) -> int:
    return zlib.crc32(np.ascontiguousarray(values, dtype=np.float32).data)
