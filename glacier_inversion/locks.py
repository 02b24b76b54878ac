"""
Locks: a folder is held by one command, or by several that work together.

Locks are the system's (`flock`), which lets go of those of processes that have ended,
however they ended, on other machines too where these share a disk. On a disk that knows
none, a command that works alone holds a folder by a file that is there meanwhile, and
that stays where it is killed.
"""

from __future__ import annotations

import errno
import logging
import os
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from glacier_inversion.errors import WorkspaceError
from glacier_inversion.files import (
    make_folder,
    refuse_links,
    remove,
    remove_if_empty,
    remove_scratches,
    unwritable,
)

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.1
"""Until it is looked again whether a folder is free."""
_LONGEST_LOOK = 1.0  # seconds to wait for who only looks whether a folder is held


def is_locked(folder: Path) -> bool:
    """Tell whether a process holds *folder*, or several that work together do."""
    path = lock_of(folder)
    if sys.platform != "win32":
        return Lock(path).is_held()
    from filelock import FileLock, Timeout  # noqa: PLC0415

    if path.is_symlink() or not path.exists():
        return False
    try:
        with FileLock(path).acquire(timeout=0):
            return False
    except Timeout:
        return True
    except OSError:
        return False


def lock_of(folder: Path) -> Path:
    """Return the file by which a folder is held."""
    return folder.with_name(f".{folder.name}.lock")


def shared_work_of(folder: Path) -> Path:
    """Return the folder in a folder of what several commands note that work there."""
    return folder / ".shared"


@contextmanager
def locked(folder: Path, doing: str) -> Iterator[None]:
    """
    Hold *folder* for this process. Where disks know locks a dead one holds nothing.

    The folder is made where it is not there; it is removed if it stays empty.

    Raises
    ------
    WorkspaceError
        Another process holds the folder, it cannot be written, or it is a link.
    """
    from filelock import FileLock, Timeout  # noqa: PLC0415  only commands that write

    path = lock_of(folder)
    refuse_links(folder)
    refuse_links(path)
    is_new = not folder.exists()
    try:
        make_folder(folder)
        lock = FileLock(path)
        with warnings.catch_warnings():
            # of a disk without locks it warns in words for programmers, or raises
            warnings.simplefilter("ignore")
            lock.acquire(timeout=_LONGEST_LOOK)
        make_folder(folder)  # who held it may have left it empty, and removed it
    except Timeout as error:
        message = (
            f"{folder}: another command is {doing} it. One at a time may. "
            "Wait until it has ended, or stop it."
        )
        raise WorkspaceError(message) from error
    except WorkspaceError:
        raise
    except (OSError, NotImplementedError) as error:
        raise unwritable(folder, error) from error
    try:
        yield
    finally:
        if is_new:
            with suppress(OSError, WorkspaceError):  # it may be gone, or not ours
                remove_if_empty(folder)
        lock.release()


@contextmanager
def working_in(folder: Path, doing: str) -> Iterator[None]:
    """
    Hold *folder* as `locked` does, and write in it as `writing_alone` does.

    Who may yet refuse to write takes the two one after the other.
    """
    with locked(folder, doing), writing_alone(folder):
        yield


@contextmanager
def writing_alone(folder: Path) -> Iterator[None]:
    """
    Leave nothing half-written in a folder that this process holds alone.

    Scratch files in it and in the folders in it, before and after the block, are those
    of processes that were killed, be it a run's own, which end when it fails: they are
    removed. What commands that worked together have noted is forgotten, as this one
    does all of it.
    """
    remove_scratches(folder)
    remove(shared_work_of(folder))
    try:
        yield
    finally:
        remove_scratches(folder)


@contextmanager
def held_together(folder: Path, doing: str) -> Iterator[None]:
    """
    Hold *folder* with others that do so; wait while one holds it as `locked` does.

    Raises
    ------
    WorkspaceError
        It cannot be held.
    """
    lock = Lock(lock_of(folder))
    if not lock.try_shared():
        logger.info("%s: another command is %s it: waiting", folder, doing)
        while not lock.try_shared():
            time.sleep(POLL_SECONDS)
    try:
        yield
    finally:
        lock.release()


