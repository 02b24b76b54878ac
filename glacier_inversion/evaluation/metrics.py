"""
Numbers that say how far predictions are from what was observed.

All of them but the NMAD follow from sums over pixels. So the pixels of each feature are
summed once, and any collection of features has its metrics from the sum of these sums:
all of them, one, or those that a bootstrap draws (`bootstrap`).

Each is described once, as a `Metric`; tables, files and the report follow from that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_THRESHOLD = 0.5  # of a probability


@dataclass(frozen=True, kw_only=True)
class Metric:
    """
    What tables, files and the report need to know of a metric.

    Attributes
    ----------
    name : str
        In metrics.json and metrics.csv.
    title : str
        In the report.
    column : str
        Above its column in a terminal: short, in ASCII.
    meaning : str
        Among the words that the report explains; neighbours may share one. Empty where
        none is needed.
    has_unit, is_signed, is_share : bool
        Whether it is in the unit of the output, else a mere number; and whether the
        report has it with its sign, or in percent.
    decimals : int
        Of a mere number in a terminal; in the report, as many digits that count.
    of_parts : bool
        Whether it is told of a class or feature alone: some say little of the narrow
        range of values there.
    is_main : bool
        Whether it is one of the few where not all have room, as beside outlines.
    of_errors : callable, optional
        Takes predicted less observed, shape (n_pixels,); returns the metric. Of one
        that does not follow from sums; so it has no interval.
    """

    name: str
    title: str
    column: str
    meaning: str = ""
    has_unit: bool = False
    is_signed: bool = False
    is_share: bool = False
    decimals: int = 2
    of_parts: bool = True
    is_main: bool = False
    of_errors: Callable[[Floats], float] | None = None


@dataclass(frozen=True)
class Kind:
    """
    How the predictions of an output are measured.

    Attributes
    ----------
    name : str
    metrics : tuple of Metric
        In the order in which tables and files have them.
    sums : callable
        Takes observed and predicted values, shape (n_pixels,) each; returns what is
        summed, shape (n_pixels, n_sums), the first of it ones.
    of_sums : callable
        Takes sums, shape (..., n_sums); returns the metrics that follow from them,
        shape (...) each, by name.
    error : Metric
        The one that skill compares.
    """

    name: str
    metrics: tuple[Metric, ...]
    sums: Callable[[Floats, Floats], Floats]
    of_sums: Callable[[Floats], dict[str, Floats]]
    error: Metric

    @property
    def names_of_parts(self) -> list[str]:
        """The names of those that are told of a class or a feature alone."""
        return [metric.name for metric in self.metrics if metric.of_parts]


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


_RMSE = Metric(
    name="rmse",
    title="RMSE",
    column="RMSE",
    meaning="Root mean square error: the typical size of predicted minus measured; "
    "large errors count most.",
    has_unit=True,
    is_main=True,
)
_MEAN = "Mean of the errors without and with their sign."
_MAE = Metric(name="mae", title="MAE", column="MAE", meaning=_MEAN, has_unit=True)
_BIAS = Metric(
    name="bias",
    title="bias",
    column="bias",
    meaning=_MEAN,
    has_unit=True,
    is_signed=True,
    is_main=True,
)
_NMAD = Metric(
    name="nmad",
    title="NMAD",
    column="NMAD",
    meaning="Normalised median absolute deviation: the typical error, hardly moved by "
    "a few large ones.",
    has_unit=True,
    of_parts=False,
    of_errors=nmad,
)
_LINE = (
    "The share of the variation that is explained: 1 is perfect, 0 is no better than "
    "the mean. The slope of predicted on measured: below 1, low values come out too "
    "high and high ones too low."
)
_R2 = Metric(name="r2", title="R²", column="R2", meaning=_LINE, of_parts=False)
_SLOPE = Metric(
    name="slope", title="slope", column="slope", meaning=_LINE, of_parts=False
)
REGRESSION = Kind(
    "regression",
    (_RMSE, _MAE, _BIAS, _NMAD, _R2, _SLOPE),
    _regression_sums,
    _regression_of,
    _RMSE,
)
"""
Of a measured output: RMSE, MAE, bias (predicted less observed) and NMAD in its unit;
R2, 1 less the squared errors over the squared deviations of the observed from their
mean; the slope of the least-squares line of predicted on observed.
"""

_ACCURACY = Metric(
    name="accuracy", title="accuracy", column="accuracy", is_share=True, is_main=True
)
_PRECISION = Metric(
    name="precision", title="precision", column="precision", is_share=True
)
_RECALL = Metric(name="recall", title="recall", column="recall", is_share=True)
_IOU = Metric(name="iou", title="IoU", column="IoU", is_share=True, is_main=True)
_BRIER = Metric(
    name="brier",
    title="Brier score",
    column="Brier",
    decimals=3,  # 2 leave one digit, or none
    is_main=True,
)
CLASSIFICATION = Kind(
    "classification",
    (_ACCURACY, _PRECISION, _RECALL, _IOU, _BRIER),
    _classification_sums,
    _classification_of,
    _BRIER,
)
"""
Of an output that is 0 or 1, predicted as a probability: 1 is said from 0.5 on. The
Brier score is the mean squared difference of the probability from 0 or 1 (Brier 1950,
doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2).
"""

KINDS = {kind.name: kind for kind in (REGRESSION, CLASSIFICATION)}
METRICS_BY_NAME = {
    metric.name: metric for kind in KINDS.values() for metric in kind.metrics
}
"""All of them by name, in the order of tables."""


def measure(kind: Kind, observed: Floats, predicted: Floats) -> dict[str, float]:
    """
    Return the metrics of some pixels, NaN where they say nothing.

    >>> errors = measure(REGRESSION, np.array([1.0, 3.0]), np.array([2.0, 6.0]))
    >>> {name: round(value, 3) for name, value in errors.items()}
    {'rmse': 2.236, 'mae': 2.0, 'bias': 2.0, 'nmad': 1.483, 'r2': -4.0, 'slope': 2.0}
    """
    of_sums = kind.of_sums(kind.sums(observed, predicted).sum(axis=0))
    own = {name: float(value) for name, value in of_sums.items()}
    for metric in kind.metrics:
        if metric.of_errors is not None:
            own[metric.name] = metric.of_errors(predicted - observed)
    return {metric.name: own[metric.name] for metric in kind.metrics}


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
