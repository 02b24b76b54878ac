"""The command: tables, files, and what it refuses."""

import csv
import json
import re
import shutil

import geopandas
import numpy as np
import pytest
import rasterio

from glacier_inversion import Workspace, evaluate, load_experiment
from glacier_inversion.evaluation.metrics import REGRESSION, measure
from tests import synthetic
from tests.drawing.helpers import calibrate
from tests.helpers import copy_of, read_all


def metrics_of(run, split):
    """Return what metrics.json holds."""
    path = run.root / f"evaluations/small/{split}/metrics.json"
    return json.loads(path.read_text(encoding="utf-8"))


def test_the_numbers_are_those_of_the_points(evaluated):
    "Of the ensemble, of each member, by feature and by class."
    path = evaluated.root / "evaluations/small/all/residuals.gpkg"
    points = geopandas.read_file(path)
    known = points[points["mean"].notna()]
    metrics = metrics_of(evaluated, "all")
    scores = metrics["outputs"]["thickness"]
    assert metrics["format"] == 1
    assert metrics["seeds"] == [0, 1]
    assert (scores["n_known"], scores["n_predicted"]) == (len(points), len(known))
    assert scores["unit"] == "m"
    columns = ["mean", "seed_000", "seed_001"]
    for column, own in zip(
        columns, [scores["ensemble"], *scores["members"]], strict=True
    ):
        expected = measure(
            REGRESSION, known.observed.to_numpy(), known[column].to_numpy()
        )
        assert {name: own[name] for name in expected} == pytest.approx(expected)
        assert own["n"] == len(known)
    ensemble = scores["ensemble"]
    by_feature = known.groupby("feature").residual.agg(["count", "mean"])
    assert {f["feature"]: f["n"] for f in ensemble["features"]} == dict(
        by_feature["count"]
    )
    assert {f["feature"]: f["bias"] for f in ensemble["features"]} == pytest.approx(
        dict(by_feature["mean"])
    )
    # quartiles, as the experiment names no classes
    assert scores["classes"] == pytest.approx(
        np.quantile(known.observed, [0.25, 0.5, 0.75])
    )
    for own in ensemble["classes"]:
        low = -np.inf if own["from"] is None else own["from"]
        high = np.inf if own["to"] is None else own["to"]
        part = known[(known.observed >= low) & (known.observed < high)]
        assert own["n"] == len(part)
        assert own["bias"] == pytest.approx(part.residual.mean())
        assert own["rmse"] == pytest.approx(np.sqrt((part.residual**2).mean()))


def test_the_model_is_identified_as_by_its_maps(evaluated, tmp_path):
    "By all that its predictions follow from: other weights are another model."
    run = copy_of(evaluated, tmp_path / "fewer")
    path = run.root / "evaluations/small/all/metrics.json"
    with rasterio.open(run.root / "drawings/small/west/thickness_mean.tif") as src:
        digest = src.tags()["model_sha256"]
    first = json.loads(path.read_text())
    assert first["model_sha256"] == digest
    shutil.rmtree(run.root / "models/small/seed_001")
    assert run("evaluate", "--split", "all").exit_code == 0
    second = json.loads(path.read_text())
    assert second["model_sha256"] != digest
    assert second["model_identity"] == first["model_identity"]


def test_the_calibration_that_was_scored_is_named(evaluated, tmp_path):
    "So that a later one is told from it."
    run = copy_of(evaluated, tmp_path / "calibrated")
    path = run.root / "models/small/calibration.json"
    path.unlink(missing_ok=True)
    assert run("evaluate", "--split", "train").exit_code == 0
    assert metrics_of(run, "train")["calibration_sha256"] is None
    for a in (4.0, 40.0):
        calibrate(run, a=a)
        assert run("evaluate", "--split", "train").exit_code == 0
        metrics = metrics_of(run, "train")
        assert metrics["calibration_sha256"] == json.loads(path.read_text())["sha256"]
        uncertainty = metrics["outputs"]["thickness"]["uncertainty"]
        assert "calibrated" in uncertainty


