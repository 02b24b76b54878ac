"""Scores as tables: for people, for programs, and as points for QGIS."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import geopandas
import numpy as np
import pandas as pd

from glacier_inversion.dataset.opened import BuiltDataset
from glacier_inversion.evaluation.coverage_table import (
    COLUMNS,
    list_coverage,
    list_pit,
    list_scores,
    tell_calibration,
)
from glacier_inversion.evaluation.metrics import (
    CLASSIFICATION,
    REGRESSION,
    Kind,
    measure,
)
from glacier_inversion.evaluation.pixels import KnownPixels
from glacier_inversion.evaluation.scores import Scores

_KINDS = {kind.name: kind for kind in (REGRESSION, CLASSIFICATION)}
_TITLES = {"rmse": "RMSE", "mae": "MAE", "nmad": "NMAD", "r2": "R2", "iou": "IoU"}
_OF_UNIT = ("rmse", "mae", "bias", "nmad")
_MOST_FEATURES = 20  # that are printed
_COLUMNS = (*REGRESSION.metrics, *CLASSIFICATION.metrics)
_OF_OUTLINES = {
    REGRESSION.name: ("rmse", "bias"),
    CLASSIFICATION.name: ("accuracy", "iou", "brier"),
}


def format_metrics(metrics: Mapping[str, Any]) -> str:
    """Write what metrics.json holds as tables for a terminal."""
    parts = [
        _format_output(name, metrics, scores)
        for name, scores in metrics["outputs"].items()
    ]
    return "\n\n".join(parts)


def _format_output(output: str, metrics: Mapping[str, Any], scores: Scores) -> str:
    kind = _KINDS[scores["kind"]]
    unit = f" ({scores['unit']})" if scores["unit"] else ""
    missed = scores["n_known"] - scores["n_predicted"]
    heading = (
        f"{output}{unit} of {metrics['model']}, split {metrics['split']}: "
        f"{scores['n_predicted']:,} known pixels of {_features(scores)}"
        + (f"; {missed:,} more could not be predicted" if missed else "")
    )
    ensemble, best = scores["ensemble"], scores["best_baseline"] or {}
    write = _Numbers(ensemble.get("rmse"))
    columns = [*kind.metrics, "skill"]
    rows = [["", "n", *map(_title, columns)]]
    n_members = len(scores["members"])
    with_skill = {**ensemble, "skill": best.get("skill")}
    called = f"mean of {n_members} members" if n_members > 1 else "one member"
    rows.append(write.row(called, columns, with_skill))
    limits = {**(ensemble["intervals"] or {}), "skill": best.get("interval")}
    for i, side in enumerate(("from", "to")) if ensemble["intervals"] else ():
        of_side = {name: ends and ends[i] for name, ends in limits.items()}
        rows.append(write.row(f"  95 % interval, {side}", columns, of_side))
    for side, of in (("least", min), ("greatest", max)) if n_members > 1 else ():
        known = {m: [x[m] for x in scores["members"]] for m in kind.metrics}
        of_side = {m: None if None in v else of(v) for m, v in known.items()}
        rows.append(write.row(f"  {side} of a member", columns, of_side))
    for baseline in scores["baselines"]:
        rows.append(write.row(baseline["description"], columns, baseline))
    columns = ["rmse", "mae", "bias"] if kind is REGRESSION else [*kind.metrics]
    if "classes" in ensemble:
        rows += [[], [f"by {output}, observed", "n", *map(_title, columns)]]
        rows += [write.row(_class(c), columns, c) for c in ensemble["classes"]]
    if "reliability" in ensemble:
        of_bins = ["predicted", "observed"]
        rows += [[], ["by predicted probability", "n", *of_bins]]
        rows += [write.row(_class(b), of_bins, b) for b in ensemble["reliability"]]
    features = sorted(
        ensemble["features"], key=lambda f: f[kind.error] or 0, reverse=True
    )
    shown = features[:_MOST_FEATURES]
    more = f", the {len(shown)} worst" if len(features) > len(shown) else ""
    rows += [[], [f"by feature{more}", "n", *map(_title, columns)]]
    rows += [write.row(f["feature"], columns, f) for f in shown]
    parts = [heading, "", *_aligned(rows), ""]
    if "uncertainty" in scores:
        uncertainty = scores["uncertainty"]
        one = "feature" if scores["n_groups"] is None else "group"
        coverage = list_coverage(uncertainty, lambda e: write.number("mae", e), one)
        for table in filter(None, (coverage, list_pit(uncertainty))):
            parts += [*_aligned(table), ""]
    return "\n".join([*parts, *_about(scores)])


def _about(scores: Scores) -> list[str]:
    """Say what skill is, and what the intervals are of."""
    is_class = scores["kind"] == CLASSIFICATION.name
    error = "Brier score" if is_class else "RMSE"
    best = scores["best_baseline"]
    said = []
    if best:
        said.append(f"skill: 1 - {error} / {error} of: {best['description']}.")
    least, drawn = scores["intervals"]["least_features"], _features(scores)
    n_drawn = scores["n_features"]
    if scores["n_groups"] is not None:
        n_drawn = scores["n_groups"]
        drawn = f"{n_drawn:,} group{'s' * (n_drawn != 1)} of features"
    if n_drawn < least:
        said.append(f"No 95 % intervals: {drawn}, and fewer than {least} give none.")
    else:
        said.append(f"95 % intervals: a bootstrap over {drawn}.")
    return [*said, *tell_calibration(scores.get("uncertainty", {}))]


def _features(scores: Scores) -> str:
    n_features = scores["n_features"]
    return f"{n_features:,} feature{'s' * (n_features != 1)}"


def _title(metric: str) -> str:
    return _TITLES.get(metric, metric)


class _Numbers:
    """
    Writes errors to three digits of the RMSE, and what has no unit to two decimals.

    >>> _Numbers(62.16).number("bias", -0.04), _Numbers(0.0123).number("mae", 0.01)
    ('0.0', '0.0100')
    >>> _Numbers(62.16).number("r2", 0.567), _Numbers(None).number("r2", None)
    ('0.57', '')
    """

    def __init__(self, rmse: float | None) -> None:
        self._decimals = 2
        if rmse:
            self._decimals = min(max(2 - math.floor(math.log10(rmse)), 0), 9)

    def number(self, column: str, value: float | None) -> str:
        """Write a number of a column, nothing for None."""
        if value is None:
            return ""
        decimals = self._decimals if column in _OF_UNIT else 2
        return f"{round(value, decimals) + 0.0:.{decimals}f}"

    def row(self, name: str, columns: Sequence[str], scores: Scores) -> list[str]:
        """Write a row of a table; what the scores lack is left empty."""
        n_pixels = f"{scores['n']:,}" if "n" in scores else ""
        numbers = [self.number(column, scores.get(column)) for column in columns]
        return [name, n_pixels, *numbers]


def _class(limits: Mapping[str, Any]) -> str:
    """
    Name a class by its limits.

    >>> _class({"from": None, "to": 50.0}), _class({"from": 50.0, "to": None})
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


