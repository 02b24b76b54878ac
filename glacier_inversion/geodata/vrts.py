"""VRTs, files of GDAL that say which other rasters they are made of, and these."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, fromstring, tostring

from glacier_inversion.errors import RasterError
from glacier_inversion.geodata.archives import file_of, path_of
from glacier_inversion.geodata.ascii_grids import find_lines
from glacier_inversion.geodata.envi import check_size
from glacier_inversion.geodata.geotiffs import (
    check_opens,
    open_raster,
    opened,
    unreadable,
)
from glacier_inversion.geodata.subdatasets import (
    check_is_one,
    file_of_part,
    with_whole_path,
)
from glacier_inversion.sharing.executors import ending_if_stuck

_TIFFS = (".tif", ".tiff")  # as most parts are: no files that they are made of
# What is elsewhere takes too long to be opened, and may be asked for by no tile.
_REMOTE = re.compile(r"/vsi(adls|az|curl|gs|hdfs|oss|s3|swift|webhdfs)|(https?|ftp)://")


def find_files(path: Path) -> tuple[Path, ...]:
    """
    Find the files of a raster, and refuse one that GDAL would read for ever, or as 0.

    Of a VRT all that it is made of, by way of others too. One that is made of itself
    is detected by GDAL when pixels are read; but other VRTs that miss a file then yield
    zeros in this process, and no error (seen in GDAL 3.10). So they do while any VRT
    is open, from the second read on (3.10 and 3.12): parts are opened here once. ASCII
    grids in a VRT are read to their end, which takes as long as GDAL takes to make
    tiles of them.

    Returns
    -------
    files : tuple of Path
        That are on disk, in order: with sidecars, and all that a VRT is made of, its
        masks too, which GDAL does not list.

    Raises
    ------
    RasterError
        A file is made of itself, is missing, was cut, or is no raster.
    """
    files: set[Path] = set()
    try:
        _descend(path, (), set(), files)
    except RasterError as error:
        if str(error).startswith(f"{path}: "):
            raise
        message = f"{path}: its part {error}"
        raise RasterError(message) from error
    except OSError as error:  # in a folder that is closed, or its name is too long
        if error.filename is None:
            raise
        message = f"{path}: its part {unreadable(error.filename, error.strerror)}"
        raise RasterError(message) from error
    return tuple(sorted(file for file in files if file.is_file()))


def _descend(
    path: Path, above: tuple[Path, ...], done: set[Path], files: set[Path]
) -> None:
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
        check_is_one(path, src)
        if above:
            with ending_if_stuck():
                find_lines(src, src.height)
        names = [*_names_in(src, path.parent)]
        named = map(file_of_part, names)  # a part may be one of several in a file
        files |= {file_of(path), *(file for file in named if file is not None)}
        parts = dict.fromkeys(names[1:] if src.driver == "VRT" else [])
    for name in parts:
        part = path_of(with_whole_path(name))
        if not file_of(part).is_file():
            _check_named(name)
        elif part.suffix.lower() in _TIFFS:
            # which a VRT may read instead of what it hides
            files.add(part.with_name(f"{part.name}.msk"))
            check_opens(part, GEOREF_SOURCES="NONE")
        else:
            _descend(part, (*above, path), done, files)
    done.add(path)


def _check_named(name: str) -> None:
    """Check that GDAL opens what is no file: a folder, or one raster of several."""
    is_path = not name.startswith("/vsi") and (name.startswith("/") or ":" not in name)
    if is_path and not Path(name).exists():
        message = (
            f"{name}: does not exist. Must be where the VRT says. Put it there, or "
            "make the VRT anew."
        )
        raise RasterError(message)
    if not _REMOTE.search(name):
        check_opens(name)


def _names_in(src: Any, folder: Path) -> Iterator[str]:
    """
    Name what an open raster in a folder is made of, as GDAL does, itself first.

    Of a VRT with its masks, and with what VRTs are made of that it holds as text.
    """
    masks: list[str] = []
    if src.driver == "VRT":
        masks += _masks_of(src)
    for name in [*src.files, *masks]:
        if not name.lstrip().startswith("<"):
            yield name
            continue
        with open_raster(name, ROOT_PATH=str(folder)) as held:
            yield from _names_in(held, folder)


def _masks_of(src: Any) -> Iterator[str]:
    """Write each mask of a VRT as the band of another, whose files GDAL lists."""
    size = {"rasterXSize": str(src.width), "rasterYSize": str(src.height)}
    for mask in fromstring(src.tags(ns="xml:VRT")["xml:VRT"]).iter("MaskBand"):
        alone = Element("VRTDataset", size)
        alone.extend(mask)
        yield tostring(alone, encoding="unicode")
