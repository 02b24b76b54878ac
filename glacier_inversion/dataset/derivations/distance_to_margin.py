"""The distance to the margin of ice."""

from __future__ import annotations

from collections.abc import Sequence

from glacier_inversion.dataset.computation import Place, Values
from glacier_inversion.experiment.derivations.distance_to_margin import (
    DistanceToMargin,
)


def compute(given: DistanceToMargin, rasters: Sequence[Values], at: Place) -> Values:
    """
    Compute the distance of a pixel's centre to the margin of all ice, in metres.

    The least distance to the boundary of the union of all outlines, nunataks among it,
    by the outlines themselves and not by pixels; 0 outside. A border that outlines
    share is no margin, nor is a gap between them narrower than a tenth of a pixel.

    References
    ----------
    Farinotti et al. (2017), doi:10.5194/tc-11-949-2017, for models that use it
    """
    del given, rasters
    return at.ice.distance_to_margin(at.grid)
