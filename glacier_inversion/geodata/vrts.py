"""VRTs, files of GDAL that say which other rasters they are made of, and these."""

from __future__ import annotations

from pathlib import Path

from glacier_inversion.errors import RasterError
from glacier_inversion.executors import ending_if_stuck
from glacier_inversion.geodata.archives import file_of, path_of
from glacier_inversion.geodata.ascii_grids import find_lines
from glacier_inversion.geodata.envi import check_size
from glacier_inversion.geodata.geotiffs import opened

_CHECKED_BY_GDAL = (".tif", ".tiff")  # as most parts are: they need not be opened


def check_parts(path: Path) -> None:
    """
    Refuse a raster that GDAL would read for ever, or as zeros.

    Of a VRT all that it is made of, by way of others too. One that is made of itself
    is detected by GDAL when pixels are read; but other VRTs that miss a file then yield
    zeros in this process, and no error (seen in GDAL 3.10). ASCII grids in a VRT are
    read to their end, which takes as long as GDAL takes to make tiles of them.

    Raises
    ------
    RasterError
        A file is made of itself, was cut, or is no raster.
    """
    try:
        _descend(path, (), set())
    except RasterError as error:
        if str(error).startswith(f"{path}: "):
            raise
        message = f"{path}: its part {error}"
        raise RasterError(message) from error


def _descend(path: Path, above: tuple[Path, ...], done: set[Path]) -> None:
    if path in above:
        message = (
            f"{above[0]}: is made of itself ({' of '.join(p.name for p in above)} of "
            f"{path.name}). Must be made of other rasters. Correct its SourceFilename."
        )
        raise RasterError(message)
    if path in done:
        return
    with opened(path) as src:
        check_size(path, src)
        if above:
            with ending_if_stuck():
                find_lines(src, src.height)
        parts = [path_of(f) for f in src.files[1:]] if src.driver == "VRT" else []
    for part in dict.fromkeys(parts):
        if part.suffix.lower() not in _CHECKED_BY_GDAL and file_of(part).is_file():
            _descend(part, (*above, path), done)
    done.add(path)
