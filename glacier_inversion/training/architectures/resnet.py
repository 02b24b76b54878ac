"""
Residual networks.

Each `convolutions` is a residual block, padded with zeros unless it says otherwise;
dense layers have no bias.
"""

from __future__ import annotations

from collections.abc import Sequence

from glacier_inversion.experiment import operations
from glacier_inversion.training.architectures._shared import build
from glacier_inversion.training.network.convolutions import ResidualBlock
from glacier_inversion.training.network.operations import Operation, Shape


def build_operation(
    operation: operations.Operation, shapes: Sequence[Shape]
) -> Operation:
    """Build *operation* for inputs of *shapes*; ShapeError where it does not fit."""
    return build(operation, shapes, ResidualBlock, padding="same", hidden_bias=False)
