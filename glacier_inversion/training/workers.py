"""
Members that are trained side by side, each by a process of its own.

A process trains one member after the other on one thread, so that the weights do not
depend on how many there are. All of them map the samples on disk to memory: there is
one copy, whatever their number.
"""

from __future__ import annotations

import logging
import math
import queue
import signal
from collections import Counter
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from logging.handlers import QueueHandler
from multiprocessing.connection import Connection, wait
from pathlib import Path

from glacier_inversion.errors import StoppedError
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.machine.interrupts import Flag
from glacier_inversion.sharing.lost_processes import (
    MOST_TRIES,
    ProcessLostError,
    ended_as_it_began,
    go_on_without,
    needing_processes,
    warn_of_lost,
)
from glacier_inversion.sharing.processes import (
    Failure,
    Worker,
    dismiss,
    how_it_ended,
    start_worker,
)
from glacier_inversion.training.model.logs import Log
from glacier_inversion.training.samples_on_disk import map_samples
from glacier_inversion.training.stacked import Listener, train_stacked

_PACKAGE = logging.getLogger("glacier_inversion")
# What a process takes until it trains: imports, for the most part.
_START_SECONDS = 4.0
_POLL_SECONDS = 0.2  # after which it is seen that training should stop


def best_number(n_members: int, n_cores: int, seconds_each: float) -> int:
    """
    Return the number of processes that train members soonest, 1 for this one alone.

    >>> best_number(30, 8, 600.0), best_number(5, 4, 600.0), best_number(5, 4, 0.1)
    (8, 3, 1)
    """

    def seconds(n: int) -> float:
        return (n > 1) * _START_SECONDS + math.ceil(n_members / n) * seconds_each

    return min(range(1, max(1, min(n_members, n_cores)) + 1), key=seconds)


class _Ready:
    """A process has begun, and opened the samples."""


@dataclass(frozen=True)
class _End:
    """A member has ended, well or not."""

    failure: str | None


def train_side_by_side(
    experiment: Experiment,
    folder: Path,
    members: Mapping[int, Path],
    n_processes: int,
    stop: Flag,
    listener: Listener,
) -> None:
    """
    Train members in several processes.

    They end with this one, however it ends; what they have not finished goes on from
    its last checkpoint when it is trained again. So does, at once, a member whose
    process dies; if the next one dies, too, it has failed.

    Parameters
    ----------
    folder : Path
        The model's, which holds the samples.
    members : mapping of Path
        Their folders, by seed.
    stop : Flag
        The processes are asked to stop soon after it is set.
    listener : Listener

    Raises
    ------
    StoppedError
        It was stopped.
    WorkspaceError
        The disk is full.
    GlacierInversionError
        No process is left that could begin.
    """
    crew = _Crew(experiment, members, folder, stop, listener)
    with needing_processes(folder), closing(crew):
        crew.train(n_processes)


@dataclass
class _Trainer:
    """A process that trains members, once it is ready, and the seed of that in hand."""

    worker: Worker
    is_ready: bool = False
    seed: int | None = None


