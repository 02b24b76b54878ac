"""
Processes of ours: how they start, what they say of a failure, and that they end.

They are spawned, as neither GDAL nor torch survives a fork, deaf to Ctrl-C and SIGHUP,
which are their parent's to hear, and end with their parent, however it ends.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any

from glacier_inversion.errors import GlacierInversionError, first_line
from glacier_inversion.machine.interrupts import SIGNALS, postponing
from glacier_inversion.sharing.lost_processes import ProcessLostError

_LONGEST_END = 5.0  # seconds in which a process must have ended


@dataclass(eq=False)
class Worker:
    """A process of ours, and the connection to it."""

    process: SpawnProcess
    connection: Connection


def start_worker(work: Callable[..., object], *arguments: Any) -> Worker:
    """
    Start a process that calls *work* with its end of a connection and *arguments*.

    SIGTERM ends it at once, unless it handles the signal otherwise.

    Raises
    ------
    ProcessLostError
        The system lets none begin.
    """
    context = multiprocessing.get_context("spawn")
    try:
        ours, theirs = context.Pipe()
        process = context.Process(target=_begin, args=(theirs,), daemon=True)
        with ExitStack() as unless_begun:  # one that is not told its work would wait
            unless_begun.callback(ours.close)
            unless_begun.callback(theirs.close)
            # a process whose start is interrupted would complain
            with postponing(), _masked():
                process.start()
            unless_begun.pop_all()
    except OSError as error:
        message = f"a process could not begin ({error.strerror or error})"
        raise ProcessLostError(message) from error
    theirs.close()  # so that ours ends when the process does
    # not as arguments of the process: it shall watch its parent before it imports what
    # they are made of; if it has gone, that is heard of as the end of the connection
    with suppress(OSError):
        ours.send((work, arguments))
    return Worker(process, ours)


def dismiss(workers: Sequence[Worker]) -> None:
    """End processes, whatever they do."""
    for worker in workers:
        worker.connection.close()
        worker.process.terminate()
    for worker in workers:
        worker.process.join(_LONGEST_END)
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()


def how_it_ended(worker: Worker) -> str:
    """Say how a process ended that should not have."""
    worker.process.join(_LONGEST_END)
    code = worker.process.exitcode
    if code is None:
        return "it says nothing any more"
    return f"signal {-code}" if code < 0 else f"exit code {code}"


@contextmanager
def _masked() -> Iterator[None]:
    """Let processes that are started here hear no signals, until they say so."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    # which else is started with the first process, and ends the mask
    resource_tracker.ensure_running()
    # they inherit the mask; this process hears afterwards of what came meanwhile
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin(connection: Connection) -> None:
    """Begin a process: it ends with the one that asked, and hears SIGTERM alone."""
    try:
        threading.Thread(target=_end_with_parent, daemon=True).start()
    except RuntimeError:  # there are as many as there may be: it would be printed
        os._exit(1)
    for number in SIGNALS:
        # SIGTERM is not ignored for a moment either: one that came before would be lost
        to_end = number == signal.SIGTERM
        signal.signal(number, (lambda *_: os._exit(1)) if to_end else signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    try:
        work, arguments = connection.recv()
    except (EOFError, OSError):
        return  # the other one is no more
    work(connection, *arguments)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@dataclass(frozen=True)
class Failure:
    """What a process could not do: the error, as another process can raise it."""

    error: Exception

    @classmethod
    def of(cls, error: Exception) -> Failure:
        """Keep what a user can mend; of anything else the traceback must be told."""
        if isinstance(error, GlacierInversionError | OSError | MemoryError):
            return cls(error)
        what = f"{type(error).__name__}: {first_line(error)}"
        return cls(RuntimeError(f"{what}\n{traceback.format_exc()}"))
