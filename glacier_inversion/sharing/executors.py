"""Tasks that processes of ours do, each by one of them, and what those are told."""

from __future__ import annotations

import math
import signal
import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, TypeVar

from glacier_inversion.errors import StoppedError
from glacier_inversion.machine.crashes import is_watched
from glacier_inversion.machine.interrupts import expect_lost
from glacier_inversion.sharing.lost_processes import (
    ProcessLostError,
    ended_as_it_began,
    go_on_without,
)
from glacier_inversion.sharing.processes import (
    Failure,
    Worker,
    dismiss,
    how_it_ended,
    start_worker,
)
from glacier_inversion.sharing.task_shares import Pace, Shares

_POLL_SECONDS = 0.2  # until it is looked again whether another process is worth it
_LONGEST_FAREWELL = 1.0  # seconds to wait for the command to end, too
LONGEST_READING = 600
"""Seconds that a process may compute on a part of a raster, which takes a few."""

Task = TypeVar("Task")
Result = TypeVar("Result")


def check_jobs(jobs: int | None) -> None:
    """
    Check a number of processes; with None the command chooses.

    Raises
    ------
    ValueError
        It is less than 1.
    """
    if jobs is not None and jobs < 1:
        message = f"Invalid jobs {jobs}. Must be 1 at least, or None."
        raise ValueError(message)


class AskedToEndError(SystemExit):
    """SIGTERM asked this process, which does tasks, to end: it does, without a word."""


class _Opening:
    """What a process says before it opens what its tasks need."""


class _Ready:
    """What a process says once it has begun, and once it has opened that."""


_parent: Connection | None = None  # who gives tasks to this process, if it does any
_n_side_by_side = 0  # those that do tasks, this one among them
_was_asked_to_end = False  # which libraries may have swallowed


def n_side_by_side() -> int:
    """Return the processes of a command that divide its cores, of which this is one."""
    return max(1, _n_side_by_side)


def is_one_of_several() -> bool:
    """Tell whether this process does tasks for another one, by `each`."""
    return _parent is not None


def is_dismissed() -> bool:
    """
    Tell whether nobody waits any more for what this process does for another one.

    A signal to the whole command may reach this process first, so it waits a moment for
    the other one to take leave.
    """
    return _parent is not None and _parent.poll(_LONGEST_FAREWELL)


@contextmanager
def opening() -> Iterator[None]:
    """
    Count a block, which opens what tasks need, as a part of the start of this process.

    Else the first task would seem to take as long, and more processes to be worth
    their start, of which each opens the same.
    """
    if _parent is not None:
        _parent.send(_Opening())
    yield
    if _parent is not None:
        _parent.send(_Ready())


