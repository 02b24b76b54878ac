"""Cross-validation: members that never saw what they predict, as trained by hand."""

import json
import shutil

import geopandas
import numpy as np
import pandas as pd
import pytest
import rasterio

from glacier_inversion import Workspace, crossval
from glacier_inversion.experiment.experiment import check_experiment
from tests import synthetic
from tests.evaluation.helpers import small
from tests.helpers import copy_of, read_all
from tests.processes import start, wait_until

FEATURES = ["north-1", "north-2", "west", "east"]  # all but the test


def predictions(run):
    """Return the table of predictions."""
    return pd.read_csv(run.root / "evaluations/small/crossval/predictions.csv")


def metrics_of(run, split="crossval"):
    return json.loads(
        (run.root / f"evaluations/small/{split}/metrics.json").read_text()
    )


def test_a_fold_is_what_one_trains_by_hand(crossed, tmp_path):
    "With the fold as the test split of the outlines, bit for bit."
    run = copy_of(crossed, tmp_path / "by hand")
    shutil.rmtree(run.root / "models")
    outlines = [
        ({**columns, "train": 2 if columns["id"] in ("west", "south") else 0}, polygon)
        for columns, polygon in synthetic.FEATURES
    ]
    synthetic.write_outlines(run.root / "data/glaciers.shp", outlines)
    for command in ("build-dataset", "train", "evaluate"):
        assert run(command).exit_code == 0
    by_hand = read_all(run.root / "models/small")
    of_fold = read_all(crossed.root / "models/small/folds/west")
    weights = [name for name in of_fold if name.endswith("best.safetensors")]
    assert len(weights) == 2
    for name in weights:
        assert of_fold[name] == by_hand[name]
    points = geopandas.read_file(run.root / "evaluations/small/test/residuals.gpkg")
    points = points.assign(x=points.geometry.x, y=points.geometry.y)
    table = predictions(crossed)
    own = table[table.feature == "west"]
    both = own.merge(points[points.feature == "west"], on=["x", "y"])
    # a pixel outside every outline that another fold predicts, too, is that fold's
    assert len(both) == len(own) > 100
    for column in ("observed", "mean", "std", "seed_000", "seed_001"):
        np.testing.assert_allclose(both[f"{column}_x"], both[f"{column}_y"], rtol=1e-7)
    # the methods beside it are fitted without the fold, too
    fitted = metrics_of(run, "test")["outputs"]["thickness"]["baselines"]
    (fold,) = [f for f in metrics_of(crossed)["folds"] if f["name"] == "west"]
    for method in fitted:
        assert fold["fitted"]["thickness"][method["method"]] == method["fitted"]


def test_every_known_pixel_but_those_of_the_test_is_predicted_once(crossed):
    table = predictions(crossed)
    assert table.fold.tolist() == table.feature.tolist()  # each alone
    assert set(table.feature) == set(FEATURES)
    assert not table.duplicated(["x", "y"]).any()
    metrics = metrics_of(crossed)
    assert metrics["features"] == FEATURES
    scores = metrics["outputs"]["thickness"]
    known = table[table["mean"].notna()]
    assert scores["n_known"] == len(table)
    assert scores["n_predicted"] == len(known)
    rmse = np.sqrt(np.mean((known["mean"] - known.observed) ** 2))
    assert scores["ensemble"]["rmse"] == pytest.approx(rmse, rel=1e-6)
    assert [b["method"] for b in scores["baselines"]] == ["mean", "plasticity of slope"]
    for fold in metrics["folds"]:
        assert "south" not in (*fold["train"], *fold["validation"])
        assert fold["seeds"] == [0, 1]
    printed = (crossed.root / "printed.txt").read_text()
    assert "thickness (m) of small, cross-validated:" in printed
    assert "mean of training " in printed


def test_the_folds_can_be_looked_at(crossed):
    table = geopandas.read_file(
        crossed.root / "evaluations/small/crossval/folds.gpkg"
    ).set_index("feature")
    assert table.crs.to_epsg() == synthetic.EPSG
    assert table.fold.dropna().to_dict() == {name: name for name in FEATURES}
    assert table.split["south"] == "test"
    assert pd.isna(table.fold["south"])
    known = predictions(crossed).dropna(subset="mean")
    west = known[known.feature == "west"]
    rmse = np.sqrt(np.mean((west["mean"] - west.observed) ** 2))
    assert table.thickness_n["west"] == len(west)
    assert table.thickness_rmse["west"] == pytest.approx(rmse, rel=1e-6)
    np.testing.assert_array_equal(
        table.geometry["west"].bounds, synthetic.FEATURES[2][1].bounds
    )


