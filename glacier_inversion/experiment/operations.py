"""The operations of networks: the parameters of each, as the experiment has them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    Field,
)

from glacier_inversion.choices import (
    Activation,
)
from glacier_inversion.experiment.values import Channels, Section

Padding = Annotated[
    Literal["same", "valid"] | None,
    Field(
        description="'same' pads with zeros, 'valid' shrinks the image by "
        "kernel_size - 1 per convolution. Default: the architecture's own, same for "
        "resnet and valid for vggnet."
    ),
]


class Convolutions(Section):
    """Convolutions: a residual block (resnet) or plain ones (vggnet)."""

    name: Literal["convolutions"]
    filters: list[Channels] = Field(
        min_length=1, max_length=100, description="Channels after each convolution."
    )
    kernel_size: Annotated[int, Field(ge=1, le=63)] = Field(
        default=3, description="Side of the kernels, px."
    )
    padding: Padding = None


class Convolution1(Section):
    """One 1 x 1 convolution, with a ReLU."""

    name: Literal["convolution_1"]
    filter: Channels = Field(description="Channels after the convolution.")


class Downsample(Section):
    """A max pool over 2 x 2 pixels; `upsample` is vggnet's published spelling."""

    name: Literal["downsample", "upsample"]


class Concatenation(Section):
    """Images of one size become one, their channels side by side."""

    name: Literal["concatenation"]


class Addition(Section):
    """Images of one shape are added; `fusion` is vggnet's published spelling."""

    name: Literal["addition", "fusion"]


class Denses(Section):
    """Fully connected layers over all that came before, scalars included."""

    name: Literal["denses"]
    filters: list[Channels] = Field(
        min_length=1, max_length=100, description="Units per layer."
    )
    last_activation: Activation = Field(
        default="linear",
        description="Activation of the last layer; the others have relu.",
    )


Operation = Annotated[
    Convolutions | Convolution1 | Downsample | Concatenation | Addition | Denses,
    Field(discriminator="name"),
]
