"""Train one member of an ensemble, from its seed alone."""

from __future__ import annotations

import csv
import io
import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from glacier_inversion.errors import GlacierInversionError, MemberError, StoppedError
from glacier_inversion.experiment import Experiment
from glacier_inversion.patches import Samples, Scale
from glacier_inversion.training.batches import Batches, make_batches
from glacier_inversion.training.checkpoint import (
    broken,
    read_checkpoint,
    write_checkpoint,
)
from glacier_inversion.training.losses import score
from glacier_inversion.training.network import Network
from glacier_inversion.training.tally import Log, Tally, criterion_of, differ
from glacier_inversion.training.threads import one_thread
from glacier_inversion.workspace import write_bytes

logger = logging.getLogger(__name__)

WEIGHTS, LOG, CHECKPOINT = "best.safetensors", "log.csv", "checkpoint.pt"
FAILURE = "failure.txt"
"""Why a member is no part of its ensemble, and is not trained again."""

OnEpoch = Callable[[Log, float], None]
"""Hears of an epoch: its log, and the seconds it took; 0 if in an earlier run."""

_OPTIMIZERS: dict[str, type[torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "nadam": torch.optim.NAdam,
    "rmsprop": torch.optim.RMSprop,
    "sgd": torch.optim.SGD,
}
# One call for all weights, where there is one for the processor, too.
_FUSED = ("adam", "adamw", "sgd")
_EVALUATION_BATCH = 256
_MOST_DRAWS = 100
# Epochs for which an output may be constant: other points of the cells may revive it.
_MOST_CONSTANT = 3


@dataclass(frozen=True)
class TrainingData:
    """What every member of an ensemble is trained on."""

    train: Samples
    validation: Samples
    scales: Mapping[str, Scale]


@dataclass
class Plateau:
    """
    Follow the criterion: what is best, when to slow down, when to stop.

    After `patience` epochs without improvement the learning rate is multiplied by
    `factor`, never below `minimum`, and the patience starts anew.
    """

    rate: float
    factor: float
    minimum: float
    patience: int
    early_stopping: int | None
    best: float = math.inf
    waited: int = 0
    since_best: int = 0

    def improves(self, value: float) -> bool:
        """Take in an epoch's score, the less the better; tell if it is the best."""
        if value < self.best:
            self.best = value
            self.waited = self.since_best = 0
            return True
        self.waited += 1
        self.since_best += 1
        if self.waited >= self.patience:
            self.rate = max(self.rate * self.factor, min(self.minimum, self.rate))
            self.waited = 0
        return False

    @property
    def over(self) -> bool:
        """Whether training should end."""
        return (
            self.early_stopping is not None and self.since_best >= self.early_stopping
        )


def build_member(experiment: Experiment, seed: int, samples: Samples) -> Network:
    """
    Draw a network from *seed*, again and again until each of its outputs is alive.

    An output is dead that is the same for all training samples: a ReLU that nothing
    reaches, which no gradient revives. The global generator is left alone.

    Raises
    ------
    MemberError
        Every one of 100 networks was dead.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for draw in range(_MOST_DRAWS):
            network = Network(experiment)
            if _is_alive(network, samples):
                if draw:
                    logger.info("seed %d: %d networks were dead from birth", seed, draw)
                return network
    message = (
        f"seed {seed}: {_MOST_DRAWS} networks were dead from birth, their outputs "
        "constant over the training samples. Must vary. Use a last_activation such as "
        "softplus or linear, and look at the inputs' valid pixels."
    )
    raise MemberError(message)


@torch.no_grad()
def _is_alive(network: Network, samples: Samples) -> bool:
    lows: dict[str, float] = {}
    highs: dict[str, float] = {}
    for _, batch, _ in samples.batches(samples.nominal(), _EVALUATION_BATCH):
        for name, values in network(batch).items():
            lows[name] = min(lows.get(name, math.inf), float(values[:, 0].min()))
            highs[name] = max(highs.get(name, -math.inf), float(values[:, 0].max()))
        if all(differ(lows[name], highs[name]) for name in lows):
            return True
    return len(samples) < 2  # one sample tells nothing


@one_thread()
def train_member(
    experiment: Experiment,
    data: TrainingData,
    seed: int,
    folder: Path,
    on_epoch: OnEpoch,
    stop: threading.Event | None = None,
) -> None:
    """
    Train the member of *seed* and keep its best epoch in *folder*.

    After each epoch a checkpoint holds all that training needs to go on, and so it does
    when training is stopped within one; a run that was stopped or killed goes on from
    it, to the same weights and log as one that was not. It is removed when the weights
    and the log are in place.

    Parameters
    ----------
    on_epoch : callable
        Hears of each epoch, those before a checkpoint included.
    stop : Event, optional
        Training ends soon after it is set.

    Raises
    ------
    MemberError
        The loss or the criterion became NaN or infinite, or an output stayed
        constant. The folder then says so, and holds no checkpoint.
    TrainingError
        The checkpoint is broken.
    StoppedError
        It was stopped.
    WorkspaceError
        A file cannot be written.
    """
    try:
        training = _Training(experiment, data, seed, folder, stop or threading.Event())
        training.run(on_epoch)
    except MemberError as error:
        write_bytes(folder / FAILURE, f"{error}\n".encode())
        (folder / CHECKPOINT).unlink(missing_ok=True)
        raise


def attempt_member(
    experiment: Experiment,
    data: TrainingData,
    seed: int,
    folder: Path,
    on_epoch: OnEpoch,
    stop: threading.Event,
) -> str | None:
    """
    Train a member; return what is wrong if that cannot be done.

    Raises
    ------
    StoppedError
        It was stopped.
    """
    try:
        train_member(experiment, data, seed, folder, on_epoch, stop)
    except StoppedError:
        raise
    except GlacierInversionError as error:
        return str(error)
    return None


class _Training:
    """A member in training: its state, in memory and in the checkpoint."""

    def __init__(
        self,
        experiment: Experiment,
        data: TrainingData,
        seed: int,
        folder: Path,
        stop: threading.Event,
    ) -> None:
        self.experiment = experiment
        self.data = data
        self.folder = folder
        self.stop = stop
        self.network = build_member(experiment, seed, data.train)
        self.batches = make_batches(experiment, self.network)
        self.optimizer = _build_optimizer(experiment, self.network)
        self.plateau = Plateau(
            experiment.learning_rate,
            experiment.learning_rate_factor,
            experiment.min_learning_rate,
            experiment.patience,
            experiment.early_stopping,
        )
        # a stream of its own: how many networks are drawn does not change the samples
        self.generator = torch.Generator().manual_seed(seed)
        self.logs: list[Log] = []
        self.best: dict[str, Tensor] = {}
        self.n_constant = 0
        # of an epoch that was stopped: generator at its begin, batches done, tally
        self.unfinished: dict[str, Any] | None = None
        self.checkpoint = folder / CHECKPOINT
        if self.checkpoint.exists():
            state = read_checkpoint(self.checkpoint)
            try:
                self._restore(state)
            except (KeyError, TypeError, ValueError, RuntimeError) as error:
                raise broken(self.checkpoint, "of another version") from error

    def run(self, on_epoch: OnEpoch) -> None:
        """Train until it is over, and write the best weights."""
        for log in self.logs:
            on_epoch(log, 0.0)
        while len(self.logs) < self.experiment.epochs and not self.plateau.over:
            begin = time.perf_counter()
            log = self._train_epoch()
            on_epoch(log, time.perf_counter() - begin)
        contiguous = {k: v.contiguous() for k, v in self.best.items()}
        write_bytes(self.folder / WEIGHTS, safetensors.torch.save(contiguous))
        self.checkpoint.unlink(missing_ok=True)

    def _train_epoch(self) -> Log:
        """Train for an epoch, compare, and write log and checkpoint."""
        log = {"epoch": float(len(self.logs)), "learning_rate": self.plateau.rate}
        log |= self._take_steps().log("")
        validation = evaluate(
            self.experiment,
            self.network,
            self.data.validation,
            self.batches,
            self.data.scales,
        )
        log |= validation.log("val_")
        self.logs.append(log)
        value = criterion_of(self.experiment, log)
        self._check_values(value, log["loss"])
        alive = validation.varies() or _is_alive(self.network, self.data.train)
        self._check_constant(alive)
        if self.plateau.improves(score(self.experiment.criterion, value)):
            self.best = {k: v.clone() for k, v in self.network.state_dict().items()}
        for group in self.optimizer.param_groups:
            group["lr"] = self.plateau.rate
        _write_log(self.folder / LOG, self.logs)  # first: a checkpoint's epoch is in it
        write_checkpoint(self.checkpoint, self._state())
        return log

    def _take_steps(self) -> Tally:
        """Take a step for each batch of an epoch, or for those that are left of it."""
        self.network.train()
        tally, n_done = Tally(self.experiment, self.data.scales), 0
        if self.unfinished is not None:
            self.generator.set_state(self.unfinished["generator"])
            n_done = self.unfinished["n_batches"]
            tally.restore(self.unfinished["tally"])
            self.unfinished = None
        begin = self.generator.get_state()
        batches = self.batches.drawn(self.data.train, self.generator)
        for number, batch in enumerate(batches, 1):
            if number <= n_done:
                continue
            loss = tally.add(batch.predict(self.network), batch.targets)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()
            if self.stop.is_set():
                self.unfinished = {
                    "generator": begin,
                    "n_batches": number,
                    "tally": tally.state(),
                }
                write_checkpoint(self.checkpoint, self._state())
                message = f"{self.folder}: stopped. Run it again to go on."
                raise StoppedError(message)
        return tally

    def _check_values(self, value: float, loss: float) -> None:
        if not (math.isfinite(value) and math.isfinite(loss)):
            message = (
                f"{self.folder}: epoch {len(self.logs) - 1}: "
                f"{self.experiment.criterion} is {value:g}, loss {loss:g}. Must be "
                "finite. Lower learning_rate, or look for extreme values in the "
                "rasters."
            )
            raise MemberError(message)

    def _check_constant(self, alive: bool) -> None:
        self.n_constant = 0 if alive else self.n_constant + 1
        if self.n_constant == _MOST_CONSTANT:
            message = (
                f"{self.folder}: epoch {len(self.logs) - 1}: an output has been the "
                f"same for all training samples for {self.n_constant} epochs. Must "
                "vary. Lower learning_rate, or use a last_activation such as softplus "
                "or linear."
            )
            raise MemberError(message)

    def _state(self) -> dict[str, Any]:
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "plateau": vars(self.plateau),
            "logs": self.logs,
            "best": self.best,
            "n_constant": self.n_constant,
            "unfinished": self.unfinished,
        }

    def _restore(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.generator.set_state(state["generator"])
        self.plateau = Plateau(**state["plateau"])
        self.logs, self.best = state["logs"], state["best"]
        self.n_constant = state["n_constant"]
        self.unfinished = state["unfinished"]


def _build_optimizer(experiment: Experiment, network: Network) -> torch.optim.Optimizer:
    kernels = network.kernels()
    known = {id(kernel) for kernel in kernels}
    others = [p for p in network.parameters() if id(p) not in known]
    # d/dw of the penalty w² is 2 w, and optimizers add weight_decay * w
    decay = 2 * experiment.weight_decay
    groups = [
        {"params": kernels, "weight_decay": decay},
        {"params": others, "weight_decay": 0.0},
    ]
    name = experiment.optimizer_name
    options: dict[str, Any] = {"fused": True} if name in _FUSED else {}
    groups = [group for group in groups if group["params"]]
    return _OPTIMIZERS[name](groups, lr=experiment.learning_rate, **options)  # type: ignore[call-arg]


@torch.no_grad()
def evaluate(
    experiment: Experiment,
    network: Network,
    samples: Samples,
    batches: Batches,
    scales: Mapping[str, Scale],
) -> Tally:
    """Predict at the nominal points of *samples*."""
    network.eval()
    tally = Tally(experiment, scales)
    for batch in batches.nominal(samples, _EVALUATION_BATCH):
        tally.keep(batch.predict(network), batch.targets)
    return tally


def _write_log(path: Path, logs: list[Log]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(logs[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({**log, "epoch": int(log["epoch"])} for log in logs)
    write_bytes(path, text.getvalue().encode())


def is_finished(folder: Path) -> bool:
    """Tell whether a member's training has ended."""
    return (folder / WEIGHTS).exists() and not (folder / CHECKPOINT).exists()


def has_failed(folder: Path) -> bool:
    """Tell whether a member's network does not learn."""
    return (folder / FAILURE).exists()
