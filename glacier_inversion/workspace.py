"""Where things live on disk, and names that are safe there."""

from __future__ import annotations

import functools
import os
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from glacier_inversion.errors import WorkspaceError

SPLITS = ("train", "validation", "test")
FOLDS = "folds"
"""The folder, in that of a model, of what is trained without each fold."""
ARCHIVES = ("/vsizip/", "/vsigzip/", "/vsitar/")
"""What stands before the path of a file in an archive, as GDAL writes it."""
# Two names and an ending make a file's name, such as .PROFILE_OUTPUT.part.csv.
_LONGEST_NAME = 120
# No file of Windows is called so, with any ending.
_DEVICES = {"CON", "PRN", "AUX", "NUL"} | {
    f"{port}{number}" for port in ("COM", "LPT") for number in range(1, 10)
}
_LONGEST_PART, _LONGEST_PATH = 255, 2000  # bytes that file systems allow, at least


if TYPE_CHECKING:
    _OwnPath = Path
else:
    _OwnPath = type(Path())  # Path itself cannot be inherited from before Python 3.12


class ArchivedFile(_OwnPath):
    """
    The path of a file in an archive, as text what GDAL opens it by.

    Paths know no second slash side by side.

    >>> str(ArchivedFile("/vsizip/home/me/x.zip/slope.tif"))
    '/vsizip//home/me/x.zip/slope.tif'
    """

    def __str__(self) -> str:
        """Return what GDAL opens the file by."""
        kind, inner = self.parts[1:2], self.parts[2:]
        if inner and f"/{kind[0]}/" in ARCHIVES:
            return f"/{kind[0]}/{ArchivedFile('/', *inner)}"
        return super().__str__()


@dataclass(frozen=True, init=False)
class Workspace:
    """
    The folder in which everything lives: data, datasets, models and what they give.

    Parameters
    ----------
    root : Path or str
        Where links on the way to it lead is taken in their place, so that a link below
        it is seen as one.

    Raises
    ------
    WorkspaceError
        Its path is no text, which the libraries that read and write files need. From
        methods: a name that cannot be that of a file or folder, whoever says it.
    """

    root: Path

    def __init__(self, root: Path | str) -> None:
        # follows the links on the way; a path without any stays as it is given
        given = Path(root)
        place = Path(os.path.realpath(given))
        is_plain = place == given.absolute()
        object.__setattr__(self, "root", given if is_plain else place)
        try:
            str(self.root).encode()
        except UnicodeEncodeError as error:
            message = (
                f"{self.root}: the path is not UTF-8. Must be, for GDAL to read and "
                "write there. Rename the folder, or go into it and leave out "
                "--workspace."
            )
            raise WorkspaceError(message) from error

    def data(self, file: str) -> Path:
        """
        Return the path of one of the user's own files.

        That of a file in an archive is whole behind the kind of the archive:
        ``/vsizip//home/me/region/data/rasters.zip/slope.tif``.
        """
        for kind in ARCHIVES:
            if file.startswith(kind):
                inner = self.data(file.removeprefix(kind)).absolute()
                return ArchivedFile(kind, *inner.parts[1:])
        return self.root / "data" / file

    def profile(self, name: str) -> Path:
        """Return the path of a file of profile lines."""
        return _below(self.data("profiles"), name).with_name(f"{name}.shp")

    def dataset(self, dataset: str) -> Path:
        """Return the folder of a dataset."""
        return _below(self.root / "datasets", dataset)

    def model(self, model: str) -> Path:
        """Return the folder of a model."""
        return _below(self.root / "models", model)

    def model_to_read(self, place: str) -> Path:
        """
        Return the folder of a model that is only read.

        Parameters
        ----------
        place : str
            The model's name; or, with a separator in it, the path to its folder,
            absolute or relative to the workspace. One that leads to a model of this
            workspace is taken for its name, however it is written.
        """
        name = last_part(place)
        if name == place:
            return self.model(place)
        folder = self.root / place
        if name_problem(name):
            return folder
        own = self.model(name)
        return own if os.path.realpath(folder) == os.path.realpath(own) else folder

    def member(self, model: str, seed: int) -> Path:
        """Return the folder of one member of a model's ensemble."""
        return member_path(self.model(model), seed)

    def fold(self, model: str, fold: str) -> Path:
        """Return the folder of what is trained without a fold."""
        return _below(self.model(model) / FOLDS, fold)

    def drawings(self, model: str) -> Path:
        """Return the folder of what a model drew."""
        return _below(self.root / "drawings", model)

    def drawing(self, model: str, feature: str, output: str, statistic: str) -> Path:
        """Return the path of a map."""
        path = _below(self.drawings(model), feature, output)
        return path.with_name(f"{output}_{statistic}.tif")

    def evaluations(self, model: str, split: str) -> Path:
        """Return the folder of how good a model is on the features of a split."""
        return _below(self.root / "evaluations", model, split)

    def report(self, model: str) -> Path:
        """Return the path of the report on a model."""
        return _below(self.root / "reports", model).with_name(f"{model}.html")

    def find_read_only(self, own: Iterable[Path] = ()) -> list[str]:
        """
        Name the folders of results in which nothing can be written.

        What is not there would be made in the nearest folder that is.

        Parameters
        ----------
        own : iterable of Path
            An experiment's own folders, in those of all results.
        """
        results = ("datasets", "models", "drawings", "evaluations", "reports")
        places = [*(self.root / name for name in results), *own]
        closed = [place for place in places if not _may_write(place)]
        return [
            str(place.relative_to(self.root))
            for place in closed
            if place.parent not in closed
        ]

    def drawn_profile(self, model: str, profile: str, output: str) -> Path:
        """Return the path of what a model predicts along lines."""
        path = _below(self.drawings(model) / "profiles", profile, output).parent
        return path.with_name(f"{profile}_{output}.csv")


