"""Parameters of a convolution of single pixels."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from glacier_inversion.experiment.operation import Operation
from glacier_inversion.experiment.values import Channels


class Convolution1(Operation):
    """One 1 x 1 convolution, with a ReLU."""

    name: Literal["convolution_1"]
    filter: Channels = Field(description="Channels after the convolution.")