def test_simpler_methods_stand_beside_it(evaluated):
    "Perfect plasticity made this region: it is found, and no network is better."
    scores = metrics_of(evaluated, "all")["outputs"]["thickness"]
    methods = {b["method"]: b for b in scores["baselines"]}
    assert [*methods] == [
        "mean",
        "plasticity of slope",
        "velocity_slope of speed, slope",
        "published speed",
    ]
    plasticity = methods["plasticity of slope"]
    # density 917, no shape factor and 1e5 Pa in the truth; tiles are averages
    assert plasticity["fitted"]["tau"] == pytest.approx(1e5 * 0.8 * 900 / 917, rel=0.01)
    assert plasticity["rmse"] < 0.2 * scores["ensemble"]["rmse"]
    assert plasticity["n"] < scores["n_predicted"]  # the slope has a hole
    assert scores["best_baseline"]["method"] == "plasticity of slope"
    assert scores["best_baseline"]["skill"] < 0
    mean = methods["mean"]
    expected = 1 - scores["ensemble"]["rmse"] / mean["rmse"]
    assert mean["skill_of_ensemble"] == pytest.approx(expected)
    low, high = mean["skill_interval"]
    assert low <= mean["skill_of_ensemble"] <= high
    trained = [f["feature"] for f in mean["features"] if f["feature"] != "south"]
    assert len(trained) == 4
    assert mean["slope"] == pytest.approx(0)


