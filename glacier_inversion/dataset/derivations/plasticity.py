"""The thickness of perfectly plastic ice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from glacier_inversion.dataset.computation import Place, Values
from glacier_inversion.experiment.derivations.plasticity import Plasticity

_ICE_KG_PER_M3 = 900.0
_GRAVITY_M_PER_S2 = 9.81


def compute(given: Plasticity, rasters: Sequence[Values], at: Place) -> Values:
    """
    Compute the thickness of perfectly plastic ice, in metres.

        thickness = tau / (shape_factor rho g sin(max(slope, minimum_slope)))

    with rho = 900 kg/m3 and g = 9.81 m/s2. A slope over some ice thicknesses is meant:
    smooth it first.

    References
    ----------
    Nye (1952), The mechanics of glacier flow, Journal of Glaciology 2(12), 82-93;
    Linsbauer et al. (2012), doi:10.1029/2011JF002313
    """
    del at
    (slope,) = rasters
    sine = np.sin(np.radians(np.maximum(slope, given.minimum_slope)))
    weight = given.shape_factor * _ICE_KG_PER_M3 * _GRAVITY_M_PER_S2
    thickness: Values = given.tau / (weight * sine)
    return thickness
