"""Files in archives, by the paths that GDAL gives them, as /vsizip/x.zip/y.tif."""

from __future__ import annotations

from pathlib import Path

from glacier_inversion.workspace import ARCHIVES

READ_ONLY = {"CPL_VSIL_GZIP_WRITE_PROPERTIES": "NO"}
"""Options of GDAL, which writes a file beside one of gzip else, to find its size."""


def gdal_name(path: Path) -> Path | str:
    """
    Return what GDAL opens a file by, which may lie in an archive.

    >>> gdal_name(Path("/vsizip/home/me/x.zip/slope.tif"))
    '/vsizip//home/me/x.zip/slope.tif'
    """
    if not _is_in_archive(path):
        return path
    return f"/{path.parts[1]}/{gdal_name(Path('/', *path.parts[2:]))}"


def file_of(path: Path) -> Path:
    """Return the file that is on disk: the archive that holds another, or itself."""
    if not _is_in_archive(path):
        return path
    inner = Path("/", *path.parts[2:])
    if _is_in_archive(inner):
        return file_of(inner)
    return next((p for p in (inner, *inner.parents) if p.is_file()), inner)


def _is_in_archive(path: Path) -> bool:
    return len(path.parts) > 2 and path.parts[:2] in {
        ("/", kind.strip("/")) for kind in ARCHIVES
    }
