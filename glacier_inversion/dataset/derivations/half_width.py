"""The half width of a glacier."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from glacier_inversion.dataset.computation import Place, Values
from glacier_inversion.dataset.discs import highest_within
from glacier_inversion.experiment.derivations.half_width import HalfWidth


def compute(given: HalfWidth, rasters: Sequence[Values], at: Place) -> Values:
    """
    Compute the largest distance to the margin within a radius, in metres.

    In a valley of constant width it is half of that, at every point from which the
    middle is within the radius. 0 where the distance is 0: outside.

    References
    ----------
    Blum (1967), A transformation for extracting new descriptors of shape, for the
    middle line as the ridge of the distance
    """
    (distance,) = rasters
    highest = highest_within(distance, given.radius / at.grid.resolution)
    half_width: Values = np.where(distance > 0, highest, distance)
    return half_width