def test_tables_are_printed_and_written(evaluated):
    "The same numbers, rounded; every row of the CSV is a method on some pixels."
    printed = (evaluated.root / "printed.txt").read_text()
    scores = metrics_of(evaluated, "all")["outputs"]["thickness"]
    lines = printed.splitlines()
    assert lines[0] == (
        f"thickness (m) of small, split all: {scores['n_known']:,} known pixels of 5 "
        "features"
    )
    (row,) = [line for line in lines if line.startswith("mean of 2 members")]
    assert f"{scores['ensemble']['rmse']:.2f}"[:3] in row.split()[5]
    plasticity = scores["baselines"][1]["description"]
    assert re.fullmatch(r"plasticity, 7[89](\.\d)? kPa", plasticity)
    for words in (
        "  bootstrap, from",
        "least of a member",
        f"\n{plasticity} ",
        "by thickness, observed",
        "by feature",
        f"skill: 1 - RMSE / RMSE of the best other method ({plasticity}).",
        "Intervals of 95 %, from 2,000 draws of the 5 features, with replacement.",
    ):
        assert words in printed
    folder = evaluated.root / "evaluations/small/all"
    files = ["metrics.json", "metrics.csv", "residuals.gpkg"]
    assert lines[-3:] == [str(folder / file) for file in files]
    with (folder / "metrics.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    n_methods = 1 + 2 + 4
    # and of the spread, its std and the intervals of each level
    assert len(rows) == n_methods * (1 + 4 + 5) + 1 + 4
    (own,) = [r for r in rows if (r["method"], r["of"]) == ("seed_001", "east")]
    (expected,) = [
        f for f in scores["members"][1]["features"] if f["feature"] == "east"
    ]
    assert float(own["nmad"]) == pytest.approx(expected["nmad"], rel=1e-6)
    assert own["brier"] == ""
    (first,) = [r for r in rows if (r["method"], r["pixels"]) == ("mean", "all")]
    mean = scores["baselines"][0]
    assert float(first["skill_of_ensemble_low"]) == pytest.approx(
        mean["skill_interval"][0], rel=1e-6
    )


def test_two_runs_write_the_same_bytes(evaluated, tmp_path):
    "And nothing else, beside the folder of the other split."
    run = copy_of(evaluated, tmp_path)
    before = read_all(run.root)
    assert run("evaluate", "--split", "all").exit_code == 0
    assert read_all(run.root) == before
    assert run("evaluate").exit_code == 0
    new = read_all(run.root).keys() - before.keys()
    folder = "evaluations/small/test"
    files = ["metrics.csv", "metrics.json", "residuals.gpkg"]
    assert sorted(new) == [f"{folder}/{file}" for file in files]


def test_few_features_have_no_intervals_and_it_is_said(evaluated, tmp_path):
    "One tests here; what Python returns is what the file holds."
    run = copy_of(evaluated, tmp_path)
    report = evaluate(load_experiment(run.file), Workspace(run.root))
    assert report.metrics["features"] == ["south"]
    assert metrics_of(run, "test") == {"format": 1, **report.metrics}
    scores = report.metrics["outputs"]["thickness"]
    assert scores["ensemble"]["intervals"] is None
    assert scores["best_baseline"]["interval"] is None
    printed = run("evaluate").stdout
    assert "No bootstrap: 1 feature, and fewer than 4 give no intervals." in printed
    assert "bootstrap, from" not in printed


def test_classes_that_are_named_are_taken(evaluated, tmp_path):
    "Values at a limit belong to the class above; empty ones are there, without errors."
    run = copy_of(evaluated, tmp_path)
    run.raw["evaluation_description"] = {"classes": {"thickness": [20, 30, 1000]}}
    run.write()
    result = run("evaluate")
    assert result.exit_code == 0, result.output
    scores = metrics_of(run, "test")["outputs"]["thickness"]
    assert scores["classes"] == [20, 30, 1000]
    last = scores["ensemble"]["classes"][-1]
    assert last == {
        "from": 1000,
        "to": None,
        "n": 0,
        "rmse": None,
        "mae": None,
        "bias": None,
    }
    assert "1000 and more" in result.stdout
    assert len(scores["baselines"]) == 1


def test_what_trained_is_flattered_and_it_is_said(evaluated, tmp_path):
    "By a warning that names the model; another one of what chose the best epochs."
    run = copy_of(evaluated, tmp_path)
    words = "was trained on features of these. Errors on others are larger"
    for split, is_said in (("train", True), ("validation", False)):
        result = run("evaluate", "--split", split)
        assert result.exit_code == 0
        assert (words in result.stderr) == is_said
        # the criterion is val_loss
        chosen = "small: its best epochs were chosen by these features. Errors on"
        assert (chosen in result.stderr) == (split == "validation")


def test_a_model_that_is_not_trained_is_refused(evaluated, tmp_path):
    "And one whose weights are not its own; nothing is written."
    run = copy_of(evaluated, tmp_path)
    run.raw["model_name"] = "smal"
    run.write()
    result = run("evaluate")
    assert result.exit_code == 1
    assert "smal: is no model. Did you mean 'small'?" in result.stderr
    run.raw["model_name"] = "small"
    run.write()
    (run.root / "models/small/seed_001/best.safetensors").write_bytes(b"")
    before = read_all(run.root)
    assert run("evaluate").exit_code == 1
    assert read_all(run.root) == before


def test_a_file_without_training_is_refused(evaluated, tmp_path):
    "With exit code 2: what it draws has no truth of its own."
    run = copy_of(evaluated, tmp_path)
    keys = ("dataset_description", "drawing_description")
    synthetic.write_json(run.file, {key: run.raw[key] for key in keys})
    result = run("evaluate")
    assert result.exit_code == 2
    assert "holds dataset_description and drawing_description alone" in result.stderr
    assert "enough to check, build-dataset, draw and report." in result.stderr
    for command in ("check", "build-dataset", "draw", "report"):
        assert run(command).exit_code == 0


def test_rasters_of_baselines_must_be_built(evaluated, tmp_path):
    "Training and drawing need not them, and go on."
    run = copy_of(evaluated, tmp_path)
    more = {"name": "map", "resolution": 50.0, "file": "thickness.tif"}
    run.raw["dataset_description"]["rasters"].append(more)
    published = {"thickness": [{"name": "published", "raster": "map"}]}
    run.raw["evaluation_description"] = {"baselines": published}
    run.write()
    assert run("train").exit_code == 0
    result = run("evaluate")
    assert result.exit_code == 1
    assert "rasters: map is new" in result.stderr
    assert run("build-dataset").exit_code == 0
    assert run("evaluate").exit_code == 0
    scores = metrics_of(run, "test")["outputs"]["thickness"]
    assert scores["baselines"][1]["rmse"] == pytest.approx(0, abs=1e-6)
    assert scores["best_baseline"]["method"] == "mean"  # no skill against perfection


def test_features_without_a_known_pixel_are_said(run):
    "Where none of the split has one there is nothing to compare with."
    with rasterio.open(run.root / "data/thickness.tif", "r+") as dst:
        values = dst.read(1)
        values[33:] = synthetic.NODATA  # the lower half: east in part, south
        dst.write(values, 1)
    run.raw.update(epochs=1, seeds_number=1, criterion="loss")
    run.write()
    assert run("build-dataset").exit_code == 0
    assert run("train").exit_code == 0
    result = run("evaluate")
    assert result.exit_code == 1
    assert (
        "region: split test: thickness is known nowhere. Must be known on one"
        in result.stderr
    )
    assert not read_all(run.root / "evaluations")


def test_a_split_without_features_is_said(run):
    "It is not the measurements that lack."
    features = [
        (columns | {"train": min(columns["train"], 1)}, outline)
        for columns, outline in synthetic.FEATURES
    ]
    synthetic.write_outlines(run.root / "data/glaciers.shp", features)
    run.raw.update(epochs=1, seeds_number=1)
    run.write()
    assert run("build-dataset").exit_code == 0
    assert run("train").exit_code == 0
    result = run("evaluate")
    assert result.exit_code == 1
    assert "none of its features is in the split 'test'. Must be one" in result.stderr
    assert not read_all(run.root / "evaluations")


def test_classes_have_measures_of_their_own(run):
    "Accuracy, precision, recall, IoU and Brier; a table of reliability."
    with rasterio.open(run.root / "data/thickness.tif", "r+") as dst:
        values = dst.read(1)
        known = values != synthetic.NODATA
        values[known] = values[known] > 33
        dst.write(values, 1)
    raw = run.raw
    raw.update(
        epochs=4, metrics_name={}, losses_name={"thickness": "nan_binary_crossentropy"}
    )
    last = raw["model_description"]["outputs"]["thickness"]["operations"][-1]
    last["last_activation"] = "sigmoid"
    raw["dataset_description"]["rasters"][2]["resampling"] = "nearest"
    run.write()
    for command in ("build-dataset", "train"):
        result = run(command)
        assert result.exit_code == 0, result.output
    result = run("evaluate", "--split", "all")
    assert result.exit_code == 0, result.output
    scores = metrics_of(run, "all")["outputs"]["thickness"]
    assert scores["kind"] == "classification"
    points = geopandas.read_file(run.root / "evaluations/small/all/residuals.gpkg")
    known = points[points["mean"].notna()]
    said, truth = known["mean"] >= 0.5, known.observed == 1
    assert set(points.observed) == {0.0, 1.0}
    ensemble = scores["ensemble"]
    assert ensemble["accuracy"] == pytest.approx((said == truth).mean())
    assert ensemble["iou"] == pytest.approx((said & truth).sum() / (said | truth).sum())
    assert ensemble["brier"] == pytest.approx(((known["mean"] - truth) ** 2).mean())
    assert sum(b["n"] for b in ensemble["reliability"]) == len(known)
    assert "classes" not in ensemble
    mean = scores["baselines"][0]
    expected = 1 - ensemble["brier"] / mean["brier"]
    assert mean["skill_of_ensemble"] == pytest.approx(expected)
    for words in (
        "IoU",
        "by predicted probability",
        "Brier score of the best other method (mean of",
    ):
        assert words in result.stdout


def test_a_published_map_in_another_unit_is_warned_of(evaluated, tmp_path):
    "By the check, too; it is compared all the same, as a unit may only be misspelt."
    run = copy_of(evaluated, tmp_path)
    assert "Must be in the same unit" not in run("check").output
    for raster in run.raw["dataset_description"]["rasters"]:
        if raster["name"] == "speed":
            raster["unit"] = "cm"
    run.write()
    assert run("build-dataset").exit_code == 0
    said = "thickness[2].raster: 'speed' is in 'cm', and 'thickness' in 'm'."
    for command in ("check", "evaluate"):
        result = run(command)
        assert result.exit_code == 0, result.output
        assert said in result.output.replace("\n", " ")
    assert "\nspeed  " in result.stdout
