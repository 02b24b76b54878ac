"""Where things live on disk, names that are safe there, and files that are whole."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glacier_inversion.errors import WorkspaceError

SPLITS = ("train", "validation", "test")
_PATIENCE = 1.0  # seconds to wait for who only looks whether a folder is held


@dataclass(frozen=True)
class Workspace:
    """The folder in which everything lives: data, datasets, models and drawings."""

    root: Path

    def data(self, file: str) -> Path:
        """Return the path of one of the user's own files."""
        return self.root / "data" / file

    def profile(self, name: str) -> Path:
        """Return the path of a file of profile lines."""
        return self.data("profiles") / f"{name}.shp"

    def dataset(self, dataset: str) -> Path:
        """Return the folder of a dataset."""
        return self.root / "datasets" / dataset

    def model(self, model: str) -> Path:
        """Return the folder of a model."""
        return self.root / "models" / model

    def member(self, model: str, seed: int) -> Path:
        """Return the folder of one member of a model's ensemble."""
        return self.model(model) / f"seed_{seed:03d}"

    def drawings(self, model: str) -> Path:
        """Return the folder of what a model drew."""
        return self.root / "drawings" / model


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
    if not name.strip(" ."):
        return "is empty"
    if name != name.strip() or name.endswith(".") or name.startswith("."):
        return "begins or ends with a space or a dot"
    if len(name.encode()) > 200:
        return "is longer than 200 bytes"
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


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """
    Yield a scratch path; it becomes *path* only if the block succeeds.

    Folders are made. A scratch file that a killed run left is overwritten.

    Raises
    ------
    WorkspaceError
        The file cannot be written: no permission, no space.
    """
    scratch = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield scratch
        scratch.replace(path)
    except OSError as error:
        if isinstance(error, WorkspaceError):
            raise
        failure = WorkspaceError(_unwritable(path, error))
        failure.errno = error.errno
        raise failure from error
    finally:
        if scratch.parent.is_dir():
            scratch.unlink(missing_ok=True)


def _unwritable(path: Path, error: OSError) -> str:
    reason = error.strerror or str(error)
    return (
        f"{path}: cannot be written ({reason}). Must be on a disk with space, in a "
        "folder that you may write. Free space, or choose another --workspace."
    )


def write_bytes(path: Path, content: bytes) -> None:
    """Write *content* to *path*, whole or not at all."""
    with replacing(path) as scratch:
        scratch.write_bytes(content)


def write_json(path: Path, content: Any) -> None:
    """Write *content* to *path*, whole or not at all."""
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    write_bytes(path, text.encode())


def is_locked(folder: Path) -> bool:
    """Tell whether a process holds *folder*."""
    from filelock import FileLock, Timeout  # noqa: PLC0415

    path = _lock_of(folder)
    if not path.exists():
        return False
    try:
        with FileLock(path).acquire(timeout=0):
            return False
    except Timeout:
        return True
    except OSError:  # nobody can hold what cannot be written
        return False


def _lock_of(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.lock")


@contextmanager
def locked(folder: Path, doing: str) -> Iterator[None]:
    """
    Hold *folder* for this process; a dead process holds nothing.

    Raises
    ------
    WorkspaceError
        Another process holds the folder, or it cannot be written.
    """
    from filelock import FileLock, Timeout  # noqa: PLC0415  only commands that write

    path = _lock_of(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path)
        lock.acquire(timeout=_PATIENCE)
    except Timeout as error:
        message = (
            f"{folder}: another command is {doing} it. One at a time may. "
            "Wait until it has ended, or stop it."
        )
        raise WorkspaceError(message) from error
    except OSError as error:
        raise WorkspaceError(_unwritable(folder, error)) from error
    try:
        yield
    finally:
        lock.release()
