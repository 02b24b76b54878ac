"""
Residual networks.

Each `convolutions` is a residual block, padded with zeros unless it says otherwise;
dense layers have no bias.
"""

from __future__ import annotations

from collections.abc import Sequence

from glacier_inversion.experiment import sections
from glacier_inversion.training.architectures._shared import build
from glacier_inversion.training.network.operations import (
    Operation,
    ResidualBlock,
    Shape,
)


def build_operation(
    operation: sections.Operation, shapes: Sequence[Shape]
) -> Operation:
    """Build *operation* for inputs of *shapes*; ShapeError where it does not fit."""
    return build(operation, shapes, ResidualBlock, padding="same", hidden_bias=False)
