"""The magnitude of a vector."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from glacier_inversion.dataset.computation import Place, Values
from glacier_inversion.experiment.derivations.magnitude import Magnitude


def compute(given: Magnitude, rasters: Sequence[Values], at: Place) -> Values:
    """
    Compute sqrt(x^2 + y^2), in the unit of the components.

    Unknown where either is. Averages of components, of which tiles are often made,
    cancel where directions differ: such a magnitude is not the average speed.

    References
    ----------
    Pythagoras' theorem.
    """
    del given, at
    x, y = rasters
    magnitude: Values = np.hypot(x, y)
    return magnitude
