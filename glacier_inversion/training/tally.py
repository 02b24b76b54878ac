"""Losses and metrics of an epoch, and the criterion among them."""

from __future__ import annotations

import math
from collections.abc import Container, Mapping

import torch
from torch import Tensor

from glacier_inversion.experiment import Experiment
from glacier_inversion.patches import Scale
from glacier_inversion.training.losses import errors, finished

Log = dict[str, float]
"""One epoch: its number, learning rate, losses and metrics."""


def criterion_column(experiment: Experiment, columns: Container[str]) -> str:
    """Return the criterion's column; with one output its name may be left out."""
    if experiment.criterion in columns:
        return experiment.criterion
    prefix = "val_" if experiment.criterion.startswith("val_") else ""
    metric = experiment.criterion.removeprefix("val_")
    return f"{prefix}{experiment.outputs[0].name}_{metric}"


def criterion_of(experiment: Experiment, log: Log) -> float:
    """Return the criterion's value in an epoch."""
    return log[criterion_column(experiment, log)]


class Tally:
    """
    Sums and counts of every loss and metric over an epoch.

    Losses are in normalised units, as they are optimised; metrics in the targets' own.
    The sums are kept as tensors, so that no step waits for a number.
    """

    def __init__(self, experiment: Experiment, scales: Mapping[str, Scale]) -> None:
        self.experiment = experiment
        self.scales = scales
        self.sums: dict[tuple[str, str, str], Tensor] = {}

    def add(self, predictions: dict[str, Tensor], targets: Tensor) -> Tensor:
        """Count a batch in and return its loss, the weighted sum over the outputs."""
        total = torch.zeros(())
        for i, output in enumerate(self.experiment.outputs):
            name, std = output.name, self.scales[output.name].std
            prediction, target = predictions[name], targets[:, i]
            loss = self.experiment.losses_name[name]
            summed, count = errors(loss, prediction, target / std)
            weight = self.experiment.loss_weights.get(name, 1.0)
            total = total + weight * summed / count.clamp(min=1)
            self._count(name, "loss", loss, summed, count)
            with torch.no_grad():
                for metric in self.experiment.metrics_name.get(name, []):
                    summed, count = errors(metric, prediction[:, :1] * std, target)
                    self._count(name, metric, metric, summed, count)
        return total

    def _count(
        self, output: str, column: str, error: str, summed: Tensor, count: Tensor
    ) -> None:
        both = torch.stack([summed.detach().double(), count.double()])
        key = (output, column, error)
        self.sums[key] = self.sums[key] + both if key in self.sums else both

    def log(self, prefix: str) -> Log:
        """Return the epoch's losses and metrics."""
        log, losses = {f"{prefix}loss": math.nan}, []
        for (output, column, error), both in self.sums.items():
            summed, count = both.tolist()
            log[f"{prefix}{output}_{column}"] = finished(error, summed, count)
            if column == "loss" and count:
                weight = self.experiment.loss_weights.get(output, 1.0)
                losses.append(weight * summed / count)
        if losses:
            log[f"{prefix}loss"] = sum(losses)
        return log
