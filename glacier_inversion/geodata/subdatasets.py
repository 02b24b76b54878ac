"""Rasters that lie beside others in one file, as the variables of a netCDF do."""

from __future__ import annotations

from pathlib import Path

from glacier_inversion.geodata.archives import file_of, path_of


def file_of_part(name: str) -> Path | None:
    """
    Return the file on disk of what GDAL names: a file, or a raster in one.

    Names of the latter are as NETCDF:"velocity.nc":vx, the file with quotes or without,
    and in the middle or at the end. None where there is no such file.
    """
    words = name.split(":")
    for first in range(len(words)):
        for end in range(len(words), first, -1):
            file = file_of(path_of(":".join(words[first:end]).strip('"')))
            if file.is_file():
                return file
    return None
