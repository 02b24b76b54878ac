"""
Members that are trained side by side, each by a process of its own.

A process trains one member after the other on one thread, so that the weights do not
depend on how many there are. The samples lie in a scratch file that all of them map to
memory: there is one copy, whatever their number.
"""

from __future__ import annotations

import logging
import math
import multiprocessing
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from logging.handlers import QueueHandler
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import torch

from glacier_inversion.errors import StoppedError, WorkspaceError, first_line
from glacier_inversion.experiment import Experiment
from glacier_inversion.files import remove, replacing
from glacier_inversion.lattices import Layout
from glacier_inversion.patches import KnownPoints, PatchSource, Samples, Scale, Scales
from glacier_inversion.training.member import TrainingData
from glacier_inversion.training.stopping import deaf_to_interrupts
from glacier_inversion.training.tally import Log
from glacier_inversion.training.together import Listener, train_together

_PACKAGE = logging.getLogger("glacier_inversion")
# What a process takes until it trains: imports, for the most part.
_START_SECONDS = 4.0
_PATIENCE = 0.2  # seconds after which it is seen that training should stop
_LONGEST_END = 5.0  # seconds in which a process must have ended

_SHARED: list[Any] = [
    TrainingData,
    Samples,
    KnownPoints,
    PatchSource,
    Layout,
    Scale,
    Scales,
]


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def best_number(n_members: int, n_cores: int, seconds_each: float) -> int:
    """
    Return the number of processes that train members soonest, 1 for this one alone.

    >>> best_number(30, 8, 600.0), best_number(5, 4, 600.0), best_number(5, 4, 0.1)
    (8, 3, 1)
    """

    def seconds(n: int) -> float:
        return (n > 1) * _START_SECONDS + math.ceil(n_members / n) * seconds_each

    return min(range(1, max(1, min(n_members, n_cores)) + 1), key=seconds)


@dataclass(frozen=True)
class _End:
    """A member has ended, well or not."""

    failure: str | None


@dataclass(frozen=True)
class _DiskFull:
    """No member can go on: the message."""

    text: str


@dataclass(frozen=True)
class _Crash:
    """Something went wrong that should not: the traceback."""

    text: str


def train_side_by_side(
    experiment: Experiment,
    data: TrainingData,
    members: Mapping[int, Path],
    n_processes: int,
    scratch: Path,
    stop: threading.Event,
    listener: Listener,
) -> None:
    """
    Train members in several processes.

    They end with this one, however it ends; what they have not finished goes on from
    its last checkpoint when it is trained again.

    Parameters
    ----------
    members : mapping of Path
        Their folders, by seed.
    scratch : Path
        Where the samples are written, for as long as this takes.
    stop : Event
        The processes are asked to stop soon after it is set.
    listener : Listener

    Raises
    ------
    StoppedError
        It was stopped.
    WorkspaceError
        The samples cannot be written, or the disk is full.
    """
    crew = _Crew(experiment, members, scratch, stop, listener)
    with ExitStack() as stack:
        stack.callback(remove, scratch)
        with replacing(scratch) as part:
            _save(data, part)
        stack.callback(crew.dismiss)
        crew.train(n_processes)


def _save(data: TrainingData, path: Path) -> None:
    try:
        torch.save(data, path)
    except RuntimeError as error:  # torch's word for a full disk, among others
        raise OSError(first_line(error)) from error


@dataclass
class _Worker:
    """A process that trains members, and the seed of that in hand."""

    process: SpawnProcess
    connection: Connection
    seed: int | None


