"""Losses and metrics of an epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.patches.scale import Scale
from glacier_inversion.training.model.logs import Log
from glacier_inversion.training.model.normalization import (
    in_own_unit,
    normalise_target,
)
from glacier_inversion.training.network.losses import (
    mean_of_sum,
    sum_errors,
    sum_losses,
)


class Tally:
    """
    Predictions and targets of an epoch, and every loss and metric of them.

    Losses are in normalised units, as they are optimised; metrics in the targets' own.
    Nothing is computed before the end of the epoch but what is optimised.
    """

    def __init__(self, experiment: Experiment, scales: Mapping[str, Scale]) -> None:
        self._experiment = experiment
        self._scales = scales
        self._predictions: dict[str, list[Tensor]] = {}
        self._targets: list[Tensor] = []

    def add(self, predictions: dict[str, Tensor], targets: Tensor) -> Tensor:
        """Count a batch in and return its loss, the weighted sum over the outputs."""
        self.keep(predictions, targets)
        total = torch.zeros((), device=targets.device)
        for i, output in enumerate(self._experiment.outputs):
            name = output.name
            loss = self._experiment.losses_name[name]
            target = normalise_target(targets[:, i], output, self._scales[name])
            summed, count = sum_losses(loss, predictions[name], target)
            weight = self._experiment.loss_weights.get(name, 1.0)
            total = total + weight * summed / count.clamp(min=1)
        return total

    def keep(self, predictions: dict[str, Tensor], targets: Tensor) -> None:
        """Count a batch in."""
        for name, prediction in predictions.items():
            self._predictions.setdefault(name, []).append(prediction.detach())
        self._targets.append(targets)

    def state(self) -> dict[str, Any]:
        """Return what `restore` takes."""
        predictions = {name: torch.cat(of) for name, of in self._predictions.items()}
        return {"predictions": predictions, "targets": torch.cat(self._targets)}

    def restore(self, state: dict[str, Any], device: torch.device) -> None:
        """Count in all that another tally had counted."""
        predictions = {k: v.to(device) for k, v in state["predictions"].items()}
        self.keep(predictions, state["targets"].to(device))

    def varies(self) -> bool:
        """Tell whether every output differs between samples."""
        return bool(self._targets) and all(
            differ(*(float(v) for v in torch.aminmax(torch.cat(of)[:, 0])))
            for of in self._predictions.values()
        )

    def log(self, prefix: str) -> Log:
        """Return the epoch's losses and metrics."""
        log, losses = {f"{prefix}loss": math.nan}, []
        if not self._targets:
            return log
        targets = torch.cat(self._targets).double()
        for i, output in enumerate(self._experiment.outputs):
            name, scale = output.name, self._scales[output.name]
            prediction = torch.cat(self._predictions[name]).double()
            known, loss = targets[:, i], self._experiment.losses_name[name]
            normalised = normalise_target(known, output, scale)
            value = mean_of_sum(loss, *sum_losses(loss, prediction, normalised))
            log[f"{prefix}{name}_loss"] = value
            if not known.isnan().all():
                losses.append(self._experiment.loss_weights.get(name, 1.0) * value)
            values = in_own_unit(prediction[:, :1], output, loss, scale)
            for metric in self._experiment.metrics_name.get(name, []):
                value = mean_of_sum(metric, *sum_errors(metric, values, known))
                log[f"{prefix}{name}_{metric}"] = value
        if losses:
            log[f"{prefix}loss"] = sum(losses)
        return log


def differ(low: float, high: float) -> bool:
    """
    Tell whether values from *low* to *high* are more than one and its rounding.

    >>> differ(1.0, 1.1), differ(2.0, 2.0), differ(0.0, 0.0)
    (True, False, False)
    """
    return high - low > 1e-6 * max(abs(low), abs(high))
