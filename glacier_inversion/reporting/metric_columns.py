"""Metrics as columns of the report, and as words that it explains."""

from __future__ import annotations

from itertools import groupby

from glacier_inversion.evaluation.metrics import METRICS_BY_NAME, Kind, Metric
from glacier_inversion.evaluation.metrics_file import Errors, MethodErrors
from glacier_inversion.reporting.quantities import number, percent, signed, span


def order_metrics(kind: Kind) -> list[Metric]:
    """
    Return the metrics of a kind in the order of their columns.

    The one that skill compares is the first; others with their interval are next.

    >>> from glacier_inversion.evaluation.metrics import CLASSIFICATION, REGRESSION
    >>> [metric.title for metric in order_metrics(REGRESSION)]
    ['RMSE', 'bias', 'MAE', 'NMAD', 'R²', 'slope']
    >>> [metric.title for metric in order_metrics(CLASSIFICATION)]
    ['Brier score', 'accuracy', 'precision', 'recall', 'IoU']
    """
    return sorted(
        kind.metrics,
        key=lambda metric: (metric is not kind.error, not _shows_interval(metric)),
    )


def write_metric(metric: Metric, errors: Errors, like: float | None) -> str:
    """
    Write a metric of some pixels.

    What has the output's unit is written to the decimals of *like*, an error.
    """
    value = errors[metric.name]
    if metric.is_share:
        return percent(value, 1)
    if not metric.has_unit:
        return number(value, digits=metric.decimals)
    return (signed if metric.is_signed else number)(value, like=like)


def write_with_interval(
    metric: Metric, errors: MethodErrors, like: float | None
) -> str:
    """Write a metric as `write_metric` does, and in brackets its interval, if shown."""
    text = write_metric(metric, errors, like)
    limits = (errors.intervals or {}).get(metric.name)
    if limits is None or not _shows_interval(metric):
        return text
    return f"{text} ({span(limits, like=like)})"


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


def _shows_interval(metric: Metric) -> bool:
    """Say whether the table of all checks has its interval: mere numbers have none."""
    return metric.is_main and metric.has_unit
