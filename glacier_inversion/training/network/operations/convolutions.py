"""Convolutions: a residual block, or one after the other."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from glacier_inversion.experiment.operations import convolutions as parameters
from glacier_inversion.training.network.conventions import Conventions
from glacier_inversion.training.network.convolving import (
    Convolutions,
    PlainConvolutions,
    convolution,
)
from glacier_inversion.training.network.fused import convolve
from glacier_inversion.training.network.operation import Shape


def build(
    given: parameters.Convolutions, shapes: Sequence[Shape], conventions: Conventions
) -> Convolutions:
    """Build a residual block or a plain row; ShapeError where nothing is left."""
    kind = ResidualBlock if conventions.is_residual else PlainConvolutions
    padding = given.padding or conventions.padding
    return kind(shapes, given.filters, given.kernel_size, padding)


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

    def convolve(self, image: Tensor) -> Tensor:
        """Add what the convolutions make of the image to the image."""
        n_rows, n_cols = (n - self.n_lost for n in image.shape[-2:])
        first = self.n_lost // 2
        kept = image[..., first : first + n_rows, first : first + n_cols]
        *hidden, last = self.layers
        onto = convolve(kept, self.shortcut.weight, self.shortcut.bias)
        for layer in hidden:
            image = self.rectified(layer, image)
        return self.rectified(last, image, onto)
