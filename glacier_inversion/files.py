"""
Whole-or-not-at-all writing; the one way anything is written or removed.

Nothing is written or removed through a link, so that nothing happens outside the
workspace, whatever a link in it leads to.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from glacier_inversion.errors import WorkspaceError, first_line
from glacier_inversion.machine.disk_space import find_error_number

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def refuse_links(folder: Path) -> None:
    """
    Check that *folder* is where its path says, there or not.

    Raises
    ------
    WorkspaceError
        It, or a folder on the way to it, is a link.
    """
    place = os.path.realpath(folder)
    if place == str(folder.absolute()):
        return
    links = [part for part in (*folder.parents, folder) if part.is_symlink()]
    first = min(links, default=folder)  # each is within the one before
    message = (
        f"{first}: is a link to {os.path.realpath(first)}. Must be in the workspace "
        "itself, as nothing is written or removed through a link. Put what it leads to "
        "in its place, or remove the link."
    )
    raise WorkspaceError(message)


def scratch_of(path: Path) -> Path:
    """Return what *path* is called while it is written."""
    return path.with_name(f".{path.stem}.part{path.suffix}")


def is_scratch(path: Path) -> bool:
    """Tell whether *path* is what a run that was killed has left of another."""
    return path.name.startswith(".") and path.stem.endswith(".part")


@contextmanager
def replacing_all(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """
    Yield scratch paths; they become *paths* only if the block succeeds for all.

    Folders are made. Scratch files that a killed run left are removed first.

    Raises
    ------
    WorkspaceError
        The files cannot be written: no permission, no space, a link in their way.
    """
    scratches = [scratch_of(path) for path in paths]
    try:
        for path in paths:
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        with discarding(scratches):
            yield scratches
            for path, scratch in zip(paths, scratches, strict=True):
                scratch.replace(path)
    except WorkspaceError:
        raise
    except OSError as error:
        raise unwritable(path, error) from error


@contextmanager
def discarding(scratches: Sequence[Path]) -> Iterator[None]:
    """
    Remove files that are there for a block alone, whatever becomes of it.

    Before it, too: what a killed run left, and links. Folders are made.
    """
    ours: list[Path] = []
    try:
        for folder in dict.fromkeys(scratch.parent for scratch in scratches):
            refuse_links(folder)
            folder.mkdir(parents=True, exist_ok=True)
        for scratch in scratches:
            scratch.unlink(missing_ok=True)
            ours.append(scratch)
        yield
    finally:
        for scratch in ours:
            with suppress(OSError):
                scratch.unlink()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a scratch path; as `replacing_all`, for one file."""
    with replacing_all([path]) as (scratch,):
        yield scratch


@contextmanager
def making_folder(path: Path) -> Iterator[Path]:
    """Yield a scratch folder; it becomes *path* only if the block succeeds."""
    scratch = scratch_of(path)
    refuse_links(path.parent)
    remove(scratch)
    try:
        scratch.mkdir(parents=True)
        yield scratch
        scratch.rename(path)
    except WorkspaceError:
        raise
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        remove(scratch)


def unwritable(path: Path, error: Exception | str, n_bytes: int = 0) -> WorkspaceError:
    """
    Return the error for a file that cannot be written.

    Its `errno` is that of *error*. Libraries that write by themselves say little of why
    they failed, and name scratch files: there one looks whether there is space for
    *n_bytes*, which were to be written.
    """
    number = error.errno if isinstance(error, OSError) else None
    number = number or find_error_number(path, n_bytes)
    cause = error.__cause__ if isinstance(error, Exception) else None
    reason = os.strerror(number) if number else first_line(Exception(cause or error))
    message = (
        f"{path}: cannot be written ({reason}). Must be on a disk with space, in a "
        "folder that you may write. Free space, or choose another workspace."
    )
    if number == errno.EFBIG:
        message = (
            f"{path}: cannot be written ({reason}). Must be allowed to become as "
            "large. Lift the limit with 'ulimit -f unlimited', or use another file "
            "system."
        )
    elif number == errno.ENOENT:
        message = (
            f"{path}: cannot be written ({reason}). Must be in a folder that is there "
            "and stays. Run it again if it was removed meanwhile, or choose another "
            "workspace."
        )
    failure = WorkspaceError(message)
    failure.errno = number
    return failure


