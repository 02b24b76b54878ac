"""The table of features: each number is that of the file that it is from."""

import csv
import json
from dataclasses import replace

import geopandas
import numpy as np
import pytest

from glacier_inversion.reporting.rows import (
    covered,
    number_in,
    share_of,
    tell_features,
)


@pytest.fixture
def rows(sources):
    return {row.feature: row for row in tell_features(sources, "thickness")}


def test_errors_are_those_of_the_best_check(reported, rows):
    "Of a cross-validation rather than of anything else."
    path = reported.root / "evaluations/small/crossval/metrics.json"
    scores = json.loads(path.read_text())["outputs"]["thickness"]["ensemble"]
    assert len(scores["features"]) == 5
    for own in scores["features"]:
        row = rows[own["feature"]]
        assert row.checked_by == "crossval"
        assert (row.n_known, row.error, row.bias) == (
            own["n"],
            own["rmse"],
            own["bias"],
        )


def test_features_are_told_of_as_the_dataset_has_them(reported, rows):
    "The largest first; with their split, and how much of them is drawn."
    summary = json.loads((reported.root / "datasets/region/summary.json").read_text())
    areas = {row["feature"]: row["area_km2"] for row in summary["features"]}
    assert {feature: row.area_km2 for feature, row in rows.items()} == areas
    assert [row.area_km2 for row in rows.values()] == sorted(
        areas.values(), reverse=True
    )
    assert rows["south"].split == "test"
    with (reported.root / "drawings/small/holes.csv").open(newline="") as file:
        for told in csv.DictReader(file):
            expected = int(told["drawn"]) / int(told["pixels"])
            assert rows[told["feature"]].drawn == expected


def test_what_intervals_hold_is_counted_where_the_calibration_knows_nothing(
    reported, sources
):
    "Else it is what the calibration says of intervals fitted to the others."
    shares = covered(sources, "thickness")
    own = sources.calibration.outputs["thickness"]
    told = own.levels[95].coverage_by_feature
    assert {feature: shares[feature] for feature in told} == told
    assert shares.keys() - told.keys() == {"south"}
    path = reported.root / "evaluations/small/crossval/residuals.gpkg"
    table = geopandas.read_file(path)
    south = table[(table.feature == "south") & table.residual.notna()]
    half = own.levels[95].factor * np.hypot(own.a, own.b * south["std"])
    assert own.c == 0
    lower = np.maximum(south["mean"] - half, 0)
    is_in = (south.observed >= lower) & (south.observed <= south["mean"] + half)
    assert shares["south"] == pytest.approx(is_in.mean(), abs=1 / len(south))
    assert 0 < shares["south"] < 1


def test_what_intervals_hold_of_groups_is_said_of_no_feature(sources):
    "The files of earlier versions do not say which feature is in which."
    own = sources.calibration.outputs["thickness"]
    levels = {n: replace(x, coverage_by_feature={}) for n, x in own.levels.items()}
    grouped = replace(own, levels=levels, groups={})
    sources.calibration.outputs["thickness"] = grouped
    assert covered(sources, "thickness").keys() == {"south"}


def test_noise_counts_in_what_intervals_hold_where_it_was_fitted_with(sources):
    "Where an earlier version kept none nothing is said."
    own = sources.calibration.outputs["thickness"]
    alone = covered(sources, "thickness")["south"]
    with_noise = replace(own, counts_noise=True)
    sources.calibration.outputs["thickness"] = with_noise
    assert "south" not in covered(sources, "thickness")
    for evaluation in sources.evaluations.values():
        evaluation.residuals["noise"] = 0.0
    assert covered(sources, "thickness")["south"] == alone
    for evaluation in sources.evaluations.values():
        evaluation.residuals["noise"] = 1e6
    assert covered(sources, "thickness")["south"] == 1 > alone


def test_numbers_that_are_none_are_none():
    row = {"a": "x", "b": "", "c": "nan", "d": "2.5", "zero": "0"}
    assert number_in(row, "d") == 2.5
    assert number_in(row, "a") is number_in(row, "b") is number_in(row, "c") is None
    assert number_in(row, "none of it") is None
    assert share_of(row, "d", "zero") is None
