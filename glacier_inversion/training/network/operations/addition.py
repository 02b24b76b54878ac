"""The sum of images."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import torch
from torch import Tensor

from glacier_inversion.experiment.operations import addition as parameters
from glacier_inversion.training.network.conventions import Conventions
from glacier_inversion.training.network.merging import Merging
from glacier_inversion.training.network.operation import Shape, ShapeError


def build(
    _given: parameters.Addition, shapes: Sequence[Shape], _conventions: Conventions
) -> Addition:
    """Build the sum; ShapeError where there is none."""
    return Addition(shapes)


class Addition(Merging):
    """Images of the same shape become their sum."""

    def __init__(self, shapes: Sequence[Shape]) -> None:
        super().__init__()
        if len({shape for shape in shapes if len(shape) == 3}) > 1:
            message = "adds images that differ in shape"
            raise ShapeError(message)

    def merge(self, images: list[Tensor]) -> Tensor:
        """Add the images."""
        return functools.reduce(torch.add, images)
