"""Attempts at the tasks of a job, by a process that may be anywhere."""

from __future__ import annotations

import logging
import os
import queue
import socket
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from logging.handlers import QueueHandler
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

from glacier_inversion import __version__
from glacier_inversion.errors import PackageError, StoppedError, WorkspaceError
from glacier_inversion.locks import POLL_SECONDS, Lock, lock_of, shared_work_of
from glacier_inversion.machine.cores import available_cores, whose_cores
from glacier_inversion.sharing.executors import (
    AskedToEndError,
    is_dismissed,
    is_one_of_several,
    n_side_by_side,
    opening,
)
from glacier_inversion.sharing.ledger import Ledger
from glacier_inversion.sharing.lost_processes import (
    MOST_TRIES,
    ProcessLostError,
    tell_lost,
)
from glacier_inversion.state_files import read_state, write_state
from glacier_inversion.workspace import shared_file

PACKAGE = logging.getLogger("glacier_inversion")

_FORMAT = 1  # of job.json

Task = tuple[str, Any]
"""The name of a task, which can be that of a file, and what is to be done."""
Result = dict[str, Any]
"""What JSON can hold of a result; "failure" in it says why there is none."""
Work = Callable[[Any, Any], Result]
"""Does a task: takes what is given for all of them, and what is to be done."""

Opened = TypeVar("Opened")


class _Here:
    """What this process knows of others, has opened for its tasks, and is at."""

    n_on_machine = 1  # processes that work at the same thing, this one among them
    n_on_same_cores = 1
    opened: ClassVar[dict[str, Any]] = {}
    ledger: Ledger | None = None
    is_opening = False


def once(key: str, make: Callable[[], Opened]) -> Opened:
    """
    Return what this process has made for its tasks, made by the first of them.

    What is logged meanwhile the command has logged already. Where this is one of the
    processes of a command, its end meanwhile is no try of the task.
    """
    if key not in _Here.opened:
        _Here.opened.clear()
        with opening(), _not_trying(), keeping_logs(logging.INFO):
            _Here.opened[key] = make()
    opened: Opened = _Here.opened[key]
    return opened


@contextmanager
def _not_trying() -> Iterator[None]:
    """
    Count a process that dies in a block as no try of the task in hand.

    The command misses the process, and so comes to an end. A scheduler does not: it
    gives the task to its workers, one after the other, until it was tried often enough.
    """
    ledger = _Here.ledger if is_one_of_several() else None
    if ledger is None:
        yield
        return
    ledger.take_back()
    _Here.is_opening = True
    try:
        yield
        _Here.is_opening = False  # else the process ends
    finally:
        ledger.note_begin()


def share_of_cores() -> int:
    """
    Return the cores for this process, where others work beside it.

    Processes that may use the same cores divide these: those of a command, and of
    commands in one task of SLURM. All that work at the same thing on a machine divide
    the machine.
    """
    own = available_cores() // max(n_side_by_side(), _Here.n_on_same_cores)
    fair = (os.cpu_count() or 1) // _Here.n_on_machine
    return max(1, min(own, fair))


@dataclass(frozen=True)
class Place:
    """
    Where a job is, and which: what a process must know to take part.

    Attributes
    ----------
    folder : Path
        What is worked at.
    token : str
        Tells this job from others in the same folder.
    level : int
        Of the log records that are wanted.
    version : str
        Of the package, which all that take part must have.
    """

    folder: Path
    token: str
    level: int
    version: str = __version__

    def ledger(self, task: str) -> Ledger:
        """Return what tells of a task."""
        return Ledger(shared_file(shared_work_of(self.folder) / "tasks", task))

    def check(self) -> None:
        """
        Check that this process sees the job, and does what the command would do.

        Raises
        ------
        WorkspaceError
            It does not see the folder, or another job in it, or one that has ended.
        PackageError
            It is of another version.
        """
        if __version__ != self.version:
            message = (
                f"{socket.gethostname()}: has glacier_inversion {__version__}. Must "
                f"have {self.version}, as the command. Install it there."
            )
            raise PackageError(message)
        path = job_path(self.folder)
        job = read_job(self.folder)
        if job is None or job["token"] != self.token or job["finished"]:
            message = (
                f"{socket.gethostname()}: does not see this job at {path}. Must see "
                "the same workspace by the same path, on a disk that all machines "
                "share. Mount it there, or use machines that have it; where another "
                "command has worked in the folder since, run it again."
            )
            raise WorkspaceError(message)

    @contextmanager
    def present(self) -> Iterator[None]:
        """Hold the folder with the others, and count the processes of this machine."""
        ours, here = Lock(lock_of(self.folder)), socket.gethostname()
        folder = shared_work_of(self.folder) / "processes"
        same_cores = f"{here}.{whose_cores()}."
        own = Lock(shared_file(folder, f"{same_cores}{os.getpid()}"))
        try:
            for lock in (ours, own):
                while not lock.try_shared():
                    time.sleep(POLL_SECONDS)
            self.check()  # again: another job may have begun meanwhile
            others = [p for p in folder.glob(f"{here}.*") if p != own.path]
            held = [p.name for p in others if Lock(p).is_held()]
            on_same_cores = [name for name in held if name.startswith(same_cores)]
            _Here.n_on_machine = 1 + len(held)
            _Here.n_on_same_cores = 1 + len(on_same_cores)
            yield
        finally:
            own.release()
            ours.release()


