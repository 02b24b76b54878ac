"""Ice that a total of volumes counts twice, as outlines overlap."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import shapely

from glacier_inversion.dataset.splits import find_shared_areas

logger = logging.getLogger(__name__)

# Of the area of all outlines: borders overlap by slivers, which do not matter.
_LEAST = 0.001
_MOST_NAMED = 5


def warn_of_overlaps(
    model: str, output: str, outlines: Mapping[str, shapely.Geometry]
) -> None:
    """Warn if the outlines of a total overlap: each counts the ice that they share."""
    if described := describe_overlaps(outlines):
        what = "the total counts ice once for each outline, and some overlap"
        remedy = "For the volume of all, draw but one of such outlines"
        logger.warning("%s: %s: %s: %s. %s", model, output, what, described, remedy)


def describe_overlaps(outlines: Mapping[str, shapely.Geometry]) -> str | None:
    """
    Name the outlines that overlap, and the areas; None if it is next to nothing.

    >>> a, b = shapely.box(0, 0, 2000, 1000), shapely.box(1000, 0, 3000, 1000)
    >>> describe_overlaps({"a": a, "b": b})
    'a and b by 1 km2'
    >>> describe_overlaps({"a": a, "b": shapely.box(1999, 0, 3999, 1000)})
    """
    shared = find_shared_areas(outlines)
    whole = sum(outline.area for outline in outlines.values()) / 1e6
    if sum(pair["area_km2"] for pair in shared) <= _LEAST * whole:
        return None
    named = [
        f"{' and '.join(pair['features'])} by {pair['area_km2']:.4g} km2"
        for pair in shared[:_MOST_NAMED]
    ]
    more = len(shared) - _MOST_NAMED
    return ", ".join(named) + (f", and {more} more pairs" if more > 0 else "")
