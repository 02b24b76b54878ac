"""The optimizers, by the names that experiments give them."""

from __future__ import annotations

from typing import Any

import torch

from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.training.network.network import Network

_OPTIMIZERS: dict[str, type[torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "nadam": torch.optim.NAdam,
    "rmsprop": torch.optim.RMSprop,
    "sgd": torch.optim.SGD,
}


# One call for all weights, where there is one for the processor, too.
_FUSED = ("adam", "adamw", "sgd")


def build_optimizer(experiment: Experiment, network: Network) -> torch.optim.Optimizer:
    """Build the optimizer of an experiment; weight decay is for kernels alone."""
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