def test_what_was_stopped_goes_on_to_the_same_bytes(crossed, tmp_path):
    "What is finished is kept; what is missing is made again."
    run = copy_of(crossed, tmp_path / "again")
    before = read_all(run.root / "evaluations")
    folds = run.root / "models/small/folds"
    weights = read_all(folds)
    shutil.rmtree(folds / "west/seed_001")
    shutil.rmtree(folds / "east")
    shutil.rmtree(run.root / "evaluations")
    kept = (folds / "west/seed_000/best.safetensors").stat().st_mtime_ns
    assert run("crossval").exit_code == 0
    assert read_all(run.root / "evaluations") == before
    assert (folds / "west/seed_000/best.safetensors").stat().st_mtime_ns == kept
    after = read_all(folds)
    for name, content in weights.items():
        if name.endswith(("best.safetensors", "log.csv")):
            assert after[name] == content, name


def test_what_was_killed_goes_on_to_the_same_bytes(crossed, tmp_path):
    "SIGKILL while a member of the third fold is trained."
    for name in ("data", "datasets"):
        shutil.copytree(crossed.root / name, tmp_path / name)
    options = ["crossval", crossed.file, "--workspace", tmp_path, "--jobs", "1"]
    folds = tmp_path / "models/small/folds"
    process = start(*options)
    checkpoint = folds / "west/seed_001/checkpoint.pt"
    wait_until(lambda: checkpoint.exists() or process.poll() is not None, 300)
    process.kill()
    process.communicate()
    assert checkpoint.exists()
    assert not (tmp_path / "evaluations/small/crossval/metrics.json").exists()
    process = start(*options)
    _, said = process.communicate()
    assert process.returncode == 0, said
    written = read_all(crossed.root / "evaluations/small/crossval")
    assert read_all(tmp_path / "evaluations/small/crossval") == written
    after = read_all(folds)
    weights = read_all(crossed.root / "models/small/folds")
    for name, content in weights.items():
        if name.endswith(("best.safetensors", "log.csv")):
            assert after[name] == content, name


def test_the_model_itself_is_left_alone(crossed, finished):
    ours, theirs = (read_all(run.root / "models/small") for run in (crossed, finished))
    names = [name for name in theirs if "seed_" in name or name == "model.json"]
    assert {n: ours[n] for n in names} == {n: theirs[n] for n in names}


def test_a_criterion_of_validation_makes_folds_nested(finished, tmp_path):
    "Else the best epoch would be chosen by what is held out; with the test as well."
    run = copy_of(finished, tmp_path / "nested")
    run.raw["epochs"] = 1
    run.raw["seeds_number"] = 1
    checked = check_experiment(run.raw, "exp")
    report = crossval(checked, Workspace(run.root), n_folds=3, with_test=True)
    assert [fold.name for fold in report.folds] == [
        f"fold_{i}_of_3_nested_all" for i in (1, 2, 3)
    ]
    every = [*FEATURES, "south"]
    for fold in report.folds:
        assert fold.validation
        parts = [*fold.held_out, *fold.validation, *fold.train]
        assert sorted(parts) == sorted(every)
    assert sorted(report.metrics["features"]) == sorted(every)
    folder = run.root / "models/small/folds/fold_1_of_3_nested_all"
    model = json.loads((folder / "model.json").read_text())
    assert model["splits"]["validation"] == report.folds[0].validation


def test_features_of_a_group_stay_together(finished, tmp_path):
    run = small(copy_of(finished, tmp_path / "groups"))
    run.raw.update({"epochs": 1, "seeds_number": 1})
    run.write()
    result = run("crossval", "--group", "train", "--leave-one-out")
    assert result.exit_code == 0, result.output
    folds = metrics_of(run)["folds"]
    assert [(fold["name"], fold["held_out"]) for fold in folds] == [
        ("0_by_train", ["north-1", "north-2", "west"]),
        ("1_by_train", ["east"]),
    ]
    # features of a group count as one in intervals, too
    assert metrics_of(run)["outputs"]["thickness"]["n_groups"] == 2
    assert "No bootstrap: 2 groups of features, and fewer than 4" in result.stdout
    assert "\none member  " in result.stdout
    assert " known pixels of 4 features in 2 groups\n" in result.stdout
    result = run("crossval", "--group", "trein")
    assert result.exit_code == 1
    assert "the outlines have no column 'trein'. Did you mean 'train'?" in result.stderr


