"""The thickness of ice by its speed and slope."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from glacier_inversion.dataset.computation import Place, Values
from glacier_inversion.experiment.derivations.velocity_slope import VelocitySlope

_SECONDS_PER_YEAR = 365.25 * 24 * 3600
_ICE_KG_PER_M3 = 900.0
_GRAVITY_M_PER_S2 = 9.81


def compute(given: VelocitySlope, rasters: Sequence[Values], at: Place) -> Values:
    """
    Compute the thickness of ice that deforms by Glen's law, in metres.

    The surface's speed less its sliding, u = (1 - sliding_share) u_surface, is that of
    the shallow ice approximation with the exponent 3:

        u = A / 2 tau^3 thickness,  tau = shape_factor rho g thickness sin(slope)
        thickness = (2 u / (A (shape_factor rho g sin(slope))^3))^(1/4)

    with rho = 900 kg/m3, g = 9.81 m/s2, and slopes below `minimum_slope` raised to it.
    Speeds are in m/yr of 365.25 days; one below 0 counts as 0.

    References
    ----------
    Gantayat et al. (2014), doi:10.3189/2014JoG13J078
    """
    del at
    speed, slope = rasters
    deforming = (1 - given.sliding_share) * np.maximum(speed, 0) / _SECONDS_PER_YEAR
    sine = np.sin(np.radians(np.maximum(slope, given.minimum_slope)))
    weight = given.shape_factor * _ICE_KG_PER_M3 * _GRAVITY_M_PER_S2
    thickness: Values = (
        2 * deforming / (given.rate_factor * (weight * sine) ** 3)
    ) ** 0.25
    return thickness
