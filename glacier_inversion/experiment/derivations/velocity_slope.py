"""Parameters of the thickness of ice by its speed and slope."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from glacier_inversion.experiment.derivation import Degrees, Derivation, TwoRasters


class VelocitySlope(Derivation):
    """Thickness of ice in metres by its speed and slope (Gantayat et al. 2014)."""

    own_unit: ClassVar[str | None] = "m"
    given_units: ClassVar[tuple[str, ...]] = ("m/yr", "degree")

    name: Literal["velocity_slope"]
    of: TwoRasters = Field(
        description="The speed of the surface, in m/yr, and its slope, in degrees."
    )
    rate_factor: Annotated[float, Field(ge=1e-30, le=1e-18)] = Field(
        default=3.24e-24, description="Of Glen's flow law, in Pa^-3 s^-1."
    )
    sliding_share: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.25, description="Share of the surface's speed that is sliding."
    )
    shape_factor: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.8, description="Share of the driving stress that the bed bears."
    )
    minimum_slope: Degrees = Field(
        default=2.0, description="Degrees: smaller slopes are raised to it."
    )
