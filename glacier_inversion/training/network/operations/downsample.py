"""The max pool."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from glacier_inversion.experiment.operations import downsample as parameters
from glacier_inversion.training.network.conventions import Conventions
from glacier_inversion.training.network.fields import PatchField
from glacier_inversion.training.network.operation import OnImage, Shape, ShapeError


def build(
    _given: parameters.Downsample, shapes: Sequence[Shape], _conventions: Conventions
) -> Downsample:
    """Build the pool; ShapeError where there is nothing to halve."""
    return Downsample(shapes)


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

    def apply_to_field(self, field: PatchField) -> PatchField:
        """Take the maxima from every pixel on: images begin at odd ones, too."""
        return field.halved(_maxima)


def _maxima(image: Tensor) -> Tensor:
    """Return the maxima of the 2 x 2 pixels from every pixel on."""
    if torch.is_grad_enabled():
        return functional.max_pool2d(image, 2, stride=1)
    pairs = torch.maximum(image[:, :, :-1], image[:, :, 1:])
    return torch.maximum(pairs[..., :-1], pairs[..., 1:])