def test_groups_are_those_of_the_outlines_now(finished, tmp_path):
    "As splits are: a column may be filled after the dataset was built."
    run = small(copy_of(finished, tmp_path / "now"))
    run.raw.update({"epochs": 1, "seeds_number": 1})
    run.write()
    outlines = [
        ({**columns, "basin": columns["id"][:5]}, polygon)
        for columns, polygon in synthetic.FEATURES
    ]
    synthetic.write_outlines(run.root / "data/glaciers.shp", outlines)
    result = run("crossval", "--group", "basin")
    assert result.exit_code == 0, result.output
    held_out = {fold["name"]: fold["held_out"] for fold in metrics_of(run)["folds"]}
    assert held_out["north_by_basin"] == ["north-1", "north-2"]
    assert len(held_out) == 3
    for path in (run.root / "data").glob("glaciers.*"):
        path.unlink()
    result = run("crossval", "--group", "basin")  # as it was when it was built
    where = "datasets/region, as it was built: the outlines have no column 'basin'."
    assert where in result.stderr


def test_it_is_said_before_the_folds_that_no_calibration_will_be_kept(
    finished, tmp_path
):
    "They may take hours."
    run = small(copy_of(finished, tmp_path / "early"))
    run.raw.update({"epochs": 1, "seeds_number": 1, "batch_size": 8})
    run.write()
    result = run("crossval", "--folds", "2")
    assert result.exit_code == 0, result.output
    before, _, after = result.stderr.partition("fold 1 of 2")
    said = "small: was trained with other values of: batch_size, criterion, epochs"
    assert f"{said}. No calibration will be kept with it" in before
    assert f"{said}. No calibration is kept with it" in after


def test_another_experiment_is_refused(crossed, tmp_path):
    "Its members must not be mixed with those that are there."
    run = copy_of(crossed, tmp_path / "other")
    run.raw["batch_size"] = 16
    run.write()
    result = run("crossval")
    assert result.exit_code == 1
    assert (
        "folds/north-1: was trained with other values of: batch_size." in result.stderr
    )
    assert "or start anew with --overwrite" in result.stderr


def test_another_number_of_folds_leaves_the_others_alone(crossed, tmp_path):
    "It needs no --overwrite, and goes back to what is there; both ways at once are odd."
    run = copy_of(crossed, tmp_path / "two")
    before = read_all(run.root / "models/small/folds")
    assert run("crossval", "--folds", "2").exit_code == 0
    folds = [fold["name"] for fold in metrics_of(run)["folds"]]
    assert folds == ["fold_1_of_2", "fold_2_of_2"]
    after = read_all(run.root / "models/small/folds")
    assert {name: after[name] for name in before} == before
    result = run("crossval", "--folds", "2", "--leave-one-out")
    assert result.exit_code == 2
    assert "--folds 2: cannot stand beside --leave-one-out" in result.stderr


def test_values_of_python_are_checked(finished):
    checked = check_experiment(finished.raw, "exp")
    with pytest.raises(ValueError, match="Invalid n_folds 1"):
        crossval(checked, Workspace(finished.root), n_folds=1)


