"""Files that stay open while many windows are read of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import rasterio

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

    def __reduce__(self) -> tuple[type[OpenRasters], tuple[()]]:
        """Be sent to another process as if nothing were open."""
        return OpenRasters, ()

    @contextmanager
    def reading(self, path: Path) -> Iterator[Any]:
        """Open a raster as `opened` does, but that it stays so unless reading fails."""
        src = self._open.pop(path, None)
        if src is None:
            check_is_file(path)
        with failing_at(path), ExitStack() as upon_failure:
            if src is None:
                src = open_raster(path)
            upon_failure.callback(src.close)
            yield src
            upon_failure.pop_all()
        self._open[path] = src  # the last one, of which the first is closed first
        if len(self._open) > _MOST_OPEN:
            self._open.pop(next(iter(self._open))).close()

    def close(self) -> None:
        """Close all files."""
        while self._open:
            _, src = self._open.popitem()
            src.close()


@contextmanager
def reading_many() -> Iterator[None]:
    """
    Give GDAL its options once for many files, and bounded memory for their blocks.

    For each call it would take the time of reading a small window.
    """
    bounds = {} if "GDAL_CACHEMAX" in os.environ else {"GDAL_CACHEMAX": _BLOCKS}
    with rasterio.Env(**READ_ONLY, **bounds):
        yield