def is_full(error: WorkspaceError) -> bool:
    """Tell whether nothing more can be written, whatever the file."""
    return error.errno in FULL


def write_bytes(path: Path, content: bytes | memoryview) -> None:
    """Write *content* to *path*, whole or not at all."""
    write_all({path: content})


def write_all(contents: Mapping[Path, bytes | memoryview]) -> None:
    """Write the contents of several files, as `write_bytes` does, all or none."""
    with replacing_all([*contents]) as scratches:
        for scratch, content in zip(scratches, contents.values(), strict=True):
            scratch.write_bytes(content)


def append_bytes(path: Path, content: bytes) -> None:
    """
    Append *content* to the file *path*, all of it or nothing.

    For files that others follow while they grow.
    """
    refuse_links(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # without a buffer, which would be written on closing when there is space again
        with path.open("ab", buffering=0) as file:
            size, rest = file.tell(), memoryview(content)
            try:
                while rest:
                    rest = rest[file.write(rest) :]
            except OSError:
                os.truncate(path, size)
                raise
    except OSError as error:
        raise unwritable(path, error) from error


def move(path: Path, to: Path) -> None:
    """
    Move a file to where none is; the folder is made.

    Raises
    ------
    WorkspaceError
        It is reached through a link, or may not be moved.
    """
    refuse_links(path)
    refuse_links(to)
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        path.rename(to)
    except OSError as error:
        raise unwritable(to, error) from error


def remove(*paths: Path) -> None:
    """
    Remove files, and folders with all that is in them, as far as they are there.

    What cannot be removed is looked for first: then nothing is.

    Raises
    ------
    WorkspaceError
        One is a link, is reached through one, or may not be changed.
    """
    there = []
    for path in paths:
        try:
            if _is_there(path):
                _check_removable(path)
                there.append(path)
        except WorkspaceError:
            raise
        except OSError as error:
            raise _unremovable(path, error) from error
    for path in there:
        try:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise _unremovable(path, error) from error


def _is_there(path: Path) -> bool:
    """Tell whether there is a file, a folder or a link; OSError if that is unknown."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _check_removable(path: Path) -> None:
    """Raise OSError where *path*, which is there, cannot be removed."""
    refuse_links(path if path.is_symlink() else path.parent)
    changed = [path.parent]
    if path.is_dir():
        walk = os.walk(path, onerror=_raise)
        changed += [Path(inner) for inner, folders, names in walk if folders or names]
    for folder in changed:
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))


def _raise(error: OSError) -> None:
    raise error


def _unremovable(path: Path, error: OSError) -> WorkspaceError:
    # what is in a folder is named without the folder by some that remove it
    name = Path(error.filename or path)
    name = name if name.is_absolute() else path
    message = (
        f"{name}: cannot be removed, nor what is in it "
        f"({error.strerror}). Must be yours to change. Change its permissions, or "
        "choose another workspace."
    )
    return WorkspaceError(message)


def make_folder(path: Path) -> None:
    """Make a folder, and those that it is in, where they are not there yet."""
    path.mkdir(parents=True, exist_ok=True)


def remove_if_empty(folder: Path) -> None:
    """Remove a folder if there is nothing in it."""
    if not any(folder.iterdir()):
        remove(folder)


def remove_scratches(folder: Path) -> None:
    """
    Remove scratch files in a folder and in the folders in it, as far as they can be.

    Deeper folders are others' work. Only who holds the folder alone may do this.
    """
    with suppress(OSError):  # who writes there says what is wrong
        inner = [path for path in folder.iterdir() if not path.is_symlink()]
        for place in (folder, *(path for path in inner if path.is_dir())):
            for path in place.iterdir():
                if is_scratch(path) and not path.is_dir():
                    path.unlink(missing_ok=True)
