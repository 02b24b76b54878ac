"""Parameters of convolutions."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from glacier_inversion.experiment.operation import Operation
from glacier_inversion.experiment.values import Channels

Padding = Annotated[
    Literal["same", "valid"] | None,
    Field(
        description="'same' pads with zeros, 'valid' shrinks the image by "
        "kernel_size - 1 per convolution. Default: the architecture's own."
    ),
]


class Convolutions(Operation):
    """Convolutions: a residual block or plain ones, as the architecture says."""

    name: Literal["convolutions"]
    filters: list[Channels] = Field(
        min_length=1, max_length=100, description="Channels after each convolution."
    )
    kernel_size: Annotated[int, Field(ge=1, le=63)] = Field(
        default=3, description="Side of the kernels, px."
    )
    padding: Padding = None
