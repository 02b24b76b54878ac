"""Parameters of coordinate attention."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from glacier_inversion.experiment.operation import Operation


class Attention(Operation):
    """Coordinate attention: each pixel is weighted by what its row and column hold."""

    name: Literal["attention"]
    reduction: Annotated[int, Field(ge=1, le=65_536)] = Field(
        default=32,
        description="What the number of channels is divided by in between; 8 remain "
        "at least.",
    )