def format_csv(metrics: Mapping[str, Any]) -> str:
    """
    Write every score as a row.

    Of a method, on all pixels, a class or a feature; and of an uncertainty, as
    `coverage_table.list_scores` gives them.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [*_COLUMNS, "skill_of_ensemble"]
    limited = [name for name in names if name != "nmad"]
    limits = [f"{name}_{side}" for name in limited for side in ("low", "high")]
    columns = [*names, *limits, *COLUMNS]
    writer.writerow(["output", "method", "pixels", "of", "n", *columns])

    def write(output: str, method: str, pixels: str, of: str, row: Scores) -> None:
        values = (row.get(column) for column in columns)
        written = ("" if value is None else f"{value:.7g}" for value in values)
        writer.writerow([output, method, pixels, of, row["n"], *written])

    for output, scores in metrics["outputs"].items():
        for method in (scores["ensemble"], *scores["members"], *scores["baselines"]):
            for pixels, of, row in _rows(method):
                intervals = {
                    **(row.get("intervals") or {}),
                    "skill_of_ensemble": row.get("skill_interval"),
                }
                ends = [intervals.get(name) or (None, None) for name in limited]
                of_limits = dict(zip(limits, chain(*ends), strict=True))
                write(output, method["method"], pixels, of, {**row, **of_limits})
        for way, pixels, of, row in list_scores(scores.get("uncertainty", {})):
            write(output, way, pixels, of, row)
    return text.getvalue()


def _rows(method: Scores) -> Iterator[tuple[str, str, Scores]]:
    yield "all", "", method
    for of_class in method.get("classes", []):
        yield "class", _class(of_class), of_class
    for of_feature in method["features"]:
        yield "feature", of_feature["feature"], of_feature


def tabulate_residuals(
    pixels: Mapping[str, KnownPixels], seeds: Sequence[int], epsg: int
) -> geopandas.GeoDataFrame:
    """
    Make a table of the known pixels, each a point, with what was predicted there.

    Returns
    -------
    table : GeoDataFrame
        Columns 'output', 'feature', 'observed', 'mean', 'std' (of the members, ddof 1;
        NaN of one), 'residual' (mean less observed), one for each member, and where
        members of some output say how large it is 'noise', the standard deviation of
        the noise in the data. NaN where nothing could be predicted, or said of it.
    """
    with_noise = any(known.has_noise for known in pixels.values())
    parts = []
    for output, known in pixels.items():
        columns = {
            "output": output,
            "feature": np.array(known.features, dtype=object)[known.feature],
            "observed": known.observed,
            "mean": known.mean,
            "std": known.std,
            "residual": known.mean - known.observed,
        }
        if with_noise:
            columns["noise"] = np.sqrt(known.noise)
        for seed, values in zip(seeds, known.members, strict=True):
            columns[f"seed_{seed:03d}"] = values
        points = geopandas.points_from_xy(known.x, known.y)
        parts.append(geopandas.GeoDataFrame(columns, geometry=points, crs=epsg))
    return geopandas.GeoDataFrame(pd.concat(parts, ignore_index=True), crs=epsg)


def format_predictions(residuals: geopandas.GeoDataFrame) -> str:
    """Write a table of points as CSV, with their coordinates."""
    table = residuals.drop(columns="geometry")
    place = list(table.columns).index("observed")
    table.insert(place, "x", residuals.geometry.x)
    table.insert(place + 1, "y", residuals.geometry.y)
    text: str = table.to_csv(index=False, float_format="%.9g", lineterminator="\n")
    return text


def tabulate_folds(
    dataset: BuiltDataset,
    fold_of: Mapping[str, str],
    pixels: Mapping[str, KnownPixels],
    kinds: Mapping[str, Kind],
    epsg: int,
) -> geopandas.GeoDataFrame:
    """
    Make a table of the outlines of all features, to be looked at in QGIS.

    Returns
    -------
    table : GeoDataFrame
        Columns 'feature'; 'fold', the one that it is held out in, None where it is in
        none; 'split'; and for each output how many pixels were predicted, their RMSE
        and bias, or of a probability the accuracy, the IoU and the Brier score.
    """
    features = list(dataset.rows)
    columns: dict[str, list[Any]] = {
        "feature": features,
        "fold": [fold_of.get(feature) for feature in features],
        "split": [dataset.splits.get(feature) for feature in features],
    }
    for output, known in pixels.items():
        found = {}
        for number, feature in enumerate(known.features):
            own = (known.feature == number) & np.isfinite(known.mean)
            errors = measure(kinds[output], known.observed[own], known.mean[own])
            found[feature] = {"n": int(own.sum()), **errors}
        for key in ("n", *_OF_OUTLINES[kinds[output].name]):
            columns[f"{output}_{key}"] = [found.get(f, {}).get(key) for f in features]
    return geopandas.GeoDataFrame(
        columns, geometry=[dataset.outlines[f] for f in features], crs=epsg
    )
