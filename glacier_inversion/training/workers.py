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
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from logging.handlers import QueueHandler
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, cast

import torch

from glacier_inversion.errors import GlacierInversionError
from glacier_inversion.experiment import Experiment
from glacier_inversion.lattices import Layout
from glacier_inversion.patches import PatchSource, Samples, Scale
from glacier_inversion.training.member import TrainingData, train_member
from glacier_inversion.training.tally import Log
from glacier_inversion.workspace import replacing

_PACKAGE = logging.getLogger("glacier_inversion")
# What a process takes until it trains: imports, for the most part.
_START_SECONDS = 4.0

_SHARED: list[Any] = [TrainingData, Samples, PatchSource, Layout, Scale]


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


def train_side_by_side(
    experiment: Experiment,
    data: TrainingData,
    members: Mapping[int, Path],
    n_processes: int,
    scratch: Path,
    on_epoch: Callable[[int, Log], None],
    on_end: Callable[[int, str | None], None],
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
    on_epoch : callable
        Hears of each epoch: seed and log.
    on_end : callable
        Hears of each member: seed, and why it could not be trained or None.
    """
    context = multiprocessing.get_context("spawn")
    left = list(members)
    training: dict[Connection, int | None] = {}
    with ExitStack() as stack:
        stack.callback(scratch.unlink, missing_ok=True)
        with replacing(scratch) as part:
            torch.save(data, part)
        for _ in range(n_processes):
            ours, theirs = context.Pipe()
            arguments = experiment, scratch, _PACKAGE.getEffectiveLevel(), theirs
            process = context.Process(target=_work, args=arguments, daemon=True)
            process.start()
            stack.callback(process.join)
            stack.callback(process.terminate)
            theirs.close()  # so that ours ends when the process does
            _hand_on(ours, training, left, members)
        while training:
            for connection in cast(list[Connection], wait(list(training))):
                _hear(connection, training, left, members, on_epoch, on_end)
    for seed in left:
        on_end(seed, _lost(seed))


def _hand_on(
    connection: Connection,
    training: dict[Connection, int | None],
    left: list[int],
    members: Mapping[int, Path],
) -> None:
    """Give a process the next member, or nothing, upon which it ends."""
    seed = left.pop(0) if left else None
    training[connection] = seed
    # if it has gone, that is heard of as the end of the connection
    with suppress(OSError):
        connection.send(None if seed is None else (seed, members[seed]))


def _hear(
    connection: Connection,
    training: dict[Connection, int | None],
    left: list[int],
    members: Mapping[int, Path],
    on_epoch: Callable[[int, Log], None],
    on_end: Callable[[int, str | None], None],
) -> None:
    """Pass on what a process says, or that it is no more."""
    seed = training[connection]
    try:
        event = connection.recv()
    except (EOFError, OSError):
        del training[connection]
        if seed is not None:
            on_end(seed, _lost(seed))
        return
    if isinstance(event, logging.LogRecord):
        logging.getLogger(event.name).handle(event)
    elif isinstance(event, _End) and seed is not None:
        on_end(seed, event.failure)
        _hand_on(connection, training, left, members)
    elif seed is not None:
        on_epoch(seed, event)


def _lost(seed: int) -> str:
    return (
        f"seed {seed}: its process ended without a word. Must have enough memory, and "
        "not be killed. Run it again, with fewer --jobs: it goes on where it was."
    )


class _Sender(QueueHandler):
    """Sends what is logged to the process that asked."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(queue.SimpleQueue())
        self._connection = connection

    def enqueue(self, record: logging.LogRecord) -> None:
        """Send a record."""
        self._connection.send(record)


def _work(
    experiment: Experiment, shared: Path, level: int, connection: Connection
) -> None:
    """Train members until there are no more; end with the process that asked."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the other one hears it, too
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _PACKAGE.setLevel(level)
    _PACKAGE.propagate = False
    _PACKAGE.addHandler(_Sender(connection))
    with torch.serialization.safe_globals(_SHARED):
        data = torch.load(shared, mmap=True, weights_only=True)
    while (task := connection.recv()) is not None:
        seed, folder = task
        failure = None
        try:
            train_member(experiment, data, seed, folder, connection.send)
        except GlacierInversionError as error:
            failure = str(error)
        connection.send(_End(failure))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
