"""Where ice is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from glacier_inversion.dataset.computation import Place, Values
from glacier_inversion.experiment.derivations.inside import Inside


def compute(given: Inside, rasters: Sequence[Values], at: Place) -> Values:
    """
    Tell where a pixel's centre is inside any outline: 1, else 0; without a unit.

    Nunataks that are holes of outlines are outside.

    References
    ----------
    Paul et al. (2009), Annals of Glaciology 50(53), 119-126, for what outlines hold
    """
    del given, rasters
    return at.ice.inside(at.grid).astype(np.float64)
