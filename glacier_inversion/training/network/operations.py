"""
The operations that networks are made of, each with its two ways of being evaluated.

What flows through a network is a list of tensors: images of shape (batch, channels,
rows, cols) and vectors of shape (batch, units). An operation on images leaves vectors
as they are; they meet the flattened image in front of the next dense layer.

`Operation.forward` takes a batch of patches. `Operation.dense` takes all patches of a
block at once, as `Field` keeps them, and gives the same numbers for each but for the
order of sums.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from glacier_inversion.training.network.fields import Field, common_spacing

Shape = tuple[int, ...]
"""Of one sample: (channels, rows, cols) of an image, (units,) of a vector."""

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


# Ten times what the largest networks for images have: to try a single patch of more
# takes minutes, or all memory.
_MOST_WEIGHTS = 500_000_000
_MOST_MULTIPLY_ADDS = 100_000_000_000
_MOST_VALUES = 250_000_000


class ShapeError(ValueError):
    """An operation does not fit the shapes that it is given."""


def check_size(n_weights: int, multiply_adds: int, n_values: int) -> None:
    """
    Raise ShapeError if part of a network, or all of it, is too large to be tried.

    Parameters
    ----------
    n_weights : int
    multiply_adds, n_values : int
        For one patch: what is computed, and the most that is made of it at once.
    """
    for number, most, what in (
        (n_weights, _MOST_WEIGHTS, "weights"),
        (multiply_adds, _MOST_MULTIPLY_ADDS, "multiply-adds for a patch"),
        (n_values, _MOST_VALUES, "values made of a patch"),
    ):
        if number > most:
            message = (
                f"comes to {number:,} {what}: use at most {most:,}, by fewer filters, "
                "smaller kernels or a smaller area_size"
            )
            raise ShapeError(message)


class NotDenseError(Exception):
    """What an operation makes of a patch does not move along with the patch."""


class Operation(nn.Module, ABC):
    """
    From a list of tensors to a list of tensors, or of fields to fields.

    Attributes
    ----------
    stride : int
        Distance of the pixels of the images that it makes, in those it is given.
    """

    stride = 1

    @abstractmethod
    def forward(self, values: list[Tensor]) -> list[Tensor]:
        """Compute what comes next, of each patch of a batch."""

    @abstractmethod
    def dense(self, fields: list[Field]) -> list[Field]:
        """
        Compute the same of every patch of a block.

        Raises
        ------
        NotDenseError
            Only patch by patch would it be exact; the text ends a sentence that begins
            with the operation's name.
        """


class OnImage(Operation):
    """An operation on the only image; vectors pass by."""

    def __init__(self, shapes: Sequence[Shape]) -> None:
        super().__init__()
        self.shape = only_image(shapes)

    @abstractmethod
    def apply_to(self, image: Tensor) -> Tensor:
        """Compute the image that comes next."""

    @abstractmethod
    def apply_to_field(self, field: Field) -> Field:
        """Compute the field of images that comes next."""

    def forward(self, values: list[Tensor]) -> list[Tensor]:
        """Replace the image."""
        return [self.apply_to(v) if v.ndim == 4 else v for v in values]

    def dense(self, fields: list[Field]) -> list[Field]:
        """Replace the field of images."""
        return [f if f.is_vector else self.apply_to_field(f) for f in fields]


def only_image(shapes: Sequence[Shape]) -> Shape:
    """Return the shape of the only image, or say that it is not alone."""
    images = [shape for shape in shapes if len(shape) == 3]
    if len(images) > 1:
        message = "needs one image: put a concatenation or an addition before it"
        raise ShapeError(message)
    if not images:
        message = "needs an image, and there are only vectors"
        raise ShapeError(message)
    return images[0]


class Downsample(OnImage):
    """The maximum of each 2 x 2 pixels; an odd last row or column is dropped."""

    stride = 2

    def __init__(self, shapes: Sequence[Shape]) -> None:
        super().__init__(shapes)
        if min(self.shape[1:]) < 2:
            message = f"halves an image of {self.shape[1]} x {self.shape[2]}: remove it"
            raise ShapeError(message)

    def apply_to(self, image: Tensor) -> Tensor:
        """Take the maxima."""
        if torch.is_grad_enabled():  # torch's finds gradients faster, maxima slower
            return functional.max_pool2d(image, 2)
        n_rows, n_cols = (n // 2 * 2 for n in image.shape[2:])
        pairs = torch.maximum(image[:, :, 0:n_rows:2], image[:, :, 1:n_rows:2])
        return torch.maximum(pairs[..., 0:n_cols:2], pairs[..., 1:n_cols:2])

    def apply_to_field(self, field: Field) -> Field:
        """Take the maxima from every pixel on: images begin at odd ones, too."""
        return field.halved(_maxima)


def _maxima(image: Tensor) -> Tensor:
    """Return the maxima of the 2 x 2 pixels from every pixel on."""
    if torch.is_grad_enabled():
        return functional.max_pool2d(image, 2, stride=1)
    pairs = torch.maximum(image[:, :, :-1], image[:, :, 1:])
    return torch.maximum(pairs[..., :-1], pairs[..., 1:])


class Denses(Operation):
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
        n_weights = sum(a * b for a, b in zip(units, filters))  # noqa: B905  likewise
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

    def forward(self, values: list[Tensor]) -> list[Tensor]:
        """Flatten, join, multiply."""
        vector = torch.cat([value.flatten(1) for value in values], dim=1)
        for i, layer in enumerate(self.layers):
            vector = layer(functional.relu(vector) if i > 0 else vector)
        return [self._activated(vector)]

    def dense(self, fields: list[Field]) -> list[Field]:
        """Multiply as convolutions: the first with kernels as large as an image."""
        spacing = common_spacing(fields)
        first, *hidden = (cast(nn.Linear, layer) for layer in self.layers)
        parts, begin = [], 0
        for field in fields:
            channels = field.values.shape[1]
            end = begin + channels * field.side**2
            square = channels, field.side, field.side
            kernel = first.weight[:, begin:end].reshape(-1, *square)
            parts.append(
                functional.conv2d(
                    field.respaced(spacing).values,
                    kernel.contiguous(memory_format=torch.channels_last),
                    first.bias if begin == 0 else None,
                )
            )
            begin = end
        vector = parts[0]
        for part in parts[1:]:
            vector.add_(part)
        for layer in hidden:
            vector = functional.conv2d(
                functional.relu(vector, inplace=True),
                layer.weight[..., None, None],
                layer.bias,
            )
        return [Field(self._activated(vector), spacing, 1, is_vector=True)]

    def _activated(self, vector: Tensor) -> Tensor:
        """Apply the last activation to units, which lie along the second axis."""
        activate, n = ACTIVATIONS[self.last_activation], self.linear_from
        return torch.cat([activate(vector[:, :n]), vector[:, n:]], dim=1)
