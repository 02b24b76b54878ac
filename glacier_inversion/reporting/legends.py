"""Legends of maps: what colours mean, with ticks at round numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass

from glacier_inversion.drawing.styles import Range, nice_step
from glacier_inversion.reporting.quantities import exact

_STEPS = 4  # between ticks, at most
_CHARACTER = 100 / 30  # percent of the way, on the narrowest map of a feature


@dataclass(frozen=True)
class Legend:
    """
    What the colours of a map mean.

    Attributes
    ----------
    colours : str
        Their name in the style sheet.
    low, high : str
        What is written at the ends.
    ticks : tuple of (float, str)
        Places between the ends, in percent of the way, and what is written there.
    """

    colours: str
    low: str
    high: str
    ticks: tuple[tuple[float, str], ...]


def legend_of(colours: str, shown: Range, low: str, high: str) -> Legend:
    """
    Return a legend with ticks at round numbers, where there is room for them.

    Parameters
    ----------
    shown : tuple of float
        The values of the first and the last colour.

    Examples
    --------
    >>> legend_of("mean", (0.0, 500.0), "0", "500 m").ticks
    ((40.0, '200'),)
    >>> legend_of("residual", (-50.0, 50.0), "-50", "+50").ticks
    ((50.0, '0'),)
    >>> legend_of("mean", (0.0, 800.0), "0", "800 m").ticks
    ((25.0, '200'), (50.0, '400'), (75.0, '600'))
    >>> legend_of("residual", (-200.0, 200.0), "≤ -200", "≥ +200 m").ticks
    ((50.0, '0'),)
    """
    first, last = shown
    width = last - first
    if not width > 0:
        return Legend(colours, low, high, ())
    step = nice_step(width / _STEPS)
    ticks = []
    for number in range(math.ceil(first / step), math.floor(last / step) + 1):
        place = 100 * (number * step - first) / width
        text = exact(number * step)
        half = (len(text) + 1) / 2 * _CHARACTER  # of it, and of what parts two texts
        begin, end = len(low) * _CHARACTER, 100 - len(high) * _CHARACTER
        if begin + half < place < end - half:
            ticks.append((round(place, 2), text))
    return Legend(colours, low, high, tuple(ticks))
