"""
Train members, one after the other or several together.

On a GPU the members of a group take each step together, with stacked weights: networks
and batches of this size leave it idle otherwise. Each has its own samples, learning
rate, log and checkpoint, and ends when it would have ended alone; its numbers are those
of a member that is trained alone, within the rounding of sums.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import torch

from glacier_inversion.errors import (
    GlacierInversionError,
    MemberError,
    StoppedError,
    WorkspaceError,
)
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.files import is_full
from glacier_inversion.machine.interrupts import Flag
from glacier_inversion.training.batch import predict_stacked
from glacier_inversion.training.data import TrainingData
from glacier_inversion.training.member import Training
from glacier_inversion.training.model.logs import Log
from glacier_inversion.training.model.members import write_failure
from glacier_inversion.training.network.threads import one_thread


class Listener(Protocol):
    """Somebody who wants to know how far members are."""

    def on_begin(self, seed: int) -> None:
        """Hear that a member is begun, or gone on with."""

    def on_epoch(self, seed: int, log: Log, seconds: float) -> None:
        """Hear of an epoch; it took 0 seconds if that was in an earlier run."""

    def on_end(self, seed: int, failure: str | None) -> None:
        """Hear that a member is finished, or why it is not."""


@one_thread()
def train_stacked(
    experiment: Experiment,
    data: TrainingData,
    members: Mapping[int, Path],
    n_at_once: int,
    stop: Flag,
    listener: Listener,
) -> None:
    """
    Train members on the data's device, and keep the best epoch of each in its folder.

    A member that fails does not stop the others.

    Parameters
    ----------
    members : mapping of Path
        Their folders, by seed.
    n_at_once : int
        Members of a group.
    stop : Flag
        Training ends soon after it is set.
    listener : Listener
        Hears of each epoch, those before a checkpoint included.

    Raises
    ------
    WorkspaceError
        The disk is full, for all of them.
    StoppedError
        It was stopped; all members have checkpoints of the steps that they have taken.
    """
    waiting = list(members)
    group: dict[int, Training] = {}

    def attempt(seed: int, work: Callable[[], None]) -> None:
        """Do what may fail for a member, which then leaves the group."""
        try:
            work()
        except MemberError as error:
            group.pop(seed, None)
            listener.on_end(seed, write_failure(members[seed], error))
        except GlacierInversionError as error:
            if isinstance(error, WorkspaceError) and is_full(error):
                raise
            group.pop(seed, None)
            listener.on_end(seed, str(error))

    def begin(seed: int) -> None:
        listener.on_begin(seed)
        group[seed] = Training(experiment, data, seed, members[seed])
        for log in group[seed].logs:
            listener.on_epoch(seed, log, 0.0)
        end_if_over(seed)

    def end_epoch(seed: int, started: float) -> None:
        log = group[seed].end_epoch()
        listener.on_epoch(seed, log, time.perf_counter() - started)
        end_if_over(seed)

    def end_if_over(seed: int) -> None:
        if group[seed].is_over:
            group[seed].finish()
            del group[seed]
            listener.on_end(seed, None)

    while waiting or group:
        while waiting and len(group) < n_at_once:
            seed = waiting.pop(0)
            attempt(seed, functools.partial(begin, seed))
        started = time.perf_counter()
        if group:
            train_epoch(list(group.values()), stop)
        for seed in list(group):
            attempt(seed, functools.partial(end_epoch, seed, started))


def train_epoch(trainings: Sequence[Training], stop: Flag) -> None:
    """
    Train members for an epoch, a step of all at a time.

    Raises
    ------
    StoppedError
        It was stopped; each of them has a checkpoint of the steps it has taken.
    """
    for training in trainings:
        training.begin_epoch()
    while _take_step(trainings):
        if stop.is_set():
            for training in trainings:
                training.stop_epoch()
            message = f"{trainings[0].folder}: stopped. Run it again to go on."
            raise StoppedError(message)


def _take_step(trainings: Sequence[Training]) -> bool:
    """Take a step with each member that has a batch left; tell if there was one."""
    pairs = [(t, b) for t in trainings if (b := next(t.left, None)) is not None]
    if not pairs:
        return False
    outputs = predict_stacked([t.network for t, _ in pairs], [b for _, b in pairs])
    losses = [
        training.tally.add(predictions, batch.targets)
        for (training, batch), predictions in zip(pairs, outputs, strict=True)
    ]
    for training, _ in pairs:
        training.optimizer.zero_grad(set_to_none=True)
    # the sum's gradient in a member's weights is that of its own loss
    functools.reduce(torch.add, losses).backward()  # type: ignore[no-untyped-call]
    for training, _ in pairs:
        training.optimizer.step()
        training.n_steps += 1
    return True
