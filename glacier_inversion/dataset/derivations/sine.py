"""The sine of an angle."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from glacier_inversion.dataset.computation import Place, Values
from glacier_inversion.experiment.derivations.sine import Sine


def compute(given: Sine, rasters: Sequence[Values], at: Place) -> Values:
    """
    Compute sin(max(angle, floor)), which has no unit, of angles in degrees.

    The driving stress of ice is proportional to it.

    References
    ----------
    Cuffey and Paterson (2010), The Physics of Glaciers, 4th edition
    """
    del at
    (angle,) = rasters
    sine: Values = np.sin(np.radians(np.maximum(angle, given.floor)))
    return sine
