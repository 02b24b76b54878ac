"""Images side by side."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from glacier_inversion.experiment.operations import concatenation as parameters
from glacier_inversion.training.network.conventions import Conventions
from glacier_inversion.training.network.merging import Merging
from glacier_inversion.training.network.operation import Shape, ShapeError


def build(
    _given: parameters.Concatenation, shapes: Sequence[Shape], _conventions: Conventions
) -> Concatenation:
    """Build it; ShapeError where the images do not fit beside each other."""
    return Concatenation(shapes)


class Concatenation(Merging):
    """Images of the same rows and columns become one, channels side by side."""

    def __init__(self, shapes: Sequence[Shape]) -> None:
        super().__init__()
        if len({shape[1:] for shape in shapes if len(shape) == 3}) > 1:
            message = "puts images side by side that differ in rows or columns"
            raise ShapeError(message)

    def merge(self, images: list[Tensor]) -> Tensor:
        """Join the channels."""
        return torch.cat(images, dim=1)
