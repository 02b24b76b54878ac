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
        "kernel_size - 1 per convolution. Default: the architecture's own, same for "
        "resnet and valid for vggnet."
    ),
]


class Convolutions(Operation):
    """Convolutions: a residual block (resnet) or plain ones (vggnet)."""

    name: Literal["convolutions"]
    filters: list[Channels] = Field(
        min_length=1, max_length=100, description="Channels after each convolution."
    )
    kernel_size: Annotated[int, Field(ge=1, le=63)] = Field(
        default=3, description="Side of the kernels, px."
    )
    padding: Padding = None
