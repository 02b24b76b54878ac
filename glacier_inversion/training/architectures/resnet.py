"""
Residual networks.

Each `convolutions` is a residual block, padded with zeros unless it says otherwise;
dense layers have no bias.
"""

from __future__ import annotations

from collections.abc import Sequence

from glacier_inversion import sections
from glacier_inversion.training import operations
from glacier_inversion.training.architectures._shared import build_common
from glacier_inversion.training.operations import Operation, Shape


def build_operation(
    operation: sections.Operation, shapes: Sequence[Shape]
) -> Operation:
    """Build *operation* for inputs of *shapes*; ShapeError where it does not fit."""
    if isinstance(operation, sections.Convolutions):
        return operations.ResidualBlock(
            shapes,
            operation.filters,
            operation.kernel_size,
            operation.padding or "same",
        )
    if isinstance(operation, sections.Denses):
        bias = [False] * len(operation.filters)
        return operations.Denses(
            shapes, operation.filters, operation.last_activation, bias
        )
    return build_common(operation, shapes)
