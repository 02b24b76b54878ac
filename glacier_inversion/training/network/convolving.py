"""What operations that convolve an image are made of."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn

from glacier_inversion.training.network.fields import PatchField
from glacier_inversion.training.network.fused import convolve
from glacier_inversion.training.network.operation import (
    NotDenseError,
    OnImage,
    Shape,
    ShapeError,
    check_size,
)


def convolution(
    channels: int, filters: int, kernel_size: int, padding: str
) -> nn.Conv2d:
    """Build a convolution with a bias of 0 and a kernel drawn for a ReLU behind it."""
    layer = nn.Conv2d(channels, filters, kernel_size, padding=padding)
    nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]  # there is one
    return layer


def _spelt_out(image: Tensor) -> Tensor:
    """
    Write down that an image of one channel is in channels-last layout.

    In memory it is in both, and torch takes it for the other, in which all that follows
    would then be computed.
    """
    return image.contiguous()[:, 0, :, :, None].permute(0, 3, 1, 2)


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
        self.pads = padding == "same" and kernel_size > 1
        self.n_lost = len(filters) * (kernel_size - 1) if padding == "valid" else 0
        if min(self.shape[1:]) <= self.n_lost:
            message = (
                f"takes {self.n_lost} rows and columns from an image of "
                f"{self.shape[1]} x {self.shape[2]}: use fewer or smaller kernels, "
                "padding 'same', or a larger area_size"
            )
            raise ShapeError(message)
        channels = [self.shape[0], *filters]
        rows_and_cols, n_weights, multiply_adds, n_values = self.shape[1:], 0, 0, 0
        for before, after in zip(channels, filters):  # noqa: B905  one is longer
            if padding == "valid":
                rows_and_cols = tuple(n - kernel_size + 1 for n in rows_and_cols)
            kernel = kernel_size**2 * before * after
            n_weights += kernel
            multiply_adds += kernel * math.prod(rows_and_cols)
            n_values = max(n_values, after * math.prod(rows_and_cols))
        check_size(n_weights, multiply_adds, n_values)
        self.layers = nn.ModuleList(
            convolution(before, after, kernel_size, padding)
            for before, after in zip(channels, filters)  # noqa: B905  one is longer
        )

    @abstractmethod
    def convolve(self, image: Tensor) -> Tensor:
        """Compute the image that comes next."""

    def rectified(
        self, layer: nn.Module, image: Tensor, onto: Tensor | None = None
    ) -> Tensor:
        """Apply one of the layers, add to *onto*, which may be overwritten; a ReLU."""
        layer = cast(nn.Conv2d, layer)
        return convolve(
            image, layer.weight, layer.bias, pads=self.pads, rectifies=True, onto=onto
        )

    def apply_to(self, image: Tensor) -> Tensor:
        """Convolve in channels-last layout, which is the fast one."""
        return self.convolve(_spelt_out(image) if image.shape[1] == 1 else image)

    def apply_to_field(self, field: PatchField) -> PatchField:
        """Convolve the phases, each of which is an image like any other."""
        if self.pads:
            message = "pads with zeros, which lie elsewhere for each patch"
            raise NotDenseError(message)
        side = field.side - self.n_lost
        return PatchField(self.apply_to(field.values), field.spacing, side)


class PlainConvolutions(Convolutions):
    """Convolutions with a ReLU behind each."""

    def convolve(self, image: Tensor) -> Tensor:
        """Convolve and rectify, layer by layer."""
        for layer in self.layers:
            image = self.rectified(layer, image)
        return image
