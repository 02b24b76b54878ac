"""A convolution of single pixels."""

from __future__ import annotations

from collections.abc import Sequence

from glacier_inversion.experiment.operations import convolution_1 as parameters
from glacier_inversion.training.network.conventions import Conventions
from glacier_inversion.training.network.convolving import PlainConvolutions
from glacier_inversion.training.network.operation import Shape


def build(
    given: parameters.Convolution1, shapes: Sequence[Shape], _conventions: Conventions
) -> PlainConvolutions:
    """Build the convolution, which has a ReLU whatever the architecture."""
    return PlainConvolutions(shapes, [given.filter], 1, "valid")
