"""Files that stay open while many windows are read of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import rasterio
from rasterio._err import CPLE_AppDefinedError, CPLE_BaseError

from glacier_inversion.errors import RasterError
from glacier_inversion.geodata.archives import READ_ONLY
from glacier_inversion.geodata.geotiffs import check_is_file, failing_at, open_raster
from glacier_inversion.geodata.vrts import find_files

_MOST_OPEN = 64
# Of blocks that were read, in each process; GDAL's own is a share of the machine's.
_BLOCKS = 256 * 2**20  # bytes


class OpenRasters:
    """
    Raster files, each opened when it is first read, and open until all are closed.

    GDAL keeps the blocks of a file that it has decompressed as long as the file is
    open: what is read beside them, soon after, is there already. Another process has to
    open them itself: none goes with it.
    """

    def __init__(self) -> None:
        self._open: dict[Path, Any] = {}
        self._failed: dict[Path, tuple[str, Any]] = {}

    def __reduce__(self) -> tuple[type[OpenRasters], tuple[()]]:
        """Be sent to another process as if nothing were open."""
        return OpenRasters, ()

    @contextmanager
    def reading(self, path: Path) -> Iterator[Any]:
        """
        Open a raster as `opened` does, but that it stays so unless reading fails.

        A VRT of which a part could not be opened fails from then on: while any VRT is
        open GDAL remembers that there was nothing to open, and gives zeros for it. It
        stays open, as GDAL takes another one at its address in memory for it.
        """
        if path in self._failed:
            raise RasterError(self._failed[path][0])
        src = self._open.pop(path, None)
        if src is None:
            check_is_file(path)
        is_kept = False
        try:
            with failing_at(path):
                if src is None:
                    src = open_raster(path)
                yield src
            is_kept = True
        except RasterError as error:
            is_kept = src is not None and _has_closed_part(path, src, error)
            if is_kept:
                self._failed[path] = str(error), src
            raise
        finally:
            if src is not None and not is_kept:
                src.close()
        self._open[path] = src  # the last one, of which the first is closed first
        if len(self._open) > _MOST_OPEN:
            self._open.pop(next(iter(self._open))).close()

    def close(self) -> None:
        """Close all files."""
        while self._open:
            _, src = self._open.popitem()
            src.close()
        while self._failed:  # with no VRT open, GDAL remembers nothing
            _, (_, src) = self._failed.popitem()
            src.close()


def _has_closed_part(path: Path, src: Any, error: RasterError) -> bool:
    """Tell whether a part of a VRT cannot be opened; of pixels GDAL tells again."""
    found = error.__cause__ and error.__cause__.__cause__
    if src.driver != "VRT" or not isinstance(found, CPLE_BaseError):
        return False
    if not isinstance(found, CPLE_AppDefinedError):
        return True
    try:  # libtiff says the same of pixels and of what is no GeoTIFF
        find_files(path)
    except RasterError:
        return True
    return False


@contextmanager
def reading_many() -> Iterator[None]:
    """
    Give GDAL its options once for many files, and bounded memory for their blocks.

    For each call it would take the time of reading a small window.
    """
    bounds = {} if "GDAL_CACHEMAX" in os.environ else {"GDAL_CACHEMAX": _BLOCKS}
    with rasterio.Env(**READ_ONLY, **bounds):
        yield