def _may_write(folder: Path) -> bool:
    """Tell whether a folder, or the nearest that there is on its way, takes files."""
    # of what a closed folder hides nothing is known: then that is the nearest
    known = (at for at in (folder, *folder.parents) if os.access(at, os.F_OK))
    return os.access(next(known, folder), os.W_OK | os.X_OK)


def last_part(path: str) -> str:
    r"""
    Return the last part of a path, the whole where there is no separator.

    >>> last_part("../alps/models/valais/"), last_part("valais")
    ('valais', 'valais')
    """
    return PurePath(path).name if "/" in path or os.sep in path else path


def member_path(model: Path, seed: int) -> Path:
    """Return the folder of a member of the model in the folder *model*."""
    return model / f"seed_{seed:03d}"


def tile_path(dataset: Path, feature: str, raster: str) -> Path:
    """Return the path of a tile of the dataset in the folder *dataset*."""
    return _below(dataset, feature, raster).with_name(f"{raster}.tif")


def shared_file(folder: Path, name: str, ending: str = ".lock") -> Path:
    """Return the file of a task or process in a folder of what commands share."""
    return _below(folder, name).with_name(f"{name}{ending}")


def mosaic_path(drawings: Path, output: str, statistic: str) -> Path:
    """Return the path of a mosaic of maps in the folder of a model's drawings."""
    return _below(drawings, output).with_name(f"{output}_{statistic}.vrt")


def _below(folder: Path, *names: str) -> Path:
    """Make names into a path, the one place where that is done."""
    for name in names:
        if problem := name_problem(name):
            message = (
                f"{folder}: the name {name!r} {problem}. Must be able to name a file "
                "in it. Correct it where it stands."
            )
            raise WorkspaceError(message)
    return folder.joinpath(*names)


@functools.lru_cache(maxsize=4096)
def name_problem(name: str) -> str | None:
    """
    Say why *name* cannot be the name of a file or folder, None if it can.

    >>> name_problem("A51d-10")
    >>> name_problem("../etc")
    "holds '/'"
    """
    forbidden = [char for char in name if char in '/\\:*?"<>|']
    if forbidden:
        return f"holds {forbidden[0]!r}"
    if any(unicodedata.category(char).startswith("C") for char in name):
        return "holds a control character"
    if not name.strip():
        return "is empty"
    if not name.strip(" ."):
        return "is dots alone"
    if name != name.strip() or name.endswith(".") or name.startswith("."):
        return "begins or ends with a space or a dot"
    if len(name.encode()) > _LONGEST_NAME:
        return f"is longer than {_LONGEST_NAME} bytes"
    if name.split(".", maxsplit=1)[0].rstrip().upper() in _DEVICES:
        return "is a device on Windows"
    return None


def path_problem(file: str) -> str | None:
    r"""
    Say why *file* cannot be the path of a file of the user's, None if it can.

    >>> path_problem("dem/2020/slope 5 m.tif")
    >>> path_problem("slope.tif\0")
    'holds a control character'
    """
    if any(unicodedata.category(char).startswith("C") for char in file):
        return "holds a control character"
    if not file.strip():
        return "is empty"
    if any(len(part.encode()) > _LONGEST_PART for part in file.split("/")):
        return f"has a part that is longer than {_LONGEST_PART} bytes"
    if len(file.encode()) > _LONGEST_PATH:
        return f"is longer than {_LONGEST_PATH} bytes"
    return None


def same_names(names: Iterable[str]) -> list[list[str]]:
    """
    Group the names that some file systems take for one.

    >>> same_names(["Rhone", "Gries", "RHONE"])
    [['Rhone', 'RHONE']]
    """
    groups: dict[str, list[str]] = {}
    for name in names:
        key = unicodedata.normalize("NFC", name).casefold()
        groups.setdefault(key, []).append(name)
    return [group for group in groups.values() if len(group) > 1]