class Lock:
    """
    A file that a process holds alone, or shares with others that hold it likewise.

    Whoever holds it as `locked` does holds it alone. Nothing is changed of the file.

    Parameters
    ----------
    path : Path
        Made where it is not there, and the folder that it is in.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None

    def try_alone(self) -> bool:
        """
        Hold the file alone, if nobody else holds it; what was held before is let go.

        Raises
        ------
        WorkspaceError
            It is no file that can be held, or reached through a link.
        """
        return self._try(is_shared=False)

    def try_shared(self) -> bool:
        """Hold the file with others, if nobody holds it alone; else as `try_alone`."""
        return self._try(is_shared=True)

    def release(self) -> None:
        """Let go of the file, if it is held."""
        if self._file is not None:
            os.close(self._file)  # which ends the lock
            self._file = None

    def is_held(self) -> bool:
        """
        Tell whether somebody holds the file, alone or with others.

        Nothing is made to find that out, but the file is held alone for that moment:
        who wants it then must try twice. Files of other users may be looked at, too.
        False where it cannot be told.
        """
        return self._cannot_be_held(is_shared=False)

    def is_held_alone(self) -> bool:
        """Tell the same of who holds it alone; others may look at the same moment."""
        return self._cannot_be_held(is_shared=True)

    def _cannot_be_held(self, *, is_shared: bool) -> bool:
        if sys.platform == "win32":
            return False
        import fcntl  # noqa: PLC0415  not on Windows

        file = self._open_to_look()
        if file is None:
            return False
        how = fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX
        try:
            fcntl.flock(file, how | fcntl.LOCK_NB)
        except OSError as error:
            return isinstance(error, BlockingIOError)
        finally:
            os.close(file)
        return False

    def _open_to_look(self) -> int | None:
        # on NFS who holds a file alone must be able to write
        for access in (os.O_RDWR, os.O_RDONLY):
            with suppress(OSError):
                return os.open(self.path, access | os.O_NOFOLLOW)
        return None

    def read(self) -> bytes:
        """Return what the file holds."""
        return self.path.read_bytes()

    def append(self, content: bytes) -> None:
        """
        Append to the file, which this process holds alone.

        A process that is killed meanwhile leaves a part of *content*.
        """
        assert self._file is not None  # nobody else may write
        try:
            os.lseek(self._file, 0, os.SEEK_END)
            rest = memoryview(content)
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError as error:
            raise unwritable(self.path, error) from error

    def _try(self, is_shared: bool) -> bool:
        if sys.platform == "win32":
            message = (
                f"{self.path}: cannot be held by several commands at once on Windows. "
                "Must be on Linux or macOS for --shard and --scheduler. Use --jobs."
            )
            raise WorkspaceError(message)
        import fcntl  # noqa: PLC0415  not on Windows

        self.release()
        how = fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX
        try:
            refuse_links(self.path.parent)
            make_folder(self.path.parent)
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
            file = os.open(self.path, flags, 0o666)
            try:
                fcntl.flock(file, how | fcntl.LOCK_NB)
                # held is what lies there: who removes the folder may have come between
                if os.path.samestat(os.fstat(file), self.path.stat()):
                    self._file, file = file, -1
            finally:
                if file >= 0:
                    os.close(file)
        except (FileNotFoundError, BlockingIOError):  # just removed, or held
            return False
        except WorkspaceError:
            raise
        except OSError as error:
            if error.errno in (errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK):
                message = (
                    f"{self.path}: the file system knows no locks ({error.strerror}). "
                    "Must know them (flock) for several commands to work together. "
                    "Have it mounted with locks, or use --jobs on one machine."
                )
                raise WorkspaceError(message) from error
            raise unwritable(self.path, error) from error
        return self._file is not None
