"""
How far metrics vary with the features: intervals from resamples of whole features.

Whatever follows from sums over pixels is measured on a resample without its pixels:
from the sum of the sums of the features that were drawn.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from glacier_inversion.evaluation.metrics import Kind

Floats = NDArray[np.float64]

LEVEL = 0.95
"""Of the intervals."""
N_RESAMPLES = 2000
LEAST_FEATURES = 4
"""
Fewer give no interval: of 3 features, more than 2.5 % of the resamples hold one alone,
so that the interval would end at the worst feature, however bad it is.
"""
_SEED = 0
_MOST_COUNTS = 10_000_000  # of features in resamples, in memory at once


def sum_by_feature(sums: Floats, feature: NDArray[np.intp]) -> Floats:
    """
    Add up the pixels of each feature that has one.

    Parameters
    ----------
    sums : float64 array, shape (n_pixels, n_sums)
    feature : int array, shape (n_pixels,)

    Returns
    -------
    by_feature : float64 array, shape (n_features, n_sums)
    """
    ids, number = np.unique(feature, return_inverse=True)
    columns = [np.bincount(number, column, len(ids)) for column in sums.T]
    return np.column_stack(columns) if columns else np.empty((len(ids), 0))


def resample(by_feature: Floats, n_resamples: int = N_RESAMPLES) -> Floats:
    """
    Draw features with replacement, as many as there are, and add up what they hold.

    Pixels of one feature are not independent of each other, so whole features are drawn
    (a cluster bootstrap: Davison and Hinkley 1997, section 3.8). The draws are the same
    each time.

    Parameters
    ----------
    by_feature : float64 array, shape (n_features, n_sums)

    Returns
    -------
    resampled : float64 array, shape (n_resamples, n_sums)
    """
    n_features = len(by_feature)
    generator = np.random.default_rng(_SEED)
    share = np.full(n_features, 1 / n_features)
    step = max(1, _MOST_COUNTS // n_features)
    return np.concatenate(
        [
            generator.multinomial(n_features, share, min(step, n_resamples - begin))
            @ by_feature
            for begin in range(0, n_resamples, step)
        ]
    )


def interval(values: Floats) -> list[float] | None:
    """Return the limits of the middle 95 % of resampled values, None of too few."""
    known = values[np.isfinite(values)]
    if len(known) < LEVEL * len(values):
        return None
    ends = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    limits: list[float] = np.quantile(known, ends).tolist()
    return limits


def find_intervals(
    kind: Kind, observed: Floats, predicted: Floats, feature: NDArray[np.intp]
) -> dict[str, list[float] | None] | None:
    """
    Return the 95 % intervals of the metrics that follow from sums.

    None where there are fewer than `LEAST_FEATURES` features; those of single metrics
    where many resamples have none.
    """
    by_feature = sum_by_feature(kind.sums(observed, predicted), feature)
    if len(by_feature) < LEAST_FEATURES:
        return None
    of_sums = kind.of_sums(resample(by_feature))
    return {name: interval(values) for name, values in of_sums.items()}


def compare(
    kind: Kind,
    observed: Floats,
    predicted: Floats,
    other: Floats,
    feature: NDArray[np.intp],
) -> tuple[float, list[float] | None]:
    """
    Return the skill of a prediction against another one, and its 95 % interval.

    That is 1 less the ratio of their errors at the same pixels: 1 is perfect, 0 no
    better. The error is the RMSE, or the Brier score.
    """
    both = [kind.sums(observed, values) for values in (predicted, other)]
    by_feature = [sum_by_feature(sums, feature) for sums in both]

    def skill(of_one: Floats, of_other: Floats) -> Floats:
        errors = [kind.of_sums(sums)[kind.error.name] for sums in (of_one, of_other)]
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(1 - errors[0] / errors[1])

    whole = float(skill(*(sums.sum(axis=0) for sums in by_feature)))
    if len(by_feature[0]) < LEAST_FEATURES:
        return whole, None
    return whole, interval(skill(*map(resample, by_feature)))
