"""What a PIT histogram shows, in words."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtri, owens_t

from glacier_inversion.reporting.quantities import percent

_ABOUT_RIGHT = 1.25  # of the size of errors to that said: less, or its inverse, is fine
_SLOPE = 0.05  # of the mean from the middle: a bias of 0.18 times the error said
_TOO_FAR = 0.3  # of the mean from the middle: most values are near one end then


def tell_pit(shares: Sequence[float]) -> str:
    """
    Say whether intervals are too wide or too narrow, and predictions too high or low.

    From the mean and the variance of the histogram, as those of normal errors would be.
    A bias makes the variance less, so it is taken into account; where it is so large
    that most values are near one end, nothing is said of the intervals. A histogram
    that is not flat may have the mean and variance of one that is, so what the parts
    hold is said then, and not that it is flat.

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
    off = abs(mean - 0.5)
    ratio = _size_of_errors(mean, variance) if off <= _TOO_FAR else 1.0
    said = []
    if ratio > _ABOUT_RIGHT:
        said.append(
            "it is high at the ends: measured values lie outside more often than they "
            "should, so intervals are too narrow"
        )
    elif ratio < 1 / _ABOUT_RIGHT:
        where = "in the middle" if off <= _SLOPE else "beside the middle"
        said.append(
            f"it is high {where}: measured values lie there more often than they "
            "should, so intervals are too wide"
        )
    if off > _SLOPE:
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
    if off > _TOO_FAR:
        said.append("most lie near one end, which hides how wide intervals should be")
    if not said:
        low, high = percent(parts.min()), percent(parts.max())
        held = (
            f"each part holds {low}" if low == high else f"parts hold {low} to {high}"
        )
        right = percent(1 / len(parts))
        said = [f"on the whole it is as it should be: {held}, and {right} is right"]
    return "; ".join(said) + "."


def _size_of_errors(mean: float, variance: float) -> float:
    """
    Return the size of normal errors, relative to that said, from mean and variance.

    Of errors of size *r* and any bias, a PIT of mean *m* has the variance
    m (1 - m) - 2 T(h, a), where T is Owen's function, m = Phi(h), and
    a^2 = 1 / (1 + 2 r^2).

    >>> round(_size_of_errors(0.5, 1 / 12), 9)
    1.0
    """
    height, left = ndtri(mean), (mean * (1 - mean) - variance) / 2
    if left <= 0:
        return math.inf
    if left >= owens_t(height, 1.0):
        return 0.0
    a = brentq(lambda a: float(owens_t(height, a)) - left, 0.0, 1.0)
    return math.sqrt((1 / a**2 - 1) / 2)
