"""Scores as tables for programs, and as points and outlines for QGIS."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import geopandas
import numpy as np
import pandas as pd

from glacier_inversion.dataset.opened import BuiltDataset
from glacier_inversion.evaluation.coverage_table import COLUMNS, list_scores
from glacier_inversion.evaluation.metrics import METRICS_BY_NAME, Kind, measure
from glacier_inversion.evaluation.pixels import KnownPixels
from glacier_inversion.evaluation.score_table import name_class
from glacier_inversion.evaluation.scores import Scores


def format_csv(metrics: Mapping[str, Any]) -> str:
    """
    Write every score as a row.

    Of a method, on all pixels, a class or a feature; and of an uncertainty, as
    `coverage_table.list_scores` gives them.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [*METRICS_BY_NAME, "skill_of_ensemble"]
    without = {m.name for m in METRICS_BY_NAME.values() if m.of_errors is not None}
    limited = [name for name in names if name not in without]
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
        yield "class", name_class(of_class), of_class
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
        main = [metric.name for metric in kinds[output].metrics if metric.is_main]
        for key in ("n", *main):
            columns[f"{output}_{key}"] = [found.get(f, {}).get(key) for f in features]
    return geopandas.GeoDataFrame(
        columns, geometry=[dataset.outlines[f] for f in features], crs=epsg
    )
