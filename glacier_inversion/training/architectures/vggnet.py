"""
Plain convolutional networks in the manner of VGG.

Each `convolutions` is a row of convolutions, unpadded unless it says otherwise; dense
layers have a bias, but for the last. `upsample` and `fusion` are published spellings of
`downsample` and `addition`.
"""

from __future__ import annotations

from collections.abc import Sequence

from glacier_inversion.experiment import operations
from glacier_inversion.training.architectures._shared import build
from glacier_inversion.training.network.convolutions import PlainConvolutions
from glacier_inversion.training.network.operations import Operation, Shape


def build_operation(
    operation: operations.Operation, shapes: Sequence[Shape]
) -> Operation:
    """Build *operation* for inputs of *shapes*; ShapeError where it does not fit."""
    return build(
        operation, shapes, PlainConvolutions, padding="valid", hidden_bias=True
    )
