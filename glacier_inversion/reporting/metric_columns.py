"""Metrics as columns of the report, and as words that it explains."""

from __future__ import annotations

from itertools import groupby

from glacier_inversion.evaluation.metrics import METRICS_BY_NAME, Kind, Metric
from glacier_inversion.evaluation.metrics_file import Errors, MethodErrors
from glacier_inversion.reporting.quantities import number, percent, signed


def order_metrics(kind: Kind) -> list[Metric]:
    """
    Return the metrics of a kind in the order of their columns.

    The one that skill compares is the first; others with an interval are next.

    >>> from glacier_inversion.evaluation.metrics import CLASSIFICATION, REGRESSION
    >>> [metric.title for metric in order_metrics(REGRESSION)]
    ['RMSE', 'bias', 'MAE', 'NMAD', 'R²', 'slope']
    >>> [metric.title for metric in order_metrics(CLASSIFICATION)]
    ['Brier score', 'accuracy', 'IoU', 'precision', 'recall']
    """
    return sorted(
        kind.metrics,
        key=lambda metric: (metric is not kind.error, not metric.is_main),
    )


def write_metric(metric: Metric, errors: Errors, like: float | None) -> str:
    """
    Write a metric of some pixels.

    What has the output's unit is written to the decimals of *like*, an error.
    """
    return _write(metric, errors[metric.name], like)


def write_with_interval(
    metric: Metric, errors: MethodErrors, like: float | None
) -> str:
    """Write a metric as `write_metric` does, a main one with its interval behind it."""
    text = write_metric(metric, errors, like)
    limits = (errors.intervals or {}).get(metric.name)
    if limits is None or not metric.is_main:
        return text
    low, high = (_write(metric, limit, like) for limit in limits)
    return f"{text} ({low} to {high})"


def explain_metrics() -> list[tuple[str, str]]:
    """
    Return words with their meaning; neighbours of one meaning are one entry.

    >>> [words for words, _ in explain_metrics()]
    ['RMSE', 'MAE, bias', 'NMAD', 'R², slope']
    """
    every = groupby(METRICS_BY_NAME.values(), lambda metric: metric.meaning)
    return [
        (", ".join(metric.title for metric in alike), meaning)
        for meaning, alike in every
        if meaning
    ]


def _write(metric: Metric, value: float | None, like: float | None) -> str:
    if metric.is_share:
        return percent(value, 1)
    if not metric.has_unit:
        return number(value, digits=metric.decimals)
    return (signed if metric.is_signed else number)(value, like=like)
