"""Coordinate attention."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from glacier_inversion.experiment.operations import attention as parameters
from glacier_inversion.training.network.conventions import Conventions
from glacier_inversion.training.network.convolving import convolution
from glacier_inversion.training.network.fields import PatchField
from glacier_inversion.training.network.operation import (
    NotDenseError,
    OnImage,
    Shape,
    check_size,
)

_FEWEST = 8  # channels in between, as in the authors' code


def build(
    given: parameters.Attention, shapes: Sequence[Shape], _conventions: Conventions
) -> Attention:
    """Build it; ShapeError where there is not one image."""
    return Attention(shapes, given.reduction)


class Attention(OnImage):
    """
    The image, each pixel times a weight of its row and one of its column.

    The means of all rows and of all columns, of shape (batch, channels, rows + cols),
    pass through one convolution of 1 x 1 to fewer channels and a hard swish; the rows'
    part and the columns' then each through another convolution and a sigmoid, which
    gives every channel its own weights. The authors normalise each batch before the
    hard swish. That is left out: it would make what becomes of a patch depend on the
    patches beside it, and so on the size of the batch.

    Parameters
    ----------
    shapes : sequence of Shape
    reduction : int
        What the number of channels is divided by in between.

    References
    ----------
    Hou, Zhou and Feng (2021), Coordinate Attention for Efficient Mobile Network Design,
    arXiv:2103.02907. For ice thickness: doi:10.3390/geosciences15070242
    """

    def __init__(self, shapes: Sequence[Shape], reduction: int) -> None:
        super().__init__(shapes)
        channels, n_rows, n_cols = self.shape
        between = max(_FEWEST, channels // reduction)
        kernel = channels * between
        multiply_adds = 2 * kernel * (n_rows + n_cols)
        check_size(3 * kernel, multiply_adds, channels * n_rows * n_cols)
        self.joint = convolution(channels, between, 1, "valid")
        self.of_rows = convolution(between, channels, 1, "valid")
        self.of_cols = convolution(between, channels, 1, "valid")

    def apply_to(self, image: Tensor) -> Tensor:
        """Weight the image."""
        means = torch.cat([image.mean(dim=3), image.mean(dim=2)], dim=2)[..., None]
        between = functional.hardswish(self.joint(means))
        n_rows = image.shape[2]
        of_rows = torch.sigmoid(self.of_rows(between[:, :, :n_rows]))
        of_cols = torch.sigmoid(self.of_cols(between[:, :, n_rows:])).transpose(2, 3)
        return image * of_rows * of_cols

    def apply_to_field(self, _field: PatchField) -> PatchField:
        """Say why this is not dense."""
        message = "takes means along whole rows and columns, which end with the patch"
        raise NotDenseError(message)
