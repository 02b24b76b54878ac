"""Files that stay open while many windows are read of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import rasterio
from rasterio._err import CPLE_AppDefinedError, CPLE_BaseError

from glacier_inversion.errors import RasterError
from glacier_inversion.geodata.archives import READ_ONLY
from glacier_inversion.geodata.geotiffs import check_is_file, failing_at, open_raster

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
        self._failed: dict[Path, str] = {}

    def __reduce__(self) -> tuple[type[OpenRasters], tuple[()]]:
        """Be sent to another process as if nothing were open."""
        return OpenRasters, ()

    @contextmanager
    def reading(self, path: Path) -> Iterator[Any]:
        """
        Open a raster as `opened` does, but that it stays so unless reading fails.

        A VRT of which a part could not be opened fails from then on: while any VRT is
        open GDAL remembers that there was nothing to open, and gives zeros for it.
        """
        if path in self._failed:
            raise RasterError(self._failed[path])
        src = self._open.pop(path, None)
        if src is None:
            check_is_file(path)
        try:
            with failing_at(path), ExitStack() as upon_failure:
                if src is None:
                    src = open_raster(path)
                upon_failure.callback(src.close)
                yield src
                upon_failure.pop_all()
        except RasterError as error:
            if src is not None and _has_closed_part(src, error):
                self._failed[path] = str(error)
            raise
        self._open[path] = src  # the last one, of which the first is closed first
        if len(self._open) > _MOST_OPEN:
            self._open.pop(next(iter(self._open))).close()

    def close(self) -> None:
        """Close all files."""
        while self._open:
            _, src = self._open.popitem()
            src.close()


def _has_closed_part(src: Any, error: RasterError) -> bool:
    """Tell whether a part of a VRT cannot be opened; of pixels GDAL tells again."""
    found = error.__cause__ and error.__cause__.__cause__
    is_of_gdal = isinstance(found, CPLE_BaseError)
    of_pixels = isinstance(found, CPLE_AppDefinedError)
    return src.driver == "VRT" and is_of_gdal and not of_pixels


@contextmanager
def reading_many() -> Iterator[None]:
    """
    Give GDAL its options once for many files, and bounded memory for their blocks.

    For each call it would take the time of reading a small window.
    """
    bounds = {} if "GDAL_CACHEMAX" in os.environ else {"GDAL_CACHEMAX": _BLOCKS}
    with rasterio.Env(**READ_ONLY, **bounds):
        yield
