"""
The operations that networks are made of.

What flows through a network is a list of tensors: images of shape (batch, channels,
rows, cols) and vectors of shape (batch, units). An operation on images leaves vectors
as they are; they meet the flattened image in front of the next dense layer.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

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


class ShapeError(ValueError):
    """An operation does not fit the shapes that it is given."""


class Operation(nn.Module, ABC):
    """From a list of tensors to a list of tensors."""

    @abstractmethod
    def forward(self, values: list[Tensor]) -> list[Tensor]:
        """Compute what comes next."""


class OnImage(Operation):
    """An operation on the only image; vectors pass by."""

    def __init__(self, shapes: Sequence[Shape]) -> None:
        super().__init__()
        self.shape = only_image(shapes)

    @abstractmethod
    def apply_to(self, image: Tensor) -> Tensor:
        """Compute the image that comes next."""

    def forward(self, values: list[Tensor]) -> list[Tensor]:
        """Replace the image."""
        return [self.apply_to(v) if v.ndim == 4 else v for v in values]


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


def convolution(
    channels: int, filters: int, kernel_size: int, padding: str
) -> nn.Conv2d:
    """Build a convolution with a bias of 0 and a kernel drawn for a ReLU behind it."""
    layer = nn.Conv2d(channels, filters, kernel_size, padding=padding)
    nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]  # there is one
    return layer


class Convolutions(OnImage):
    """Convolutions one after the other, put together by a subclass."""

    def __init__(
        self,
        shapes: Sequence[Shape],
        filters: Sequence[int],
        kernel_size: int,
        padding: str,
    ) -> None:
        super().__init__(shapes)
        self.n_lost = len(filters) * (kernel_size - 1) if padding == "valid" else 0
        if min(self.shape[1:]) <= self.n_lost:
            message = (
                f"takes {self.n_lost} rows and columns from an image of "
                f"{self.shape[1]} x {self.shape[2]}: use fewer or smaller kernels, "
                "padding 'same', or a larger area_size"
            )
            raise ShapeError(message)
        channels = [self.shape[0], *filters]
        self.layers = nn.ModuleList(
            convolution(before, after, kernel_size, padding)
            for before, after in zip(channels, filters)  # noqa: B905  one is longer
        )


class PlainConvolutions(Convolutions):
    """Convolutions with a ReLU behind each."""

    def apply_to(self, image: Tensor) -> Tensor:
        """Convolve and rectify, layer by layer."""
        for layer in self.layers:
            image = functional.relu(layer(image))
        return image


class ResidualBlock(Convolutions):
    """
    Convolutions with a ReLU between them, plus a 1 x 1 shortcut, then a ReLU.

    With padding 'valid' the shortcut is cropped to what the convolutions leave; where
    they take an odd number of rows, the odd one is the last.
    """

    def __init__(
        self,
        shapes: Sequence[Shape],
        filters: Sequence[int],
        kernel_size: int,
        padding: str,
    ) -> None:
        super().__init__(shapes, filters, kernel_size, padding)
        self.shortcut = convolution(self.shape[0], filters[-1], 1, "valid")

    def apply_to(self, image: Tensor) -> Tensor:
        """Add what the convolutions make of the image to the image."""
        n_rows, n_cols = (n - self.n_lost for n in image.shape[-2:])
        first = self.n_lost // 2
        kept = image[..., first : first + n_rows, first : first + n_cols]
        for i, layer in enumerate(self.layers):
            image = layer(functional.relu(image) if i > 0 else image)
        return functional.relu(image + self.shortcut(kept))


class Downsample(OnImage):
    """The maximum of each 2 x 2 pixels; an odd last row or column is dropped."""

    def __init__(self, shapes: Sequence[Shape]) -> None:
        super().__init__(shapes)
        if min(self.shape[1:]) < 2:
            message = f"halves an image of {self.shape[1]} x {self.shape[2]}: remove it"
            raise ShapeError(message)

    def apply_to(self, image: Tensor) -> Tensor:
        """Take the maxima."""
        return functional.max_pool2d(image, 2)


class Concatenation(Operation):
    """Images of the same rows and columns become one, channels side by side."""

    def __init__(self, shapes: Sequence[Shape]) -> None:
        super().__init__()
        if len({shape[1:] for shape in shapes if len(shape) == 3}) > 1:
            message = "puts images side by side that differ in rows or columns"
            raise ShapeError(message)

    def forward(self, values: list[Tensor]) -> list[Tensor]:
        """Join the images."""
        images = [value for value in values if value.ndim == 4]
        vectors = [value for value in values if value.ndim == 2]
        return [torch.cat(images, dim=1), *vectors] if images else vectors


class Addition(Operation):
    """Images of the same shape become their sum."""

    def __init__(self, shapes: Sequence[Shape]) -> None:
        super().__init__()
        if len({shape for shape in shapes if len(shape) == 3}) > 1:
            message = "adds images that differ in shape"
            raise ShapeError(message)

    def forward(self, values: list[Tensor]) -> list[Tensor]:
        """Add the images."""
        images = [value for value in values if value.ndim == 4]
        vectors = [value for value in values if value.ndim == 2]
        return [torch.stack(images).sum(dim=0), *vectors] if images else vectors


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
        units = [sum(torch.Size(shape).numel() for shape in shapes), *filters]
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
        activate, n = ACTIVATIONS[self.last_activation], self.linear_from
        return [torch.cat([activate(vector[:, :n]), vector[:, n:]], dim=1)]


def probe(layer: Operation, shapes: Sequence[Shape]) -> tuple[list[Shape], int]:
    """
    Send one sample through a layer.

    Returns
    -------
    shapes : list of Shape
        What comes out.
    multiply_adds : int
        Multiplications, each with an addition, of the convolutions and dense layers;
        the rest of a network is small beside them.
    """
    total = 0

    def count(module: nn.Module, _: object, after: Tensor) -> None:
        nonlocal total
        # each value is a sum of as many products as one filter has weights
        total += after.numel() * module.weight[0].numel()  # type: ignore[index]

    handles = [
        module.register_forward_hook(count)
        for module in layer.modules()
        if isinstance(module, (nn.Conv2d, nn.Linear))
    ]
    with torch.no_grad():
        after = layer([torch.zeros(1, *shape) for shape in shapes])
    for handle in handles:
        handle.remove()
    return [tuple(value.shape[1:]) for value in after], total
