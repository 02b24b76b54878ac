"""
Numbers that say how far predictions are from what was observed.

All of them but the NMAD follow from sums over pixels. So the pixels of each feature are
summed once, and any collection of features has its metrics from the sum of these sums:
all of them, one, or those that a bootstrap draws.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
_THRESHOLD = 0.5  # of a probability


@dataclass(frozen=True)
class Kind:
    """
    How the predictions of an output are measured.

    Attributes
    ----------
    name : str
    metrics : tuple of str
        In the order in which tables have them.
    sums : callable
        Takes observed and predicted values, shape (n_pixels,) each; returns what is
        summed, shape (n_pixels, n_sums), the first of it ones.
    of_sums : callable
        Takes sums, shape (..., n_sums); returns the metrics, shape (...) each.
    error : str
        The metric that skill compares.
    """

    name: str
    metrics: tuple[str, ...]
    sums: Callable[[Floats, Floats], Floats]
    of_sums: Callable[[Floats], dict[str, Floats]]
    error: str


def _regression_sums(observed: Floats, predicted: Floats) -> Floats:
    # products of large numbers leave little of small differences
    origin = observed.mean() if len(observed) else 0.0
    error, own, other = predicted - observed, observed - origin, predicted - origin
    return np.column_stack(
        [
            np.ones(len(error)),
            np.abs(error),
            error,
            error**2,
            own,
            own**2,
            other,
            own * other,
        ]
    )


def _regression_of(sums: Floats) -> dict[str, Floats]:
    n, absolute, signed, squared, own, own2, other, product = np.moveaxis(sums, -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        variation = own2 - own**2 / n
        # what is left of equal values is rounding
        variation = np.where(variation > 1e-12 * own2, variation, np.nan)
        return {
            "rmse": np.sqrt(squared / n),
            "mae": absolute / n,
            "bias": signed / n,
            "r2": 1 - squared / variation,
            "slope": (product - own * other / n) / variation,
        }


def _classification_sums(observed: Floats, predicted: Floats) -> Floats:
    is_one, said_one = observed >= _THRESHOLD, predicted >= _THRESHOLD
    return np.column_stack(
        [
            np.ones(len(observed)),
            is_one & said_one,
            ~is_one & said_one,
            is_one & ~said_one,
            (predicted - is_one) ** 2,
        ]
    )


def _classification_of(sums: Floats) -> dict[str, Floats]:
    n, right, wrong, missed, squared = np.moveaxis(sums, -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "accuracy": 1 - (wrong + missed) / n,
            "precision": right / (right + wrong),
            "recall": right / (right + missed),
            "iou": right / (right + wrong + missed),
            "brier": squared / n,
        }


REGRESSION = Kind(
    "regression",
    ("rmse", "mae", "bias", "nmad", "r2", "slope"),
    _regression_sums,
    _regression_of,
    "rmse",
)
"""
Of a measured output: RMSE, MAE, bias (predicted less observed) and NMAD in its unit;
R2, 1 less the squared errors over the squared deviations of the observed from their
mean; the slope of the least-squares line of predicted on observed.
"""
CLASSIFICATION = Kind(
    "classification",
    ("accuracy", "precision", "recall", "iou", "brier"),
    _classification_sums,
    _classification_of,
    "brier",
)
"""
Of an output that is 0 or 1, predicted as a probability: 1 is said from 0.5 on. The
Brier score is the mean squared difference of the probability from 0 or 1 (Brier 1950,
doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2).
"""


def nmad(error: Floats) -> float:
    """
    Return the normalised median absolute deviation, NaN of no errors.

    1.4826 times the median distance from the median: the standard deviation of normal
    errors, and little moved by outliers (Höhle and Höhle 2009,
    doi:10.1016/j.isprsjprs.2009.02.003).

    >>> round(nmad(np.array([-1.0, 0.0, 1.0, 50.0])), 4)
    1.4826
    """
    if not len(error):
        return float("nan")
    return float(1.4826 * np.median(np.abs(error - np.median(error))))


def measure(kind: Kind, observed: Floats, predicted: Floats) -> dict[str, float]:
    """
    Return the metrics of some pixels, NaN where they say nothing.

    >>> errors = measure(REGRESSION, np.array([1.0, 3.0]), np.array([2.0, 6.0]))
    >>> {name: round(value, 3) for name, value in errors.items()}
    {'rmse': 2.236, 'mae': 2.0, 'bias': 2.0, 'nmad': 1.483, 'r2': -4.0, 'slope': 2.0}
    """
    of_sums = kind.of_sums(kind.sums(observed, predicted).sum(axis=0))
    own = {name: float(value) for name, value in of_sums.items()}
    if "nmad" in kind.metrics:
        own["nmad"] = nmad(predicted - observed)
    return {name: own[name] for name in kind.metrics}


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
        errors = [kind.of_sums(sums)[kind.error] for sums in (of_one, of_other)]
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(1 - errors[0] / errors[1])

    whole = float(skill(*(sums.sum(axis=0) for sums in by_feature)))
    if len(by_feature[0]) < LEAST_FEATURES:
        return whole, None
    return whole, interval(skill(*map(resample, by_feature)))


def reliability(
    observed: Floats, predicted: Floats, n_bins: int = 10
) -> list[dict[str, float]]:
    """
    Tell how often a 1 was observed where a probability was predicted.

    Returns
    -------
    bins : list of dict
        Of probabilities from 'from' on and below 'to': how many pixels, 'n', their mean
        probability, 'predicted', and the share of 1, 'observed'. Without empty bins.

    Examples
    --------
    >>> reliability(np.array([0.0, 1.0, 1.0]), np.array([0.2, 0.2, 1.0]), 2)[0]
    {'from': 0.0, 'to': 0.5, 'n': 2, 'predicted': 0.2, 'observed': 0.5}
    """
    edges = np.linspace(0, 1, n_bins + 1)
    number = np.clip(np.searchsorted(edges, predicted, side="right") - 1, 0, n_bins - 1)
    return [
        {
            "from": float(edges[i]),
            "to": float(edges[i + 1]),
            "n": int((number == i).sum()),
            "predicted": float(predicted[number == i].mean()),
            "observed": float((observed[number == i] >= _THRESHOLD).mean()),
        }
        for i in range(n_bins)
        if (number == i).any()
    ]
