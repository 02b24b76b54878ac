"""Parameters of a logarithm."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from glacier_inversion.experiment.derivation import Derivation, OneRaster
from glacier_inversion.experiment.values import PositiveFloat


class Log(Derivation):
    """Natural logarithm of a value in its unit; it has none itself."""

    own_unit: ClassVar[str | None] = "1"

    name: Literal["log"]
    of: OneRaster = Field(description="The raster to take the logarithm of.")
    floor: PositiveFloat = Field(
        description="In the raster's unit: smaller values are raised to it."
    )
