"""Operations that make several images one."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from glacier_inversion.training.network.fields import Field, common_spacing
from glacier_inversion.training.network.operations import (
    NotDenseError,
    Operation,
    Shape,
    ShapeError,
)


class Concatenation(Operation):
    """Images of the same rows and columns become one, channels side by side."""

    def __init__(self, shapes: Sequence[Shape]) -> None:
        super().__init__()
        if len({shape[1:] for shape in shapes if len(shape) == 3}) > 1:
            message = "puts images side by side that differ in rows or columns"
            raise ShapeError(message)

    def forward(self, values: list[Tensor]) -> list[Tensor]:
        """Join the images."""
        return _merged(values, _side_by_side)

    def dense(self, fields: list[Field]) -> list[Field]:
        """Join the fields of images."""
        return _merged_fields(fields, _side_by_side)


def _side_by_side(images: list[Tensor]) -> Tensor:
    return torch.cat(images, dim=1)


def _sum(images: list[Tensor]) -> Tensor:
    return functools.reduce(torch.add, images)


def _merged(
    values: list[Tensor], merge: Callable[[list[Tensor]], Tensor]
) -> list[Tensor]:
    """Replace the images by one."""
    images = [value for value in values if value.ndim == 4]
    vectors = [value for value in values if value.ndim == 2]
    return [merge(images), *vectors] if images else vectors


def _merged_fields(
    fields: list[Field], merge: Callable[[list[Tensor]], Tensor]
) -> list[Field]:
    """Replace the fields of images by one; NotDenseError where their pixels part."""
    images = [field for field in fields if not field.is_vector]
    vectors = [field for field in fields if field.is_vector]
    if not images:
        return vectors
    try:
        spacing = common_spacing(images)
    except ValueError as error:
        message = f"joins {error}"
        raise NotDenseError(message) from error
    merged = merge([field.respaced(spacing).values for field in images])
    return [Field(merged, spacing, images[0].side), *vectors]


class Addition(Operation):
    """Images of the same shape become their sum."""

    def __init__(self, shapes: Sequence[Shape]) -> None:
        super().__init__()
        if len({shape for shape in shapes if len(shape) == 3}) > 1:
            message = "adds images that differ in shape"
            raise ShapeError(message)

    def forward(self, values: list[Tensor]) -> list[Tensor]:
        """Add the images."""
        return _merged(values, _sum)

    def dense(self, fields: list[Field]) -> list[Field]:
        """Add the fields of images."""
        return _merged_fields(fields, _sum)
