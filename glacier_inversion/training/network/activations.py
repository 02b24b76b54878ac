"""Activations by name, as `choices.Activation` has them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "linear": lambda values: values,
    "relu": functional.relu,
    "sigmoid": torch.sigmoid,
    "softplus": functional.softplus,
    "tanh": torch.tanh,
    "elu": functional.elu,
    "selu": functional.selu,
    "gelu": functional.gelu,
    "swish": functional.silu,
}
