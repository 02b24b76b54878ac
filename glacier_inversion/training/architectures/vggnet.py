"""
Plain convolutional networks in the manner of VGG.

Each `convolutions` is a row of convolutions, unpadded unless it says otherwise; dense
layers have a bias, but for the last. `upsample` and `fusion` are published spellings of
`downsample` and `addition`.
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
        return operations.PlainConvolutions(
            shapes,
            operation.filters,
            operation.kernel_size,
            operation.padding or "valid",
        )
    if isinstance(operation, sections.Denses):
        bias = [True] * (len(operation.filters) - 1) + [False]
        return operations.Denses(
            shapes, operation.filters, operation.last_activation, bias
        )
    return build_common(operation, shapes)
