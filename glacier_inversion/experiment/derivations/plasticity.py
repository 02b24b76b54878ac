"""Parameters of the thickness of perfectly plastic ice."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from glacier_inversion.experiment.derivation import Degrees, Derivation, OneRaster


class Plasticity(Derivation):
    """Thickness of perfectly plastic ice, tau / (shape_factor rho g sin(slope)), m."""

    own_unit: ClassVar[str | None] = "m"
    given_units: ClassVar[tuple[str, ...]] = ("degree",)

    name: Literal["plasticity"]
    of: OneRaster = Field(description="The slope of the surface, in degrees.")
    tau: Annotated[float, Field(gt=0, le=1e7)] = Field(
        default=1e5, description="Yield stress at the bed, in pascals."
    )
    shape_factor: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.8, description="Share of the driving stress that the bed bears."
    )
    minimum_slope: Degrees = Field(
        default=2.0, description="Degrees: smaller slopes are raised to it."
    )
