"""Rasters that lie beside others in one file, as the variables of a netCDF do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from glacier_inversion.errors import RasterError, name_some
from glacier_inversion.geodata.archives import file_of, path_of
from glacier_inversion.workspace import ARCHIVES


def check_is_one(path: Path, src: Any) -> None:
    """Refuse a file that holds several rasters, none of them its own; RasterError."""
    if src.count or not src.subdatasets:
        return
    names = [_name_for_gdal(name) for name in src.subdatasets]
    variables = [name.rpartition(":")[2].lstrip("/") for name in names]
    folder = file_of(path).parent  # nothing can be written into an archive
    own = f"{folder}/{variables[0].rpartition('/')[2]}.tif"
    message = (
        f"{path}: holds several rasters: {name_some(variables)}. Must be one. Write "
        "the one that is meant to a file of its own, for example with "
        f"""'gdal_translate "{names[0]}" "{own}"'."""
    )
    raise RasterError(message)


def file_of_part(name: str) -> Path | None:
    """
    Return the file on disk of what GDAL names: a file, or a raster in one.

    Names of the latter are as NETCDF:"velocity.nc":vx, the file with quotes or without,
    and in the middle or at the end. GDAL takes an archive in braces, too, whatever its
    name. None where there is no such file.
    """
    if name.startswith(tuple(ARCHIVES)):
        name = re.sub(r"\{(.*)\}", r"\1", name)
    words = name.split(":")
    for first in range(len(words)):
        for end in range(len(words), first, -1):
            file = file_of(
                path_of(with_whole_path(":".join(words[first:end]).strip('"')))
            )
            if file.is_file():
                return file
    return None


def with_whole_path(name: str) -> str:
    """Return GDAL's name of a file with all of its path; an archive's may lack some."""
    kind = next((kind for kind in ARCHIVES if name.startswith(kind)), None)
    if kind is None or name.startswith(f"{kind}/"):
        return name
    return f"{kind}{Path.cwd()}/{name.removeprefix(kind)}"


def _name_for_gdal(name: str) -> str:
    """
    Return the name of a subdataset as GDAL takes it, without quotes.

    >>> _name_for_gdal('netcdf:"data/velocity.nc":vx')
    'NETCDF:data/velocity.nc:vx'
    """
    driver, colon, rest = name.replace('"', "").partition(":")
    return f"{driver.upper()}{colon}{rest}"
