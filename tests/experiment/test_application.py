"""Files that apply trained models: complete for drawing, and nothing is trained."""

import json
import shutil

import jsonschema
import numpy as np
import pytest
import rasterio

from glacier_inversion import Workspace, load_application, open_dataset
from glacier_inversion.experiment.application import Application
from glacier_inversion.experiment.experiment import Experiment, json_schema
from tests import synthetic
from tests.helpers import Run, edit_json


@pytest.fixture
def applied(finished, tmp_path):
    """A workspace without thickness and splits, to apply a trained model to."""
    raw = synthetic.write_region(tmp_path)
    (tmp_path / "data/thickness.tif").unlink()
    features = [({"id": p["id"]}, outline) for p, outline in synthetic.FEATURES]
    synthetic.write_outlines(tmp_path / "data/glaciers.shp", features)
    dataset = raw["dataset_description"]
    dataset["rasters"] = [r for r in dataset["rasters"] if r["name"] != "thickness"]
    drawing = {"features": "all", "models": [str(finished.root / "models/small")]}
    raw = {"dataset_description": dataset, "drawing_description": drawing}
    return Run(tmp_path, synthetic.write_json(tmp_path / "apply.json", raw), raw)


def read(path):
    """Return a map, and its unit."""
    with rasterio.open(path) as src:
        return src.read(1), src.units[0]


def test_glaciers_that_nobody_measured_are_drawn(applied, finished):
    "The maps of the model's own workspace, with the unit that it was trained with."
    checked = applied("check")
    assert checked.exit_code == 0, checked.output
    assert "Problems: none" in checked.stdout
    assert "trained models are drawn" in checked.stdout
    assert "have no split" not in checked.output
    report = json.loads(applied("check", "--json").stdout)
    assert (report["network"], report["train"], report["samples"]) == (None,) * 3
    assert {r["name"]: r["role"] for r in report["rasters"]} == {
        "slope": "input",
        "speed": "input",
    }
    assert report["draw"]["features"] == 5
    assert report["draw"]["pixels"] > 0
    assert applied("build-dataset").exit_code == 0
    result = applied("draw")
    assert result.exit_code == 0, result.output
    assert "differs from training" not in result.output
    for path in sorted((finished.root / "drawings/small").rglob("*_mean.tif")):
        here = applied.root / path.relative_to(finished.root)
        (values, unit), (expected, _) = read(here), read(path)
        np.testing.assert_array_equal(values, expected)
        assert unit == "m"
    assert len(list((applied.root / "drawings/small").rglob("*_mean.tif"))) == 5
    assert not (applied.root / "models").exists()


def test_a_buffer_that_is_small_for_a_model_is_warned_of(applied):
    "Its margins could not be drawn."
    applied.raw["dataset_description"]["buffer_distance"] = 250.0
    applied.write()
    assert "250 is less than 300, half the area size" in applied("check").stdout


def test_nothing_is_trained(applied):
    "Exit code 2, with what is missing."
    result = applied("train")
    assert result.exit_code == 2
    assert "Must hold the network and its training, too" in result.stderr


def test_the_features_of_a_split_are_those_that_the_model_remembers(applied):
    "Here are no splits."
    applied.raw["drawing_description"]["features"] = "test"
    applied.write()
    assert applied("check").exit_code == 0
    assert applied("build-dataset").exit_code == 0
    assert applied("draw").exit_code == 0
    folder = applied.root / "drawings/small"
    drawn = {path.name for path in folder.iterdir() if path.is_dir()}
    assert drawn == {"south"}
    place = Workspace(applied.root)
    assert open_dataset(load_application(applied.file), place).splits == {}


def test_what_a_model_reads_and_the_dataset_lacks_is_one_message(applied):
    "Every variable with its resolution, in check as in draw."
    rasters = applied.raw["dataset_description"]["rasters"]
    rasters[0]["name"], rasters[1]["resolution"] = "incline", 50.0
    applied.write()
    assert applied("build-dataset").exit_code == 0
    for command in ("check", "draw"):
        result = applied(command)
        assert result.exit_code == 1
        lacks = "reads 'slope' at 50 (not at all), 'speed' at 100 (at 50)"
        assert result.output.count(lacks) == 1


def test_other_sources_than_in_training_are_named(applied):
    "With the values of both."
    rasters = applied.raw["dataset_description"]["rasters"]
    rasters[0] |= {"resampling": "nearest", "unit": "percent"}
    applied.write()
    checked = json.loads(applied("check", "--json").stdout)
    (warning,) = (w for w in checked["warnings"] if "differs from training" in w)
    assert applied("build-dataset").exit_code == 0
    result = applied("draw")
    assert result.exit_code == 0
    assert "slope: resampling default → nearest, unit" in result.stderr
    assert "→ percent" in result.stderr
    assert "speed: " not in result.stderr
    assert warning in result.stderr