def attempt(
    place: Place, work: Work, given: Any, task: Task
) -> list[logging.LogRecord]:
    """
    Do a task, unless it is done or somebody is at it; return what was logged meanwhile.

    Raises
    ------
    WorkspaceError
        This process does not see the job.
    """
    name, what = task
    place.check()  # before anything is made there: it may be another disk
    with place.present():
        ledger = place.ledger(name)
        with ledger.held() as is_ours:
            entry = ledger.read()
            if not is_ours or entry.result is not None:
                return []
            if entry.n_tried >= MOST_TRIES:
                ledger.note_result({"failure": tell_lost(entry.n_tried)})
                return []
            ledger.note_begin()
            with (
                keeping_logs(place.level) as records,
                _at(ledger),
                ExitStack() as unless_done,
            ):
                unless_done.callback(ledger.take_back)
                try:
                    result = work(given, what)
                except (StoppedError, AskedToEndError):
                    is_sought = is_one_of_several() and not _Here.is_opening
                    if is_sought and not is_dismissed():
                        # only this process was asked to end: it counts, as one that
                        # is asked again and again would be tried for ever
                        unless_done.pop_all()
                    raise
                unless_done.pop_all()
            ledger.note_result(result)
    return records


@contextmanager
def _at(ledger: Ledger) -> Iterator[None]:
    _Here.ledger = ledger
    try:
        yield
    finally:
        _Here.ledger = None


@contextmanager
def keeping_logs(level: int) -> Iterator[list[logging.LogRecord]]:
    """Keep what the package logs meanwhile, instead of writing it."""
    records: list[logging.LogRecord] = []
    kept: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    before = PACKAGE.handlers, PACKAGE.propagate, PACKAGE.level
    PACKAGE.handlers, PACKAGE.propagate = [QueueHandler(kept)], False
    PACKAGE.setLevel(level)
    try:
        yield records
    finally:
        PACKAGE.handlers, PACKAGE.propagate = before[:2]
        PACKAGE.setLevel(before[2])
        while not kept.empty():
            records.append(kept.get())


def pass_on(records: Sequence[logging.LogRecord]) -> None:
    """Log here what was logged elsewhere."""
    for record in records:
        logging.getLogger(record.name).handle(record)


class Hands(Protocol):
    """Who does the tasks."""

    @property
    def name(self) -> str:
        """What this command is called in a job."""

    @property
    def array(self) -> str:
        """How the names end of all that a user starts together with it."""

    @property
    def waits(self) -> bool:
        """Whether it waits for tasks that others are at, to finish the job."""

    def each(
        self, place: Place, work: Work, given: Any, tasks: Sequence[Task]
    ) -> Generator[tuple[Task, list[logging.LogRecord] | ProcessLostError], None, None]:
        """Yield each task once it was attempted, or how its process ended."""


def job_path(folder: Path) -> Path:
    """Return the file that tells of the job of a folder."""
    return shared_work_of(folder) / "job.json"


def write_job(folder: Path, job: dict[str, Any]) -> None:
    """Write what job.json says."""
    write_state(job_path(folder), job, _FORMAT)


def read_job(folder: Path) -> dict[str, Any] | None:
    """Return what job.json says; None where it is missing, damaged or of others."""
    try:
        job = read_state(job_path(folder), _FORMAT)
    except (OSError, ValueError):
        return None
    return job if job.keys() >= {"key", "token", "finished"} else None


def names_at_work(folder: Path, names: Sequence[str]) -> set[str] | None:
    """Return the tasks that somebody is at; None where no job of a folder is open."""
    job = read_job(folder)
    if job is None or job["finished"]:
        return None
    place = Place(folder, job["token"], logging.INFO)
    return {name for name in names if place.ledger(name).is_held()}