def test_the_errors_calibrate_the_model(crossed, tmp_path):
    "Kept with it if it is trained from the same experiment; evaluate tells of it."
    run = copy_of(crossed, tmp_path / "calibrated")
    calibration = run.root / "models/small/calibration.json"
    assert (
        not calibration.exists()
    )  # the model is of more epochs, and another criterion
    again = run("crossval")
    assert "was trained with other values of: criterion, epochs" in again.stderr
    assert "No calibration is kept with it" in again.stderr
    assert run("train", "--overwrite").exit_code == 0
    assert "Not calibrated: the spread" in run("evaluate").stdout
    result = run("crossval")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == str(calibration)
    content = json.loads(calibration.read_text())
    assert content["source"] == "crossval"
    # which is of the model that is there
    assert metrics_of(run)["model_identity"] == content["model"]
    own = content["outputs"]["thickness"]
    assert set(own["n_errors"]) == set(FEATURES)
    assert own["is_nonnegative"]  # it ends in softplus
    scores = metrics_of(run)["outputs"]["thickness"]["uncertainty"]
    known = predictions(run).dropna(subset="mean")
    residual, spread = known["mean"] - known.observed, known["std"]
    inside = (residual.abs() <= 1.959964 * spread).mean()
    assert scores["spread"]["levels"]["95"]["coverage"] == pytest.approx(inside)
    assert scores["calibrated"]["levels"]["95"]["least_feature"] in FEATURES
    result = run("evaluate")
    assert result.exit_code == 0, result.output
    assert "\ncalibrated  " in result.stdout
    assert "was trained with other values" not in result.stderr
    assert "From K = 4 features no more than 80.0 %" in result.stdout
    test = metrics_of(run, "test")["outputs"]["thickness"]["uncertainty"]
    points = geopandas.read_file(run.root / "evaluations/small/test/residuals.gpkg")
    points = points.dropna(subset="mean")
    sigma = np.sqrt(
        own["a"] ** 2
        + own["b"] ** 2 * points["std"] ** 2
        + own["c"] ** 2 * points["mean"] ** 2
    )
    half = own["levels"]["80"]["factor"] * sigma
    covered = ((points["mean"] - points.observed).abs() <= half).mean()
    assert test["calibrated"]["levels"]["80"]["coverage"] == pytest.approx(covered)
    assert test["features_calibrated"] == []
    assert metrics_of(run, "test")["model_identity"] == content["model"]
    # beside it the errors' own size, of each feature alike
    squares = (residual**2).groupby(known.feature).mean()
    assert own["constant"] == pytest.approx(np.sqrt(squares.mean()), rel=1e-6)
    error = (points["mean"] - points.observed).abs()
    half = 1.959964 * own["constant"]
    found = test["constant"]["levels"]["95"]
    assert found["coverage"] == pytest.approx((error <= half).mean())
    assert found["mean_width"] == pytest.approx(2 * half)
    assert "\nof one size everywhere  " in result.stdout
    run.raw["drawing_description"]["statistics"] = ["uncertainty", "upper95"]
    run.write()
    result = run("draw")
    assert result.exit_code == 0, result.output


def test_a_model_of_other_data_is_not_calibrated(crossed, tmp_path):
    "Its targets are others now; and what another training left is not in its way."
    run = copy_of(crossed, tmp_path / "other data")
    assert run("train", "--overwrite").exit_code == 0
    calibration = run.root / "models/small/calibration.json"
    assert run("crossval").exit_code == 0
    assert calibration.exists()
    path = run.root / "data/thickness.tif"
    with rasterio.open(path, "r+") as dst:
        values = dst.read(1)
        values[values != synthetic.NODATA] *= 2
        dst.write(values, 1)
    assert run("build-dataset").exit_code == 0
    calibration.unlink()
    result = run("crossval", "--overwrite")
    assert (
        "was trained with other values of: dataset.targets.thickness" in result.stderr
    )
    assert not calibration.exists()
    calibration.write_text("{}")
    result = run("evaluate")
    assert result.exit_code == 0
    assert "dataset.targets.thickness. It is used as it was trained" in result.stderr
    assert "calibration.json: cannot be used" in result.stderr
    assert "It is left aside" in result.stderr
    assert run("train", "--overwrite").exit_code == 0
    assert not calibration.exists()


def test_too_few_features_give_no_calibration(finished, tmp_path):
    "Groups count as one each."
    run = small(copy_of(finished, tmp_path / "few"))
    run.raw.update(epochs=1)
    run.write()
    result = run("crossval", "--group", "train", "--leave-one-out")
    assert (
        "no calibration: thickness: has errors on 2 groups of features" in result.stderr
    )
    # what the spread holds is told all the same, by group
    scores = metrics_of(run)["outputs"]["thickness"]["uncertainty"]
    known = predictions(run).dropna(subset="mean")
    inside = (known.residual.abs() <= 1.959964 * known["std"]).mean()
    level = scores["spread"]["levels"]["95"]
    assert level["coverage"] == pytest.approx(inside)
    assert level["least_feature"] in ("0", "1")
    assert "\nas the members spread  " in result.stdout
    assert "\n  worst group  " in result.stdout
    assert "Not calibrated: the spread of the members is no error." in result.stdout