@pytest.fixture
def derived(applied, finished):
    """The same, with a model whose slope was derived, and another elevation here."""
    model = applied.root / "models/small"
    shutil.copytree(finished.root / "models/small", model)
    slope = {"name": "slope", "resolution": 50.0}
    slope["derive"] = {"name": "slope", "of": "dem"}
    dem = {"name": "dem", "resolution": 50.0, "file": "dem.tif"}

    def derive(description, file):
        others = [r for r in description["rasters"] if r["name"] != "slope"]
        description["rasters"] = [*others, slope, dem | file]

    def change(content):
        derive(content["experiment"]["dataset_description"], {"resampling": "average"})
        content["units"]["slope"] = "degree"

    edit_json(model / "model.json", change)
    derive(applied.raw["dataset_description"], {"file": "slope.tif"})
    applied.raw["drawing_description"]["models"] = ["small"]
    applied.write()
    return applied


def test_other_sources_of_what_is_derived_are_named(derived):
    "In check, before anything is made of them, as in draw."
    expected = (
        "small: differs from training: dem, source of slope: file dem.tif → slope.tif, "
        "resampling average → default"
    )
    checked = derived("check")
    assert checked.exit_code == 0, checked.output
    assert " ".join(checked.stdout.split()).count(expected) == 1
    report = json.loads(derived("check", "--json").stdout)
    assert [w for w in report["warnings"] if "differs from" in w] == [expected]
    assert derived("build-dataset").exit_code == 0
    drawn = derived("draw")
    assert drawn.exit_code == 0, drawn.output
    assert drawn.stderr.count("differs from training") == 1
    assert expected in drawn.stderr


def test_units_of_what_cannot_be_read_are_not_compared(derived):
    "That a file is missing is said already."
    (derived.root / "data/slope.tif").unlink()
    result = derived("check", "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)["warnings"]
    (warning,) = (w for w in found if "differs from training" in w)
    assert "unit" not in warning


def test_profiles_have_no_truth(applied):
    "The column of the target is there, and empty."
    x, y = synthetic.LEFT + 600, synthetic.TOP - 2900
    line = [(x + 700, y + 350), (x + 1700, y + 500)]
    synthetic.write_lines(applied.root / "data/profiles/along.shp", [line])
    applied.raw["drawing_description"] |= {"features": [], "profiles": ["along"]}
    applied.write()
    assert applied("build-dataset").exit_code == 0
    assert applied("draw").exit_code == 0
    path = applied.root / "drawings/small/profiles/along_thickness.csv"
    head, *rows = path.read_text().splitlines()
    column = head.split(",").index("target")
    assert {row.split(",")[column] for row in rows} == {""}


@pytest.mark.parametrize(
    ("models", "message"),
    [
        (["a/small", "b/small"], "'b/small' ends in the same name as 'a/small'"),
        (["../"], "models[0]"),
        (["a/b\0c"], "control character"),
        (["a/nul:"], "holds ':'"),
    ],
)
def test_paths_of_models_name_drawings(applied, models, message):
    "By their last part, which must be able to, and differ."
    applied.raw["drawing_description"]["models"] = models
    applied.write()
    result = applied("draw")
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_model_that_is_not_there_is_named(applied):
    "With the path that was meant."
    applied.raw["drawing_description"]["models"] = ["../elsewhere/small"]
    applied.write()
    assert applied("build-dataset").exit_code == 0
    result = applied("draw")
    assert result.exit_code == 1
    assert "../elsewhere/small: is no model" in result.stderr


def test_the_schema_accepts_both_kinds(applied, finished):
    "And neither half of one."
    validator = jsonschema.Draft202012Validator(json_schema())
    whole = json.loads(finished.file.read_text())
    assert validator.is_valid(applied.raw)
    assert validator.is_valid(whole)
    assert isinstance(load_application(applied.file), Application)
    assert isinstance(load_application(finished.file), Experiment)
    assert not validator.is_valid(applied.raw | {"epochs": 3})
    assert not validator.is_valid({"dataset_description": whole["dataset_description"]})
    del whole["epochs"]
    assert not validator.is_valid(whole)


def test_an_unknown_key_beside_is_refused_as_ever(applied):
    "All that is missing is said then: it may be meant for training."
    applied.raw["epoch"] = 3
    applied.write()
    result = applied("draw")
    assert result.exit_code == 2
    assert "epoch: unknown key" in result.stderr
