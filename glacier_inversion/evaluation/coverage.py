"""
How honest intervals and standard errors are: what they cover, and at what width.

All take float64 arrays of the shape (n_pixels,). A residual is predicted less observed.
Pixels where one of the numbers is NaN are left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri
from scipy.stats import rankdata

from glacier_inversion.evaluation.bootstrap import (
    LEAST_FEATURES,
    interval,
    resample,
    sum_by_feature,
)
from glacier_inversion.training.model.calibration import LEVELS

Floats = NDArray[np.float64]

N_BINS = 10
"""Of PIT histograms."""


def crps_normal(residual: Floats, sigma: Floats) -> Floats:
    """
    Return the continuous ranked probability score of normal distributions.

    It is in the unit of the output, and the less the better; the absolute residual
    where sigma is 0.

    References
    ----------
    Gneiting et al. (2005), doi:10.1175/MWR2904.1, equation 5.

    Examples
    --------
    >>> crps_normal(np.array([0.0, -2.0, 2.0]), np.array([1.0, 1.0, 0.0])).round(4)
    array([0.2337, 1.4528, 2.    ])
    """
    z = _over(residual, sigma)
    density = np.exp(-(z**2) / 2) * math.sqrt(2 / math.pi)
    within = sigma * (density - 1 / math.sqrt(math.pi))
    return np.asarray(residual * (2 * ndtr(z) - 1) + within)


def crps_normal_slope(residual: Floats, sigma: Floats) -> Floats:
    """Return how `crps_normal` grows with sigma, which is above 0."""
    density = np.exp(-((residual / sigma) ** 2) / 2) * math.sqrt(2 / math.pi)
    return np.asarray(density - 1 / math.sqrt(math.pi))


def interval_score(residual: Floats, half_width: Floats, level: float) -> Floats:
    """
    Return the interval score: the width, and 2 / (1 - level) of what lies outside.

    It is in the unit of the output, and the less the better.

    Parameters
    ----------
    half_width : float64 array
        Of intervals around the prediction.
    level : float
        In percent.

    References
    ----------
    Winkler (1972); Gneiting and Raftery (2007), doi:10.1198/016214506000001437,
    equation 43.

    Examples
    --------
    >>> interval_score(np.array([1.0, -5.0]), np.array([2.0, 2.0]), 80)
    array([ 4., 34.])
    """
    outside = np.maximum(np.abs(residual) - half_width, 0)
    return np.asarray(2 * half_width + outside * 2 / (1 - level / 100))


def normal_half_widths(sigma: Floats) -> dict[int, Floats]:
    """
    Return half the widths of the intervals that normal errors would have, by level.

    >>> normal_half_widths(np.array([1.0]))[95].round(2)
    array([1.96])
    """
    return {level: ndtri((1 + level / 100) / 2) * sigma for level in LEVELS}


def score_intervals(
    residual: Floats, half_widths: Mapping[int, Floats], feature: NDArray[np.intp]
) -> dict[str, dict[str, Any]]:
    """
    Tell what intervals cover, and how wide they are.

    Parameters
    ----------
    half_widths : mapping of float64 arrays
        By level, in percent.
    feature : int array, shape (n_pixels,)
        The number of each pixel's feature.

    Returns
    -------
    scores : dict of dict
        By level: 'n', how many pixels; their share that is covered, 'coverage', its
        95 % 'interval' by a bootstrap over features (None of fewer than 4), the 'least'
        share of a feature and 'least_feature', its number, the 'std' of the shares of
        the features (ddof 1; None of one), the 'mean_width' and the mean
        'interval_score'. Empty without pixels.
    """
    return {
        str(level): scores
        for level, half_width in half_widths.items()
        if (scores := _score_level(residual, half_width, feature, level))
    }


def _score_level(
    residual: Floats, half_width: Floats, feature: NDArray[np.intp], level: int
) -> dict[str, Any]:
    there = np.isfinite(residual) & np.isfinite(half_width)
    if not there.any():
        return {}
    residual, half_width, feature = residual[there], half_width[there], feature[there]
    covers = np.abs(residual) <= half_width
    sums = np.column_stack([np.ones(len(covers)), covers])
    by_feature = sum_by_feature(sums, feature)
    shares = by_feature[:, 1] / by_feature[:, 0]
    least = int(np.argmin(shares))
    limits = None
    if len(shares) >= LEAST_FEATURES:
        resampled = resample(by_feature)
        limits = interval(resampled[:, 1] / resampled[:, 0])
    return {
        "n": len(covers),
        "coverage": float(covers.mean()),
        "interval": limits,
        "least": float(shares[least]),
        "least_feature": int(np.unique(feature)[least]),
        "std": float(shares.std(ddof=1)) if len(shares) > 1 else None,
        "mean_width": float(2 * half_width.mean()),
        "interval_score": float(interval_score(residual, half_width, level).mean()),
    }


def score_sigma(residual: Floats, sigma: Floats) -> dict[str, Any]:
    """
    Tell how well standard errors say how large errors are.

    Returns
    -------
    scores : dict
        'n', how many pixels; 'crps', the mean of `crps_normal`; the correlation of
        absolute errors with sigma, 'pearson', and that of their ranks, 'spearman', None
        where one of the two is constant; 'pit', the shares of the pixels in ten equal
        bins of the
        probability integral transform: where the observed lies in the normal
        distribution that is predicted. All are 0.1 where these are right, the ends are
        more where sigma is too small. Empty without pixels.
    """
    there = np.isfinite(residual) & np.isfinite(sigma)
    residual, sigma = residual[there], sigma[there]
    if not len(residual):
        return {}
    error = np.abs(residual)
    pit = ndtr(_over(-residual, sigma))
    counts, _ = np.histogram(pit, N_BINS, (0, 1))
    return {
        "n": len(residual),
        "crps": float(crps_normal(residual, sigma).mean()),
        "pearson": _correlation(error, sigma),
        "spearman": _correlation(rankdata(error), rankdata(sigma)),
        "pit": (counts / len(pit)).tolist(),
    }


def _over(residual: Floats, sigma: Floats) -> Floats:
    """Divide by sigma; what lies infinitely far off is as far as numbers go."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        z = np.where(residual == 0, 0, residual / sigma)
    return np.clip(z, -1e100, 1e100)


def _correlation(one: Floats, other: Floats) -> float | None:
    """Return Pearson's correlation, None where one of the two is constant."""
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return None
    return float(np.corrcoef(one, other)[0, 1])
