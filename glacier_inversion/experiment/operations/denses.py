"""Parameters of dense layers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from glacier_inversion.choices import Activation
from glacier_inversion.experiment.operation import Operation
from glacier_inversion.experiment.values import Channels


class Denses(Operation):
    """Fully connected layers over all that came before, scalars included."""

    name: Literal["denses"]
    filters: list[Channels] = Field(
        min_length=1, max_length=100, description="Units per layer."
    )
    last_activation: Activation = Field(
        default="linear",
        description="Activation of the last layer; the others have relu.",
    )
