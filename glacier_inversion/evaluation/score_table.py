"""Scores as a table for a terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from glacier_inversion.evaluation.coverage_table import (
    list_coverage,
    list_pit,
    tell_calibration,
)
from glacier_inversion.evaluation.metrics import KINDS, METRICS_BY_NAME
from glacier_inversion.evaluation.scores import Scores

_MOST_FEATURES = 20  # that are printed

Rows = list[list[str]]


def format_metrics(metrics: Mapping[str, Any]) -> str:
    """Write what metrics.json holds as tables for a terminal."""
    parts = [
        _format_output(name, metrics, scores)
        for name, scores in metrics["outputs"].items()
    ]
    return "\n\n".join(parts)


def _format_output(output: str, metrics: Mapping[str, Any], scores: Scores) -> str:
    """Write the tables of an output, between a heading and what they mean."""
    write = _Numbers(scores["ensemble"].get("rmse"))
    tables = [
        [
            *_list_methods(scores, write),
            *_list_classes(output, scores, write),
            *_list_features(scores, write),
        ]
    ]
    if uncertainty := scores.get("uncertainty"):
        one = "feature" if scores["n_groups"] is None else "group"
        tables += [
            list_coverage(uncertainty, write.error, one),
            list_pit(uncertainty),
        ]
    parts = [
        _head(output, metrics, scores),
        *("\n".join(_aligned(rows)) for rows in tables if rows),
        "\n".join(_explain(scores, of_folds="folds" in metrics)),
    ]
    return "\n\n".join(parts)


def _head(output: str, metrics: Mapping[str, Any], scores: Scores) -> str:
    """Say of what the scores are."""
    unit = f" ({scores['unit']})" if scores["unit"] else ""
    missed = scores["n_known"] - scores["n_predicted"]
    groups = ""
    if scores["n_groups"] is not None:
        groups = f" in {scores['n_groups']:,} group{'s' * (scores['n_groups'] != 1)}"
    what = f"split {metrics['split']}"
    if "folds" in metrics:
        what = "cross-validated"
    return (
        f"{output}{unit} of {metrics['model']}, {what}: "
        f"{scores['n_predicted']:,} known pixels of {_features(scores)}{groups}"
        + (f"; {missed:,} more could not be predicted" if missed else "")
    )


def _list_methods(scores: Scores, write: _Numbers) -> Rows:
    """Return the rows of the ensemble, of its members and of simpler methods."""
    kind, ensemble = KINDS[scores["kind"]], scores["ensemble"]
    members, best = scores["members"], scores["best_baseline"] or {}
    names = [metric.name for metric in kind.metrics]
    columns = [*names, "skill"]
    called = f"mean of {len(members)} members" if len(members) > 1 else "one member"
    with_skill = {**ensemble, "skill": best.get("skill")}
    rows = [
        ["", "n", *map(_title, columns)],
        write.row(called, columns, with_skill),
    ]
    if ensemble["intervals"]:
        limits = {**ensemble["intervals"], "skill": best.get("interval")}
        for i, side in enumerate(("from", "to")):
            of_side = {name: ends and ends[i] for name, ends in limits.items()}
            rows.append(write.row(f"  bootstrap, {side}", columns, of_side))
    if len(members) > 1:
        known = {m: [member[m] for member in members] for m in names}
        for side, of in (("least", min), ("greatest", max)):
            of_side = {m: None if None in v else of(v) for m, v in known.items()}
            rows.append(write.row(f"  {side} of a member", columns, of_side))
    for baseline in scores["baselines"]:
        rows.append(write.row(baseline["description"], columns, baseline))
    return rows


def _list_classes(output: str, scores: Scores, write: _Numbers) -> Rows:
    """Return the rows by class of the observed, or by predicted probability."""
    ensemble, rows = scores["ensemble"], Rows()
    if "classes" in ensemble:
        columns = KINDS[scores["kind"]].names_of_parts
        rows += [[], [f"by {output}, observed", "n", *map(_title, columns)]]
        rows += [write.row(name_class(c), columns, c) for c in ensemble["classes"]]
    if "reliability" in ensemble:
        columns = ["predicted", "observed"]
        rows += [[], ["by predicted probability", "n", *columns]]
        rows += [write.row(name_class(b), columns, b) for b in ensemble["reliability"]]
    return rows


def _list_features(scores: Scores, write: _Numbers) -> Rows:
    """Return the rows of features, the one with the largest error first."""
    kind = KINDS[scores["kind"]]
    error, columns = kind.error.name, kind.names_of_parts
    features = sorted(
        scores["ensemble"]["features"], key=lambda f: f[error] or 0, reverse=True
    )
    shown = features[:_MOST_FEATURES]
    more = f", the {len(shown)} worst" if len(features) > len(shown) else ""
    head = [f"by feature{more}", "n", *map(_title, columns)]
    return [[], head, *(write.row(f["feature"], columns, f) for f in shown)]


def _explain(scores: Scores, *, of_folds: bool) -> list[str]:
    """Say what skill is, what the intervals are of, and what is calibrated."""
    error = KINDS[scores["kind"]].error.title
    best = scores["best_baseline"]
    said = []
    if best:
        said.append(
            f"skill: 1 - {error} / {error} of the best other method "
            f"({best['description']}). 1 is perfect, 0 no better than that."
        )
    least = scores["intervals"]["least_features"]
    drawn, n_drawn = _features(scores), scores["n_features"]
    if scores["n_groups"] is not None:
        n_drawn = scores["n_groups"]
        drawn = f"{n_drawn:,} group{'s' * (n_drawn != 1)} of features"
    if n_drawn < least:
        said.append(f"No bootstrap: {drawn}, and fewer than {least} give no intervals.")
    else:
        level, n_draws = scores["intervals"]["level"], scores["intervals"]["resamples"]
        said.append(
            "bootstrap: how far each number varies with the features. Intervals of "
            f"{100 * level:.0f} %, from {n_draws:,} draws of the {drawn}, with "
            "replacement."
        )
    return [*said, *tell_calibration(scores.get("uncertainty", {}), of_folds=of_folds)]


def _features(scores: Scores) -> str:
    n_features = scores["n_features"]
    return f"{n_features:,} feature{'s' * (n_features != 1)}"


def _title(column: str) -> str:
    return METRICS_BY_NAME[column].column if column in METRICS_BY_NAME else column


class _Numbers:
    """
    Writes errors to three digits of the RMSE, and what has no unit to its decimals.

    >>> _Numbers(62.16).number("bias", -0.04), _Numbers(0.0123).number("mae", 0.01)
    ('0.0', '0.0100')
    >>> _Numbers(62.16).number("r2", 0.567), _Numbers(None).number("r2", None)
    ('0.57', '')
    >>> _Numbers(None).number("brier", 0.0123)
    '0.012'
    """

    def __init__(self, rmse: float | None) -> None:
        self._decimals = 2
        if rmse:
            self._decimals = min(max(2 - math.floor(math.log10(rmse)), 0), 9)

    def number(self, column: str, value: float | None) -> str:
        """Write a number of a column, nothing for None."""
        metric = METRICS_BY_NAME.get(column)  # None of the skill and of probabilities
        if metric is not None and metric.has_unit:
            return self.error(value)
        return _fixed(value, 2 if metric is None else metric.decimals)

    def error(self, value: float | None) -> str:
        """Write what is in the unit of the output, nothing for None."""
        return _fixed(value, self._decimals)

    def row(self, name: str, columns: Sequence[str], scores: Scores) -> list[str]:
        """Write a row of a table; what the scores lack is left empty."""
        n_pixels = f"{scores['n']:,}" if "n" in scores else ""
        numbers = [self.number(column, scores.get(column)) for column in columns]
        return [name, n_pixels, *numbers]


def _fixed(value: float | None, decimals: int) -> str:
    return "" if value is None else f"{round(value, decimals) + 0.0:.{decimals}f}"


def name_class(limits: Mapping[str, Any]) -> str:
    """
    Name a class by its limits.

    >>> name_class({"from": None, "to": 50.0}), name_class({"from": 50.0, "to": None})
    ('below 50', '50 and more')
    """
    low, high = limits["from"], limits["to"]
    if low is None:
        return f"below {high:.4g}"
    return f"{low:.4g} and more" if high is None else f"{low:.4g} to {high:.4g}"


def _aligned(rows: list[list[str]]) -> list[str]:
    """Put columns below each other, the first to the left, numbers to the right."""
    first = max(len(row[0]) for row in rows if row)
    wide = max(len(text) for row in rows for text in row[1:])
    lines = []
    for row in rows:
        numbers = "".join(f"  {text:>{wide}}" for text in row[1:])
        lines.append(f"{row[0] if row else '':<{first}}{numbers}".rstrip())
    return lines
