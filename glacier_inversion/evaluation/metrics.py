"""
Numbers that say how far predictions are from what was observed.

All of them but the NMAD follow from sums over pixels. So the pixels of each feature are
summed once, and any collection of features has its metrics from the sum of these sums:
all of them, one, or those that a bootstrap draws (`bootstrap`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

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
