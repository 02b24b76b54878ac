"""VRTs, files of GDAL that say which other rasters they are made of, and these."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError, fromstring

from glacier_inversion.errors import RasterError
from glacier_inversion.geodata.archives import file_of, path_of
from glacier_inversion.geodata.ascii_grids import find_lines
from glacier_inversion.geodata.envi import check_size
from glacier_inversion.geodata.geotiffs import check_opens, opened
from glacier_inversion.geodata.subdatasets import (
    check_is_one,
    file_of_part,
    with_whole_path,
)
from glacier_inversion.sharing.executors import ending_if_stuck

_TIFFS = (".tif", ".tiff")  # as most parts are: no files that they are made of
_NAMING = ("SourceFilename", "SourceDataset")  # elements of a VRT that name a file


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
        names = [*_without_texts(src.files)]
        named = map(file_of_part, names)  # a part may be one of several in a file
        files |= {file_of(path), *(file for file in named if file is not None)}
        parts: list[Path] = []
        if src.driver == "VRT":
            parts += (path_of(with_whole_path(name)) for name in names[1:])
            parts += _masks_of(path, src)
    for part in dict.fromkeys(parts):
        file = file_of(part)
        files.add(file)
        if not file.exists() and _is_on_disk(part):
            message = (
                f"{part}: does not exist. Must be where the VRT says. Put it there, or "
                "make the VRT anew."
            )
            raise RasterError(message)
        if not file.is_file():
            continue
        if part.suffix.lower() in _TIFFS:
            # which a VRT may read instead of what it hides
            files.add(part.with_name(f"{part.name}.msk"))
            check_opens(part)
        else:
            _descend(part, (*above, path), done, files)
    done.add(path)


def _is_on_disk(part: Path) -> bool:
    """Tell whether GDAL's name of a part is a path on disk, be there a file or none."""
    name = str(file_of(part))
    return not name.startswith("/vsi") and (part.is_absolute() or ":" not in name)


def _masks_of(path: Path, src: Any) -> list[Path]:
    """Return the files of a VRT's masks."""
    xml = src.tags(ns="xml:VRT")["xml:VRT"]
    masks = []
    for name in fromstring(xml).iterfind(".//MaskBand//SourceFilename"):
        if name.get("relativeToVRT") == "1":
            masks.append(path.parent / str(name.text))
        else:
            masks += map(path_of, _without_texts([str(name.text)]))
    return masks


def _without_texts(names: Iterable[str]) -> Iterator[str]:
    """Name what a VRT is made of where it stands itself, as text, for a file's name."""
    for name in names:
        if not name.lstrip().startswith("<"):
            yield name
            continue
        try:
            parts = fromstring(name.strip()).iter()
        except ParseError:  # GDAL says so where it reads
            continue
        named = [part.text or "" for part in parts if part.tag in _NAMING]
        yield from _without_texts(named)