class _Crew:
    """The processes, and what is left for them to do."""

    def __init__(
        self,
        experiment: Experiment,
        members: Mapping[int, Path],
        folder: Path,
        stop: Flag,
        listener: Listener,
    ) -> None:
        self.experiment = experiment
        self.members = members
        self.folder = folder
        self.stop = stop
        self.listener = listener
        self.left = list(members)
        self.n_lost: Counter[int] = Counter()  # processes, by the seed in hand
        self.trainers: list[_Trainer] = []

    def train(self, n_processes: int) -> None:
        """Train what is left; where a process dies, another takes its place."""
        while len(self.trainers) < n_processes and self._hire():
            pass
        told = False
        while self.trainers:
            if self.stop.is_set() and not told:
                told = True
                self.left.clear()
                for trainer in self.trainers:
                    trainer.worker.process.terminate()  # heard between two steps
            heard = wait([t.worker.connection for t in self.trainers], _POLL_SECONDS)
            for trainer in [t for t in self.trainers if t.worker.connection in heard]:
                self._hear(trainer)
        if self.stop.is_set():
            message = "stopped. Run it again to go on."
            raise StoppedError(message)

    def close(self) -> None:
        """End what is still running, whatever it does."""
        dismiss([trainer.worker for trainer in self.trainers])

    def _hire(self) -> bool:
        """Start a process, and tell whether it could begin; others go on without it."""
        level = _PACKAGE.getEffectiveLevel()
        try:
            worker = start_worker(_work, self.experiment, self.folder, level)
        except ProcessLostError as lost:
            go_on_without(lost, len(self.trainers))
            return False
        self.trainers.append(_Trainer(worker))
        return True

    def _hand_on(self, trainer: _Trainer) -> None:
        """Give a process the next member, or nothing, upon which it ends."""
        trainer.seed = seed = self.left.pop(0) if self.left else None
        if seed is not None:
            self.listener.on_begin(seed)
        task = None if seed is None else (seed, self.members[seed])
        # if it has gone, that is heard of as the end of the connection
        with suppress(OSError):
            trainer.worker.connection.send(task)

    def _hear(self, trainer: _Trainer) -> None:
        """Pass on what a process says, or that it is no more."""
        try:
            event = trainer.worker.connection.recv()
        except (EOFError, OSError):
            self._bury(trainer)
            return
        if isinstance(event, logging.LogRecord):
            logging.getLogger(event.name).handle(event)
        elif isinstance(event, Failure):
            raise event.error
        elif isinstance(event, _Ready):
            trainer.is_ready = True
            self._hand_on(trainer)
        elif isinstance(event, _End) and trainer.seed is not None:
            self.listener.on_end(trainer.seed, event.failure)
            self._hand_on(trainer)
        elif trainer.seed is not None:
            self.listener.on_epoch(trainer.seed, *event)

    def _bury(self, trainer: _Trainer) -> None:
        """
        Strike out a process that has ended; if it died, put another in its place.

        Which goes on with its member, once. Where it died as it began another would,
        too: those that are left do all.
        """
        self.trainers.remove(trainer)
        how = how_it_ended(trainer.worker)
        dismiss([trainer.worker])
        if self.stop.is_set():
            return
        if (seed := trainer.seed) is not None:
            self.n_lost[seed] += 1
            if self.n_lost[seed] < MOST_TRIES:
                warn_of_lost(f"seed {seed}", ProcessLostError(how))
                self.left.insert(0, seed)
            else:
                self.listener.on_end(seed, _lost(seed, how))
        if not self.left:
            return
        if not trainer.is_ready:
            go_on_without(ended_as_it_began(how), len(self.trainers))
        elif len(self.left) > sum(not t.is_ready for t in self.trainers):
            self._hire()


def _lost(seed: int, how: str) -> str:
    return (
        f"seed {seed}: its process ended without a word ({how}), as did the one "
        "before. Must have enough memory, and not be killed. Run it again, with fewer "
        "--jobs: it goes on where it was."
    )


class _Sender(QueueHandler):
    """Sends what is logged to the process that asked."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(queue.SimpleQueue())
        self._connection = connection

    def enqueue(self, record: logging.LogRecord) -> None:
        """Send a record, if the other one is still there."""
        with suppress(OSError):
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
    connection: Connection, experiment: Experiment, folder: Path, level: int
) -> None:
    """Train members until there are no more."""
    stop = Flag()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    _PACKAGE.setLevel(level)
    _PACKAGE.propagate = False
    _PACKAGE.addHandler(_Sender(connection))

    try:
        data = map_samples(folder)
        connection.send(_Ready())
        while (task := connection.recv()) is not None:
            seed, member = task
            line = _Line(connection)
            train_stacked(experiment, data, {seed: member}, 1, stop, line)
    except (StoppedError, EOFError, BrokenPipeError, ConnectionResetError):
        return  # the other one knows, or is no more
    except Exception as error:  # whatever it is, it is for the other process
        with suppress(OSError):  # which may be no more
            connection.send(Failure.of(error))
