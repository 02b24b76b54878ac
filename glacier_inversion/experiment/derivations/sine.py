"""Parameters of the sine of an angle."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from glacier_inversion.experiment.derivation import Derivation, OneRaster


class Sine(Derivation):
    """Sine of an angle, without a unit."""

    own_unit: ClassVar[str | None] = "1"
    given_units: ClassVar[tuple[str, ...]] = ("degree",)

    name: Literal["sine"]
    of: OneRaster = Field(description="The angle, such as a slope, in degrees.")
    floor: Annotated[float, Field(ge=0, lt=90)] = Field(
        default=0.0, description="Degrees: smaller angles are raised to it."
    )
