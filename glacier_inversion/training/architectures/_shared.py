"""What the architectures have in common; each passes in what is its own."""

from __future__ import annotations

from collections.abc import Sequence

from glacier_inversion.experiment import sections
from glacier_inversion.training.network import operations
from glacier_inversion.training.network.operations import Operation, Shape


def build(
    operation: sections.Operation,
    shapes: Sequence[Shape],
    convolutions: type[operations.Convolutions],
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
    if isinstance(operation, sections.Convolutions):
        own_padding = operation.padding or padding
        return convolutions(
            shapes, operation.filters, operation.kernel_size, own_padding
        )
    if isinstance(operation, sections.Convolution1):
        return operations.PlainConvolutions(shapes, [operation.filter], 1, "valid")
    if isinstance(operation, sections.Downsample):
        return operations.Downsample(shapes)
    if isinstance(operation, sections.Concatenation):
        return operations.Concatenation(shapes)
    if isinstance(operation, sections.Addition):
        return operations.Addition(shapes)
    bias = [hidden_bias] * (len(operation.filters) - 1) + [False]
    return operations.Denses(shapes, operation.filters, operation.last_activation, bias)
