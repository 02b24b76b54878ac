"""
Train members, one after the other or several together.

On a GPU the members of a group take each step together, with stacked weights: networks
and batches of this size leave it idle otherwise. Each has its own samples, learning
rate, log and checkpoint, and ends when it would have ended alone; its numbers are those
of a member that is trained alone, within the rounding of sums.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch

from glacier_inversion.errors import GlacierInversionError, MemberError, StoppedError
from glacier_inversion.experiment import Experiment
from glacier_inversion.training.batches import predict_together
from glacier_inversion.training.member import Training, TrainingData, write_failure
from glacier_inversion.training.tally import Log
from glacier_inversion.training.threads import one_thread

OnEpoch = Callable[[int, Log, float], None]
"""Hears of an epoch: seed, log, and the seconds it took; 0 if in an earlier run."""

OnEnd = Callable[[int, "str | None"], None]
"""Hears of the end of a member: seed, and why it could not be trained or None."""


@one_thread()
def train_together(
    experiment: Experiment,
    data: TrainingData,
    members: Mapping[int, Path],
    n_at_once: int,
    stop: threading.Event,
    on_epoch: OnEpoch,
    on_end: OnEnd,
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
    stop : Event
        Training ends soon after it is set.
    on_epoch : callable
        Hears of each epoch, those before a checkpoint included.
    on_end : callable

    Raises
    ------
    StoppedError
        It was stopped; all members have checkpoints of the steps that they have taken.
    """
    waiting = list(members)
    group: dict[int, Training] = {}

    def attempt(seed: int, work: Callable[[], None]) -> None:
        """Do what may fail for a member, which then leaves the group."""
        try:
            work()
        except GlacierInversionError as error:
            if isinstance(error, MemberError):
                write_failure(members[seed], error)
            group.pop(seed, None)
            on_end(seed, str(error))

    def begin(seed: int) -> None:
        group[seed] = Training(experiment, data, seed, members[seed])
        for log in group[seed].logs:
            on_epoch(seed, log, 0.0)
        end_if_over(seed)

    def end_epoch(seed: int, started: float) -> None:
        log = group[seed].end_epoch()
        on_epoch(seed, log, time.perf_counter() - started)
        end_if_over(seed)

    def end_if_over(seed: int) -> None:
        if group[seed].is_over:
            group[seed].finish()
            del group[seed]
            on_end(seed, None)

    while waiting or group:
        while waiting and len(group) < n_at_once:
            seed = waiting.pop(0)
            attempt(seed, functools.partial(begin, seed))
        started = time.perf_counter()
        if group:
            train_epoch(list(group.values()), stop)
        for seed in list(group):
            attempt(seed, functools.partial(end_epoch, seed, started))


def train_epoch(trainings: Sequence[Training], stop: threading.Event) -> None:
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
    outputs = predict_together([t.network for t, _ in pairs], [b for _, b in pairs])
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
