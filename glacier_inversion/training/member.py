"""Train one member of an ensemble, from its seed alone."""

from __future__ import annotations

import csv
import io
import logging
import math
import pickle
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from glacier_inversion.errors import TrainingError, first_line
from glacier_inversion.experiment import Experiment
from glacier_inversion.patches import Samples, Scale
from glacier_inversion.training.batches import Batches, make_batches
from glacier_inversion.training.losses import score
from glacier_inversion.training.network import Network
from glacier_inversion.training.tally import Log, Tally, criterion_of
from glacier_inversion.training.threads import one_thread
from glacier_inversion.workspace import replacing

logger = logging.getLogger(__name__)

WEIGHTS, LOG, CHECKPOINT = "best.safetensors", "log.csv", "checkpoint.pt"

_OPTIMIZERS: dict[str, type[torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "nadam": torch.optim.NAdam,
    "rmsprop": torch.optim.RMSprop,
    "sgd": torch.optim.SGD,
}
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
    TrainingError
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
    raise TrainingError(message)


@torch.no_grad()
def _is_alive(network: Network, samples: Samples) -> bool:
    lows: dict[str, float] = {}
    highs: dict[str, float] = {}
    for _, batch, _ in samples.batches(samples.nominal(), _EVALUATION_BATCH):
        for name, values in network(batch).items():
            lows[name] = min(lows.get(name, math.inf), float(values[:, 0].min()))
            highs[name] = max(highs.get(name, -math.inf), float(values[:, 0].max()))
        if all(_differ(lows[name], highs[name]) for name in lows):
            return True
    return len(samples) < 2  # one sample tells nothing


def _differ(low: float, high: float) -> bool:
    return high - low > 1e-6 * max(abs(low), abs(high))


@one_thread()
def train_member(
    experiment: Experiment,
    data: TrainingData,
    seed: int,
    folder: Path,
    on_epoch: Callable[[Log], None],
) -> None:
    """
    Train the member of *seed* and keep its best epoch in *folder*.

    After each epoch a checkpoint holds all that training needs to go on; a run that was
    killed goes on from it, to the same weights and log as one that was not. It is
    removed when the weights and the log are in place.

    Parameters
    ----------
    on_epoch : callable
        Hears of each epoch, those before a checkpoint included.

    Raises
    ------
    TrainingError
        The loss or the criterion became NaN or infinite, or an output stayed
        constant.
    """
    network = build_member(experiment, seed, data.train)
    batches = make_batches(experiment, network)
    optimizer = _build_optimizer(experiment, network)
    plateau = Plateau(
        experiment.learning_rate,
        experiment.learning_rate_factor,
        experiment.min_learning_rate,
        experiment.patience,
        experiment.early_stopping,
    )
    # a stream of its own: the number of networks drawn does not change the samples
    generator = torch.Generator().manual_seed(seed)
    logs: list[Log] = []
    best: dict[str, Tensor] = {}
    n_constant = 0
    checkpoint = folder / CHECKPOINT
    if checkpoint.exists():
        with _as_training_error(checkpoint):
            state = torch.load(checkpoint, weights_only=True)
            network.load_state_dict(state["network"])
            optimizer.load_state_dict(state["optimizer"])
            generator.set_state(state["generator"])
            plateau = Plateau(**state["plateau"])
            logs, best = state["logs"], state["best"]
            n_constant = state["n_constant"]
    for log in logs:
        on_epoch(log)
    while len(logs) < experiment.epochs and not plateau.over:
        log = {"epoch": float(len(logs)), "learning_rate": plateau.rate}
        log |= _train_epoch(experiment, network, optimizer, data, batches, generator)
        log |= evaluate(
            experiment, network, data.validation, batches, data.scales, "val_"
        )
        logs.append(log)
        value = criterion_of(experiment, log)
        if not (math.isfinite(value) and math.isfinite(log["loss"])):
            message = (
                f"{folder}: epoch {len(logs) - 1}: {experiment.criterion} is "
                f"{value:g}, loss {log['loss']:g}. Must be finite. Lower "
                "learning_rate, or look for extreme values in the rasters."
            )
            raise TrainingError(message)
        n_constant = 0 if _is_alive(network, data.train) else n_constant + 1
        if n_constant == _MOST_CONSTANT:
            message = (
                f"{folder}: epoch {len(logs) - 1}: an output has been the same for all "
                f"training samples for {n_constant} epochs. Must vary. Lower "
                "learning_rate, or use a last_activation such as softplus or linear."
            )
            raise TrainingError(message)
        if plateau.improves(score(experiment.criterion, value)):
            best = {k: v.clone() for k, v in network.state_dict().items()}
        for group in optimizer.param_groups:
            group["lr"] = plateau.rate
        _write_log(folder / LOG, logs)  # first: a checkpoint's epoch is in the log
        _write_checkpoint(
            checkpoint,
            {
                "network": network.state_dict(),
                "optimizer": optimizer.state_dict(),
                "generator": generator.get_state(),
                "plateau": vars(plateau),
                "logs": logs,
                "best": best,
                "n_constant": n_constant,
            },
        )
        on_epoch(log)
    with replacing(folder / WEIGHTS) as scratch:
        contiguous = {k: v.contiguous() for k, v in best.items()}
        safetensors.torch.save_file(contiguous, scratch)
    checkpoint.unlink(missing_ok=True)


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
    kind = _OPTIMIZERS[experiment.optimizer_name]
    return kind([g for g in groups if g["params"]], lr=experiment.learning_rate)  # type: ignore[call-arg]


def _train_epoch(
    experiment: Experiment,
    network: Network,
    optimizer: torch.optim.Optimizer,
    data: TrainingData,
    batches: Batches,
    generator: torch.Generator,
) -> Log:
    network.train()
    tally = Tally(experiment, data.scales)
    for batch in batches.drawn(data.train, generator):
        loss = tally.add(batch.predict(network), batch.targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return tally.log("")


@torch.no_grad()
def evaluate(
    experiment: Experiment,
    network: Network,
    samples: Samples,
    batches: Batches,
    scales: Mapping[str, Scale],
    prefix: str,
) -> Log:
    """Return the losses and metrics over the nominal points of *samples*."""
    network.eval()
    tally = Tally(experiment, scales)
    for batch in batches.nominal(samples, _EVALUATION_BATCH):
        tally.add(batch.predict(network), batch.targets)
    return tally.log(prefix)


_BROKEN = (
    OSError,
    EOFError,
    RuntimeError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    pickle.UnpicklingError,
    struct.error,
)


@contextmanager
def _as_training_error(checkpoint: Path) -> Iterator[None]:
    """Turn all that a broken checkpoint can raise into one message."""
    try:
        yield
    except _BROKEN as error:
        message = (
            f"{checkpoint}: cannot be read ({first_line(error)}). Must be as 'ginv "
            "train' wrote it. Remove it: the member then starts anew."
        )
        raise TrainingError(message) from error


def _write_checkpoint(path: Path, state: dict[str, Any]) -> None:
    with replacing(path) as scratch:
        torch.save(state, scratch)


def _write_log(path: Path, logs: list[Log]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(logs[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({**log, "epoch": int(log["epoch"])} for log in logs)
    with replacing(path) as scratch:
        scratch.write_text(text.getvalue(), encoding="utf-8")


def is_finished(folder: Path) -> bool:
    """Tell whether a member's training has ended."""
    return (folder / WEIGHTS).exists() and not (folder / CHECKPOINT).exists()