class _Crew:
    """The processes, and what is left for them to do."""

    def __init__(
        self,
        experiment: Experiment,
        members: Mapping[int, Path],
        scratch: Path,
        stop: threading.Event,
        listener: Listener,
    ) -> None:
        self.experiment = experiment
        self.members = members
        self.scratch = scratch
        self.stop = stop
        self.listener = listener
        self.left = list(members)
        self.workers: list[_Worker] = []

    def train(self, n_processes: int) -> None:
        """Train what is left; where a process dies, another takes its place."""
        for _ in range(n_processes):
            self._hire()
        told = False
        while self.workers:
            if self.stop.is_set() and not told:
                told = True
                self.left.clear()
                for worker in self.workers:
                    worker.process.terminate()  # which it hears between two steps
            heard = wait([worker.connection for worker in self.workers], _PATIENCE)
            for worker in [w for w in self.workers if w.connection in heard]:
                self._hear(worker)
        if told:
            message = "stopped. Run it again to go on."
            raise StoppedError(message)

    def dismiss(self) -> None:
        """End what is still running, whatever it does."""
        for worker in self.workers:
            worker.connection.close()
            worker.process.terminate()
        for worker in self.workers:
            worker.process.join(_LONGEST_END)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()

    def _hire(self) -> None:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        arguments = self.experiment, self.scratch, _PACKAGE.getEffectiveLevel(), theirs
        process = context.Process(target=_work, args=arguments, daemon=True)
        with deaf_to_interrupts():
            process.start()
        theirs.close()  # so that ours ends when the process does
        worker = _Worker(process, ours, None)
        self.workers.append(worker)
        self._hand_on(worker)

    def _hand_on(self, worker: _Worker) -> None:
        """Give a process the next member, or nothing, upon which it ends."""
        worker.seed = seed = self.left.pop(0) if self.left else None
        if seed is not None:
            self.listener.on_begin(seed)
        # if it has gone, that is heard of as the end of the connection
        with suppress(OSError):
            worker.connection.send(None if seed is None else (seed, self.members[seed]))

    def _hear(self, worker: _Worker) -> None:
        """Pass on what a process says, or that it is no more."""
        try:
            event = worker.connection.recv()
        except (EOFError, OSError):
            self._bury(worker)
            return
        if isinstance(event, logging.LogRecord):
            logging.getLogger(event.name).handle(event)
        elif isinstance(event, _DiskFull):
            raise WorkspaceError(event.text)
        elif isinstance(event, _Crash):
            raise RuntimeError(event.text)
        elif isinstance(event, _End) and worker.seed is not None:
            self.listener.on_end(worker.seed, event.failure)
            self._hand_on(worker)
        elif worker.seed is not None:
            self.listener.on_epoch(worker.seed, *event)

    def _bury(self, worker: _Worker) -> None:
        """Strike out a process that has ended; if it died, put another in its place."""
        self.workers.remove(worker)
        worker.process.join(_LONGEST_END)
        if worker.seed is not None and not self.stop.is_set():
            self.listener.on_end(
                worker.seed, _lost(worker.seed, worker.process.exitcode)
            )
            if self.left:
                self._hire()


def _lost(seed: int, exit_code: int | None) -> str:
    code = exit_code or 0
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    return (
        f"seed {seed}: its process ended without a word ({how}). Must have enough "
        "memory, and not be killed. Run it again, with fewer --jobs: it goes on where "
        "it was."
    )


class _Sender(QueueHandler):
    """Sends what is logged to the process that asked."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(queue.SimpleQueue())
        self._connection = connection

    def enqueue(self, record: logging.LogRecord) -> None:
        """Send a record."""
        self._connection.send(record)


class _Line:
    """Passes on how far a member is to the process that asked."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def on_begin(self, seed: int) -> None:
        """Say nothing: the other process knows."""

    def on_epoch(self, seed: int, log: Log, seconds: float) -> None:  # noqa: ARG002
        """Send an epoch."""
        self._connection.send((log, seconds))

    def on_end(self, seed: int, failure: str | None) -> None:  # noqa: ARG002
        """Send the end."""
        self._connection.send(_End(failure))


def _work(
    experiment: Experiment, shared: Path, level: int, connection: Connection
) -> None:
    """Train members until there are no more; end with the process that asked."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _PACKAGE.setLevel(level)
    _PACKAGE.propagate = False
    _PACKAGE.addHandler(_Sender(connection))

    try:
        with torch.serialization.safe_globals(_SHARED):
            data = torch.load(shared, mmap=True, weights_only=True)
        while (task := connection.recv()) is not None:
            seed, folder = task
            member = {seed: folder}
            train_together(experiment, data, member, 1, stop, _Line(connection))
    except (StoppedError, EOFError, BrokenPipeError):
        return  # the other one knows, or is no more
    except WorkspaceError as error:
        connection.send(_DiskFull(str(error)))
    except Exception:
        connection.send(_Crash(traceback.format_exc()))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
