"""Files in archives, by the paths that GDAL gives them, as /vsizip/x.zip/y.tif."""

from __future__ import annotations

import itertools
import tarfile
import zipfile
import zlib
from pathlib import Path

from glacier_inversion.errors import nearest
from glacier_inversion.sharing.executors import ending_if_stuck
from glacier_inversion.workspace import ARCHIVES, ArchivedFile

READ_ONLY = {"CPL_VSIL_GZIP_WRITE_PROPERTIES": "NO"}
"""Options of GDAL, which writes a file beside one of gzip else, to find its size."""

_TARS = (".tar", ".tgz", ".tar.gz")
_LIKELY = (".tif", ".tiff", ".vrt", ".nc", ".shp", ".gpkg", ".geojson")  # to be meant
_MOST_FILES = 5000  # looked through in an archive
# What Python raises of an archive that is none, broken, or packed in another way.
_UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    NotImplementedError,
    RuntimeError,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
)


def path_of(name: str) -> Path:
    """Return the path of a file that GDAL names, which may lie in an archive."""
    path = Path(name)
    return ArchivedFile(path) if _is_in_archive(path) else path


def file_of(path: Path) -> Path:
    """Return the file that is on disk: the archive that holds another, or itself."""
    if not _is_in_archive(path):
        return path
    inner = Path("/", *path.parts[2:])
    if _is_in_archive(inner):
        return file_of(inner)
    return next((p for p in (inner, *inner.parents) if p.is_file()), inner)


def archive_problem(path: Path) -> str | None:
    """
    Say why a file that cannot be read is not found in an archive, None if it is.

    Or that it is an archive itself, of which a file should be named. With the file, as
    messages are.
    """
    archive = file_of(path)
    if not archive.is_file():
        return None
    if not _is_in_archive(path):
        kind = kind_of(archive)
        return None if kind is None else _describe_naming(archive, kind)
    kind = f"/{path.parts[1]}/"
    if _is_in_archive(Path("/", *path.parts[2:])) or kind == "/vsigzip/":
        return None
    names = _list_files(archive, kind, _MOST_FILES)
    member = "/".join(path.parts[1 + len(archive.parts) :])
    if not names:
        return (
            f"{path}: {archive.name} holds no file that {kind!r} finds. Must be an "
            "archive of that kind. Correct 'file', or put the archive there again."
        )
    if member in names or len(names) == _MOST_FILES:
        return None
    return f"{path}: is no file in the archive. {nearest(member, names)} Correct it."


def kind_of(path: Path) -> str | None:
    """
    Return what GDAL writes before the path of an archive, by the ending of its name.

    >>> [kind_of(Path(name)) for name in ("a.ZIP", "a.tar.gz", "a.tif.gz", "a.tif")]
    ['/vsizip/', '/vsitar/', '/vsigzip/', None]
    """
    name = path.name.casefold()
    if name.endswith(".zip"):
        return "/vsizip/"
    if name.endswith(_TARS):
        return "/vsitar/"
    return "/vsigzip/" if name.endswith(".gz") else None


def _describe_naming(archive: Path, kind: str) -> str:
    """Say how a file of an archive is named."""
    inner = behind = ""
    if kind != "/vsigzip/":
        names = _list_files(archive, kind, 20)
        likely = [name for name in names if name.casefold().endswith(_LIKELY)]
        inner, behind = f"/{[*likely, *names, 'FILE'][0]}", ", and the file's behind"
    return (
        f"{archive}: is an archive. Must be a file, or one in an archive. Write "
        f"{kind!r} before its name{behind}, as '{kind}{archive.name}{inner}'."
    )


def _list_files(archive: Path, kind: str, most: int) -> list[str]:
    """Name the first files in an archive; none where it is not of a kind, or broken."""
    try:
        with ending_if_stuck():
            if kind == "/vsizip/":
                with zipfile.ZipFile(archive) as packed:
                    names = (name for name in packed.namelist() if name[-1:] != "/")
                    return [*itertools.islice(names, most)]
            with tarfile.open(archive) as tarred:
                names = (member.name for member in tarred if member.isfile())
                return [
                    name.removeprefix("./") for name in itertools.islice(names, most)
                ]
    except _UNREADABLE:
        return []


def _is_in_archive(path: Path) -> bool:
    return len(path.parts) > 2 and path.parts[:2] in {
        ("/", kind.strip("/")) for kind in ARCHIVES
    }
