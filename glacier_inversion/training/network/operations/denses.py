"""Dense layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from glacier_inversion.experiment.operations import denses as parameters
from glacier_inversion.training.network.activations import ACTIVATIONS
from glacier_inversion.training.network.conventions import Conventions
from glacier_inversion.training.network.fields import PatchField, common_spacing
from glacier_inversion.training.network.fused import convolve
from glacier_inversion.training.network.operation import (
    Ending,
    Shape,
    check_size,
    only_image,
)


def build(
    given: parameters.Denses, shapes: Sequence[Shape], conventions: Conventions
) -> Denses:
    """Build the layers, of which the last has no bias."""
    bias = [conventions.hidden_bias] * (len(given.filters) - 1) + [False]
    return Denses(shapes, given.filters, given.last_activation, bias)


class Denses(Ending):
    """
    Dense layers on the flattened image and the vectors, side by side.

    Hidden layers have a ReLU, the last one *last_activation*.
    """

    def __init__(
        self,
        shapes: Sequence[Shape],
        filters: Sequence[int],
        last_activation: str,
        bias: Sequence[bool],
    ) -> None:
        super().__init__()
        if sum(len(shape) == 3 for shape in shapes) > 1:
            only_image(shapes)
        units = [sum(math.prod(shape) for shape in shapes), *filters]
        n_weights = sum(a * b for a, b in zip(units, filters))  # noqa: B905  one is longer
        check_size(n_weights, n_weights, max(units))
        self.layers = nn.ModuleList()
        for before, after, has_bias in zip(units, filters, bias):  # noqa: B905
            layer = nn.Linear(before, after, bias=has_bias)
            nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
            if has_bias:
                nn.init.zeros_(layer.bias)
            self.layers.append(layer)
        self.last_activation = last_activation
        self.linear_from = filters[-1]  # units from here on have no activation
        self.register_buffer("start", None)

    def forward(self, values: list[Tensor]) -> list[Tensor]:
        """Flatten, join, multiply."""
        vector = torch.cat([value.flatten(1) for value in values], dim=1)
        for i, layer in enumerate(self.layers):
            vector = layer(functional.relu(vector) if i > 0 else vector)
        return [self._activated(vector)]

    def dense(self, fields: list[PatchField]) -> list[PatchField]:
        """Multiply as convolutions: the first with kernels as large as an image."""
        spacing = common_spacing(fields)
        first, *hidden = (cast(nn.Linear, layer) for layer in self.layers)
        vector: Tensor | None = None
        begin = 0
        for i, field in enumerate(fields):
            channels = field.values.shape[1]
            end = begin + channels * field.side**2
            square = channels, field.side, field.side
            kernel = first.weight[:, begin:end].reshape(-1, *square)
            vector = convolve(
                field.respaced(spacing).values,
                kernel.contiguous(memory_format=torch.channels_last),
                first.bias if begin == 0 else None,
                rectifies=bool(hidden) and i + 1 == len(fields),
                onto=vector,
            )
            begin = end
        assert vector is not None  # there are fields
        for i, layer in enumerate(hidden):
            vector = convolve(
                vector,
                layer.weight[..., None, None],
                layer.bias,
                rectifies=i + 1 < len(hidden),
            )
        return [PatchField(self._activated(vector), spacing, 1, is_vector=True)]

    def _activated(self, vector: Tensor) -> Tensor:
        """Apply the last activation to units, which lie along the second axis."""
        if self.start is not None:
            vector = torch.cat([vector[:, :1] + self.start, vector[:, 1:]], dim=1)
        activate, n = ACTIVATIONS[self.last_activation], self.linear_from
        return torch.cat([activate(vector[:, :n]), vector[:, n:]], dim=1)