@contextmanager
def ending_if_stuck() -> Iterator[None]:
    """
    End this process, if another one waits for it, where a block never ends.

    What counts is the time that it computes, `LONGEST_READING` seconds at most: a slow
    disk is waited for, however long it takes. SIGXCPU ends it, in a library too; there
    is none on Windows.
    """
    if (_parent is None and not is_watched()) or sys.platform == "win32":
        yield
        return
    import resource  # noqa: PLC0415  not on Windows

    before, most = resource.getrlimit(resource.RLIMIT_CPU)
    limit = math.ceil(time.process_time()) + LONGEST_READING
    known = [number for number in (limit, before) if number != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_CPU, (min(known), most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_CPU, (before, most))


def each(
    work: Callable[..., Result],
    given: tuple[Any, ...],
    tasks: Sequence[Task],
    n_processes: int,
) -> Generator[tuple[Task, Result | ProcessLostError], None, None]:
    """
    Yield each task with what *work* makes of *given* and it, as it is done.

    A task whose process ends, by a crash of a library for one, is yielded with how it
    ended. Another process takes its place if it is worth that, or if none is left.
    Where one cannot begin, or ends as it begins, perhaps for want of memory, its task
    is done by the others, if there are any. The processes have ended when this has, or
    is closed.

    One process begins, with the first task. Others follow when what is left takes so
    long, by the tasks done so far, that each is worth its start, of which `opening` is
    a part. Tasks that follow one another are mostly done by one process. With each task
    it is told how many processes there may be, see `n_side_by_side`.

    Parameters
    ----------
    work : callable
        A function of a module, which the processes import.
    given : tuple
        Its first arguments, the same for all tasks.
    n_processes : int
        The most.

    Raises
    ------
    ProcessLostError
        A process could not begin, or ended as it began, and there is no other. What
        *work* raises is raised, too.
    """
    processes = _Processes(work, given, tasks, n_processes)
    try:
        yield from processes.do()
    finally:
        processes.dismiss()


class _Processes(Generic[Task, Result]):
    """Processes that do tasks, and what each of them has in hand."""

    def __init__(
        self,
        work: Callable[..., Result],
        given: tuple[Any, ...],
        tasks: Sequence[Task],
        n_most: int,
    ) -> None:
        self._work = work
        self._given = given
        self._left = Shares(tasks)
        self._n_most = n_most
        self._pace = Pace()
        self._workers: dict[Connection, Worker] = {}
        self._ready: set[Connection] = set()
        self._in_hand: dict[Connection, Task] = {}

    def do(self) -> Iterator[tuple[Task, Result | ProcessLostError]]:
        """Yield each task with its result, or how its process ended."""
        while self._in_hand or self._left:
            while self._left and self._is_another_worthwhile():
                self._start()
            may_start = self._left and len(self._workers) < self._n_most
            heard = wait(list(self._in_hand), _POLL_SECONDS if may_start else None)
            for connection in [c for c in self._in_hand if c in heard]:
                done = self._hear(connection)
                if done is not None:
                    yield done

    def dismiss(self) -> None:
        """End all processes, whatever they do."""
        dismiss(list(self._workers.values()))

    def _is_another_worthwhile(self) -> bool:
        n = min(self._n_most, self._pace.n_worthwhile(len(self._left)))
        return len(self._workers) < n

    def _start(self) -> None:
        begun = time.perf_counter()
        try:
            worker = start_worker(_serve, self._work, self._given)
        except ProcessLostError as lost:
            self._go_on_with_fewer(lost)
            return
        self._workers[worker.connection] = worker
        self._pace.note_start(worker.connection, begun)
        self._hand_on(worker.connection)

    def _hand_on(self, connection: Connection) -> None:
        """Give a process its next task, if there is one."""
        if not self._left:
            return
        self._in_hand[connection] = task = self._left.take(connection)
        # not more than there are tasks, nor those that were missed
        n_at_once = min(self._n_most, len(self._in_hand) + len(self._left))
        with suppress(OSError):  # it has gone, which is heard soon
            connection.send((n_at_once, task))

    def _hear(
        self, connection: Connection
    ) -> tuple[Task, Result | ProcessLostError] | None:
        """Receive what a process says, or that it has ended; return a task if done."""
        try:
            answer = connection.recv()
        except (EOFError, OSError):
            return self._miss(connection)
        if isinstance(answer, _Opening):
            self._ready.discard(connection)
            self._pace.note_start(connection, time.perf_counter())
            return None
        if isinstance(answer, _Ready):
            self._ready.add(connection)
            self._pace.note_ready(connection)
            return None
        if isinstance(answer, Failure):
            raise answer.error
        task = self._in_hand.pop(connection)
        self._pace.note_done()
        self._hand_on(connection)
        return task, answer

    def _miss(self, connection: Connection) -> tuple[Task, ProcessLostError] | None:
        """Take leave of a process that has ended; return its task if that began."""
        task = self._in_hand.pop(connection)
        self._pace.note_lost(connection)
        how = how_it_ended(self._workers[connection])
        dismiss([self._workers.pop(connection)])
        if connection in self._ready:
            return task, ProcessLostError(how)
        self._left.give_back(connection, task)
        self._go_on_with_fewer(ended_as_it_began(how))
        for idle in [c for c in self._workers if c not in self._in_hand]:
            self._hand_on(idle)
        return None

    def _go_on_with_fewer(self, lost: ProcessLostError) -> None:
        self._n_most = len(self._workers)
        go_on_without(lost, self._n_most)


def _serve(
    connection: Connection, work: Callable[..., object], given: tuple[Any, ...]
) -> None:
    """Do tasks until there are no more; SIGTERM puts away what is half done."""
    global _parent  # noqa: PLW0603  of the whole process
    _parent = connection
    signal.signal(signal.SIGTERM, _ask_to_end)
    expect_lost(AskedToEndError)  # it is raised again after the task
    try:
        _serve_until_the_end(connection, work, given)
    finally:
        # it ends: libraries that put away what is theirs shall not be broken off. (With
        # SIG_IGN Python would complain of a signal that it has just noted.)
        signal.signal(signal.SIGTERM, lambda *_: None)


def _ask_to_end(*_: object) -> None:
    global _was_asked_to_end  # noqa: PLW0603  of the whole process
    _was_asked_to_end = True
    raise AskedToEndError(1)


def _serve_until_the_end(
    connection: Connection, work: Callable[..., object], given: tuple[Any, ...]
) -> None:
    global _n_side_by_side  # of the whole process
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        connection.send(_Ready())
        while True:
            _n_side_by_side, task = connection.recv()
            answer: object
            try:
                answer = work(*given, task)
            except StoppedError as error:  # by a signal, which a training heeds itself
                raise AskedToEndError(1) from error
            except Exception as error:  # whatever it is, it is for the other process
                answer = Failure.of(error)
            if _was_asked_to_end:
                raise AskedToEndError(1)
            connection.send(answer)
