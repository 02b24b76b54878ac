"""The operations that mean the same in every architecture."""

from __future__ import annotations

from collections.abc import Sequence

from glacier_inversion import sections
from glacier_inversion.training import operations
from glacier_inversion.training.operations import Operation, Shape


def build_common(operation: sections.Operation, shapes: Sequence[Shape]) -> Operation:
    """Build *operation* for inputs of *shapes*; ShapeError where it does not fit."""
    if isinstance(operation, sections.Convolution1):
        return operations.PlainConvolutions(shapes, [operation.filter], 1, "valid")
    if isinstance(operation, sections.Downsample):
        return operations.Downsample(shapes)
    if isinstance(operation, sections.Concatenation):
        return operations.Concatenation(shapes)
    if isinstance(operation, sections.Addition):
        return operations.Addition(shapes)
    message = f"Invalid operation {operation.name!r}. Must be one of the sections."
    raise ValueError(message)
