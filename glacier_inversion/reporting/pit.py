"""What a PIT histogram shows, in words."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from glacier_inversion.reporting.quantities import percent

_ABOUT_RIGHT = 1.25  # of the size of errors to that said: less, or its inverse, is fine
_SLOPE = 0.05  # of the mean from the middle: a bias of 0.18 times the error said


def tell_pit(shares: Sequence[float]) -> str:
    """
    Say whether intervals are too wide or too narrow, and predictions too high or low.

    From the mean and the variance of the histogram. Of normal errors whose size is *r*
    times that said the variance is arcsin(r^2 / (1 + r^2)) / (2 pi): 1/12, that of a
    flat histogram, where r is 1. One that is not flat may have its mean and variance,
    so what the parts hold is said then, and not that it is flat.

    Parameters
    ----------
    shares : sequence of float
        Of the measured values in equal parts of what was predicted, the lowest first;
        their sum is 1.

    Examples
    --------
    >>> tell_pit([0.1] * 10)
    'on the whole it is as it should be: each part holds 10 %, and 10 % is right.'
    >>> tell_pit([0.06, 0.14] * 5)
    'on the whole it is as it should be: parts hold 6 % to 14 %, and 10 % is right.'
    """
    edges = np.linspace(0, 1, len(shares) + 1)
    centres = (edges[1:] + edges[:-1]) / 2
    parts = np.asarray(shares) / np.sum(shares)
    mean = float(parts @ centres)
    variance = float(parts @ (centres - mean) ** 2) + 1 / (12 * len(parts) ** 2)
    ratio = _size_of_errors(variance)
    said = []
    if ratio > _ABOUT_RIGHT:
        said.append(
            "it is high at the ends: measured values lie outside more often than they "
            "should, so intervals are too narrow"
        )
    elif ratio < 1 / _ABOUT_RIGHT:
        said.append(
            "it is high in the middle: measured values lie there more often than they "
            "should, so intervals are too wide"
        )
    if abs(mean - 0.5) > _SLOPE:
        if mean > 0.5:
            said.append(
                "it rises from left to right: measured values lie high in what was "
                "predicted, so predictions are too low"
            )
        else:
            said.append(
                "it falls from left to right: measured values lie low in what was "
                "predicted, so predictions are too high"
            )
    if not said:
        low, high = percent(parts.min()), percent(parts.max())
        held = (
            f"each part holds {low}" if low == high else f"parts hold {low} to {high}"
        )
        right = percent(1 / len(parts))
        said = [f"on the whole it is as it should be: {held}, and {right} is right"]
    return "; ".join(said) + "."


def _size_of_errors(variance: float) -> float:
    """
    Return the size of normal errors, relative to that said, from a variance of PIT.

    >>> round(_size_of_errors(1 / 12), 9)
    1.0
    """
    share = math.sin(2 * math.pi * min(variance, 0.25))
    return math.sqrt(share / (1 - share)) if share < 1 else math.inf
