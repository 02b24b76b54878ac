"""The logarithm of a raster."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from glacier_inversion.dataset.computation import Place, Values
from glacier_inversion.experiment.derivations.log import Log


def compute(given: Log, rasters: Sequence[Values], at: Place) -> Values:
    """
    Compute ln(max(value, floor)), which has no unit.

    It lets a network see differences among what is small, such as slow ice.

    References
    ----------
    Box and Cox (1964), doi:10.1111/j.2517-6161.1964.tb00553.x, with lambda 0
    """
    del at
    (values,) = rasters
    logarithm: Values = np.log(np.maximum(values, given.floor))
    return logarithm
