"""Train one member of an ensemble, from its seed alone."""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from glacier_inversion.errors import MemberError
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.files import remove
from glacier_inversion.patches.samples import Samples
from glacier_inversion.patches.scale import Scale
from glacier_inversion.training.batches import Batches, make_batches
from glacier_inversion.training.checkpoint import (
    broken,
    read_checkpoint,
    write_checkpoint,
)
from glacier_inversion.training.data import TrainingData
from glacier_inversion.training.epoch_log import Tally, differ
from glacier_inversion.training.model.logs import Log, write_log
from glacier_inversion.training.model.members import (
    CHECKPOINT,
    LOG,
    WEIGHTS,
    write_weights,
)
from glacier_inversion.training.network.devices import is_of_the_gpu
from glacier_inversion.training.network.network import Network
from glacier_inversion.training.optimizers import build_optimizer
from glacier_inversion.training.plateau import Plateau

logger = logging.getLogger(__name__)

_EVALUATION_BATCH = 256
_MOST_DRAWS = 100
# Epochs for which an output may be constant: other points of the cells may revive it.
_MOST_CONSTANT = 3


def build_member(
    experiment: Experiment, seed: int, samples: Samples, starts: Mapping[str, float]
) -> Network:
    """
    Draw a network from *seed*, again and again until each of its outputs is alive.

    It starts where *starts* say.

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
            network.start_at(starts)
            network.to(samples.device)
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


class Training:
    """
    A member in training: its state, in memory and in the checkpoint.

    After each epoch a checkpoint holds all that training needs to go on, and so it does
    when training is stopped within one; a run that was stopped or killed goes on from
    it, to the same weights and log as one that was not. It is removed when the weights
    and the log are in place.

    Raises
    ------
    MemberError
        The network does not learn from the start.
    TrainingError
        The checkpoint is broken.
    """

    def __init__(
        self,
        experiment: Experiment,
        data: TrainingData,
        seed: int,
        folder: Path,
    ) -> None:
        self.experiment = experiment
        self.data = data
        self.folder = folder
        self.seed = seed
        self.identity = data.model(experiment).identity
        self.network = build_member(experiment, seed, data.train, data.starts)
        self.batches = make_batches(experiment, self.network)
        self.optimizer = build_optimizer(experiment, self.network)
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
        # of an epoch that was stopped: generator at its begin, steps taken, tally
        self.unfinished: dict[str, Any] | None = None
        self.checkpoint = folder / CHECKPOINT
        if self.checkpoint.exists():
            state = read_checkpoint(self.checkpoint)
            whose = state.get("seed", seed), state.get("model", self.identity)
            if whose != (seed, self.identity):
                raise broken(self.checkpoint, "it is another member's or model's")
            try:
                self._restore(state)
            except (KeyError, TypeError, ValueError, RuntimeError) as error:
                if isinstance(error, RuntimeError) and is_of_the_gpu(error):
                    raise
                raise broken(self.checkpoint, "of another version") from error

    @property
    def is_over(self) -> bool:
        """Whether no epoch is left to train."""
        return len(self.logs) >= self.experiment.epochs or self.plateau.over

    def begin_epoch(self) -> None:
        """Prepare the steps of an epoch, or what is left of one that was stopped."""
        self.network.train()
        self.tally, self.n_steps = Tally(self.experiment, self.data.scales.outputs), 0
        if self.unfinished is not None:
            self.generator.set_state(self.unfinished["generator"])
            self.n_steps = self.unfinished["n_steps"]
            self.tally.restore(self.unfinished["tally"], self.data.train.device)
            self.unfinished = None
        self.begin = self.generator.get_state()
        drawn = self.batches.drawn(self.data.train, self.generator)
        if self.data.extra is not None:
            drawn = self.batches.mixed(self.data.train, self.data.extra, self.generator)
        self.left = itertools.islice(drawn, self.n_steps, None)

    def stop_epoch(self) -> None:
        """Write a checkpoint from which the epoch goes on."""
        tally = self.tally.state()
        self.unfinished = {
            "generator": self.begin,
            "n_steps": self.n_steps,
            "tally": tally,
        }
        write_checkpoint(self.checkpoint, self._state())

    def end_epoch(self) -> Log:
        """
        Compare with what is known, and write log and checkpoint.

        Raises
        ------
        MemberError
            The network does not learn.
        """
        log = {"epoch": float(len(self.logs)), "learning_rate": self.plateau.rate}
        log |= self.tally.log("")
        validation = validate(
            self.experiment,
            self.network,
            self.data.validation,
            self.batches,
            self.data.scales.outputs,
        )
        log |= validation.log("val_")
        self.logs.append(log)
        write_log(self.folder / LOG, self.logs)  # first: a checkpoint's epoch is in it
        criterion = self.experiment.best_by
        value = log[criterion.column]
        self._check_values(value, log["loss"])
        alive = validation.varies() or _is_alive(self.network, self.data.train)
        self._check_constant(alive)
        if self.plateau.improves(criterion.score(value)):
            self.best = {k: v.clone() for k, v in self.network.state_dict().items()}
        for group in self.optimizer.param_groups:
            group["lr"] = self.plateau.rate
        write_checkpoint(self.checkpoint, self._state())
        return log

    def finish(self) -> None:
        """Write the best weights, and warn if they are of no use."""
        self.network.load_state_dict(self.best)
        if not _is_alive(self.network.eval(), self.data.train):
            logger.warning(
                "%s: the best weights give the same output for all training samples. "
                "Must vary, as the member counts in the ensemble. Train for more "
                "epochs, with another learning_rate, or with a last_activation such as "
                "softplus or linear",
                self.folder,
            )
        write_weights(self.folder / WEIGHTS, self.best, self.seed, self.identity)
        remove(self.checkpoint)

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
            "seed": self.seed,
            "model": self.identity,
        }

    def _restore(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.generator.set_state(state["generator"])
        self.plateau = Plateau(**state["plateau"])
        self.logs = state["logs"]
        device = self.data.train.device
        self.best = {k: v.to(device) for k, v in state["best"].items()}
        self.n_constant = state["n_constant"]
        self.unfinished = state["unfinished"]


@torch.no_grad()
def validate(
    experiment: Experiment,
    network: Network,
    samples: Samples,
    batches: Batches,
    scales: Mapping[str, Scale],
) -> Tally:
    """Predict at the nominal points of *samples*; *scales* are the outputs'."""
    network.eval()
    tally = Tally(experiment, scales)
    for batch in batches.nominal(samples, _EVALUATION_BATCH):
        tally.keep(batch.predict(network), batch.targets)
    return tally
