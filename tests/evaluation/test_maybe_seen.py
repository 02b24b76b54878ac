"""Ids that were given anew: features that networks may have seen are not unseen."""

import json
import shutil
from dataclasses import replace

import pytest
import rasterio
import shapely

from glacier_inversion import Workspace, load_experiment, open_dataset
from glacier_inversion.evaluation.maybe_seen import (
    find_maybe_seen,
    has_training_features,
)
from glacier_inversion.training.model.model import read_model
from tests import synthetic
from tests.helpers import add_dataset, copy_of


@pytest.fixture
def opened(finished):
    """The model, and the dataset that it was trained on."""
    dataset = open_dataset(load_experiment(finished.file), Workspace(finished.root))
    return read_model(finished.root / "models/small"), dataset


def test_features_that_were_kept_apart_are_not_seen(opened):
    "Though 'south' touches a feature of training."
    model, dataset = opened
    assert has_training_features(model, dataset)
    assert find_maybe_seen(model, dataset, ["south"]) == []


def test_an_outline_within_one_of_training_is_seen(opened):
    "Where the features of training are as they were."
    model, dataset = opened
    dataset.outlines["south"] = shapely.box(*dataset.outlines["west"].bounds)
    assert find_maybe_seen(model, dataset, ["south"]) == ["south"]


def test_a_feature_that_trained_one_of_a_blend_is_seen(opened):
    "As where a model of an earlier version beside it does not know its features."
    model, dataset = opened
    assert find_maybe_seen(model, dataset, ["west", "south"]) == ["west"]


def test_a_feature_of_training_that_is_gone_leaves_it_open(opened):
    "Its place may bear another id."
    model, dataset = opened
    del dataset.rows["west"]
    assert find_maybe_seen(model, dataset, ["south"]) == ["south"]


def test_what_was_mixed_in_counts_as_seen(finished, tmp_path):
    "Where it lies on the ground of a feature; and everywhere if it is gone."
    run = copy_of(finished, tmp_path)
    run.raw.update(epochs=1, seeds_number=1)
    add_dataset(run, epsg=synthetic.OTHER_EPSG)
    assert run("train", "--overwrite").exit_code == 0
    dataset = open_dataset(load_experiment(run.file), Workspace(run.root))
    model = read_model(run.root / "models/small")
    assert find_maybe_seen(model, dataset, ["south"]) == []
    # an id that is another's now, on the ground of one that was mixed in alone
    dataset.splits.pop("west")
    model.splits["train"].remove("west")
    without = {**model.contents, **dataset.input_contents(model.experiment)}
    moved = replace(model, contents=without)
    dataset.outlines["south"] = shapely.box(*dataset.outlines["west"].bounds)
    assert find_maybe_seen(moved, dataset, ["south"]) == ["south"]
    dataset.outlines["south"] = shapely.box(0, 0, 100, 100)
    assert find_maybe_seen(moved, dataset, ["south"]) == []
    shutil.rmtree(run.root / "datasets/other")
    assert find_maybe_seen(moved, dataset, ["south"]) == ["south"]


def replace_rasters(run, *names):
    """Give rasters other values, and build anew."""
    for name in names:
        path = run.root / "data" / name
        with rasterio.open(path) as src:
            values, profile = src.read(), src.profile
        with rasterio.open(path, "w", **profile) as out:
            out.write(values + 1)
    assert run("build-dataset").exit_code == 0


def test_a_raster_that_is_replaced_moves_no_feature(finished, tmp_path):
    "Features are told by the tiles of the inputs that stayed."
    run = copy_of(finished, tmp_path)
    rasters = sorted(path.name for path in (run.root / "data").glob("*.tif"))
    replace_rasters(run, rasters[0])
    dataset = open_dataset(load_experiment(run.file), Workspace(run.root))
    model = read_model(run.root / "models/small")
    contents = dataset.input_contents(model.experiment)
    assert not contents.items() <= model.contents.items()
    assert find_maybe_seen(model, dataset, ["south"]) == []
    replace_rasters(run, *rasters[1:])
    dataset = open_dataset(load_experiment(run.file), Workspace(run.root))
    assert find_maybe_seen(model, dataset, ["south"]) == ["south"]


def test_ids_that_change_places_are_said(finished, tmp_path):
    "Neither numbers nor report say then that no network has seen the feature."
    run = copy_of(finished, tmp_path)
    (west, at_west), (south, at_south) = synthetic.FEATURES[2], synthetic.FEATURES[4]
    changed = [*synthetic.FEATURES]
    changed[2], changed[4] = (west, at_south), (south, at_west)
    synthetic.write_outlines(run.root / "data/glaciers.shp", changed)
    assert run("build-dataset").exit_code == 0
    result = run("evaluate")
    assert result.exit_code == 0
    said = [line for line in result.stderr.splitlines() if "may have been" in line]
    assert len(said) == 1
    assert (
        "small: its networks may have been trained on the places of: south" in said[0]
    )
    written = run.root / "evaluations/small/test/metrics.json"
    assert json.loads(written.read_text())["maybe_seen"] == ["south"]
    assert run("report").exit_code == 0
    report = (run.root / "reports/small.html").read_text()
    assert "no network has seen" not in report
    assert "may have been trained on the places of south" in report
    assert "the errors are not those of glaciers that were never seen" in report
