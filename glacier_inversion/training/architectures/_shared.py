"""What the architectures have in common; each passes in what is its own."""

from __future__ import annotations

from collections.abc import Sequence

from glacier_inversion.experiment import operations
from glacier_inversion.training.network.convolutions import (
    Convolutions,
    PlainConvolutions,
)
from glacier_inversion.training.network.merging import Addition, Concatenation
from glacier_inversion.training.network.operations import (
    Denses,
    Downsample,
    Operation,
    Shape,
)


def build(
    operation: operations.Operation,
    shapes: Sequence[Shape],
    convolutions: type[Convolutions],
    padding: str,
    hidden_bias: bool,
) -> Operation:
    """
    Build *operation* for inputs of *shapes*; ShapeError where it does not fit.

    Parameters
    ----------
    convolutions : type
        What the operation of that name is.
    padding : str
        Theirs, where the experiment does not say.
    hidden_bias : bool
        Whether dense layers but the last have a bias; the last has none.
    """
    if isinstance(operation, operations.Convolutions):
        own_padding = operation.padding or padding
        return convolutions(
            shapes, operation.filters, operation.kernel_size, own_padding
        )
    if isinstance(operation, operations.Convolution1):
        return PlainConvolutions(shapes, [operation.filter], 1, "valid")
    if isinstance(operation, operations.Downsample):
        return Downsample(shapes)
    if isinstance(operation, operations.Concatenation):
        return Concatenation(shapes)
    if isinstance(operation, operations.Addition):
        return Addition(shapes)
    bias = [hidden_bias] * (len(operation.filters) - 1) + [False]
    return Denses(shapes, operation.filters, operation.last_activation, bias)
