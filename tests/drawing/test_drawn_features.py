"""Records of what was drawn: no map is drawn twice, none that is stale is kept."""

import csv
import json
import shutil

import numpy as np
import pytest
import rasterio

from glacier_inversion.drawing.drawn_features import RECORD
from glacier_inversion.state_files import digest_of
from glacier_inversion.training.model.applicability import APPLICABILITY
from glacier_inversion.training.model.covariogram import Covariogram
from glacier_inversion.training.model.members import (
    WEIGHTS,
    read_weights,
    write_weights,
)
from glacier_inversion.training.model.model import read_model
from tests import synthetic
from tests.drawing.helpers import calibrate, forget_records
from tests.helpers import copy_of, read_all

COVARIOGRAM = Covariogram(0.1, 0.8, 150.0, 0.1, 0.05)
TABLES = "holes.csv", "volumes.csv", "volumes.gpkg"
EVERY = [properties["id"] for properties, _ in synthetic.FEATURES]


def draw(run, features, exit_code=0, **description):
    """Draw features, and return what was said."""
    run.raw["drawing_description"] |= {"features": features, "profiles": []}
    run.raw["drawing_description"] |= description
    run.write()
    result = run("draw")
    assert result.exit_code == exit_code, result.output
    return result.stderr


def told(run, table="holes.csv"):
    """Return the features of a table."""
    with (run.root / "drawings/small" / table).open(newline="") as file:
        return [row["feature"] for row in csv.DictReader(file)]


def drawn_at(run):
    """Return when the maps and records of each feature were written."""
    files = (run.root / "drawings/small").glob("*/*.[tj]*")
    return {(p.parent.name, p.name): p.stat().st_mtime_ns for p in files}


@pytest.fixture(scope="module")
def once(finished, tmp_path_factory):
    """
    All features, drawn in one run.

    By a model that knows how its errors go, with a published map beside.
    """
    run = copy_of(finished, tmp_path_factory.mktemp("once"))
    shutil.rmtree(run.root / "drawings")
    calibrate(run, covariogram=COVARIOGRAM)
    description = run.raw["dataset_description"]
    thickness = description["rasters"][-1]
    published = {"name": "published", "file": "published.tif"}
    description["rasters"].append(thickness | published)
    shutil.copy(run.root / "data" / thickness["file"], run.root / "data/published.tif")
    run.raw["evaluation_description"] = {
        "baselines": {"thickness": [{"name": "published", "raster": "published"}]}
    }
    run.write()
    assert run("build-dataset").exit_code == 0
    draw(run, "all")
    return run


@pytest.fixture
def run(once, tmp_path):
    """A copy of it that a test may change."""
    return copy_of(once, tmp_path)


def test_what_would_be_the_same_is_kept(run):
    "Its files are not touched, and the tables and pictures are those of all features."
    before, at_first = read_all(run.root / "drawings"), drawn_at(run)
    shutil.rmtree(run.root / "drawings/small/east")
    (run.root / "drawings/small/volumes.csv").unlink()
    result = run("draw")
    assert result.exit_code == 0
    assert "small: kept the maps of 4 of 5 features" in result.stderr
    assert read_all(run.root / "drawings") == before
    changed = dict(drawn_at(run).items() - at_first.items())
    assert {feature for feature, _ in changed} == {"east"}
    of_maps = [line for line in result.stdout.splitlines() if line.endswith(".tif")]
    assert len(of_maps) == 2 * len(EVERY)


def test_several_runs_write_what_one_writes(once, run):
    "Maps, and tables with totals and their intervals; whatever the order."
    folder = run.root / "drawings/small"
    shutil.rmtree(folder)
    for features in (["west", "south"], ["east"], ["north-2", "north-1", "west"]):
        said = draw(run, features)
    assert "kept the maps of 1 of 3 features" in said
    assert "km2 of 5 features" in said
    expected, found = read_all(once.root / "drawings/small"), read_all(folder)
    same = [name for name in expected if name in TABLES or name.endswith(".tif")]
    assert len(same) == len(TABLES) + 2 * len(EVERY)
    assert {name: found[name] for name in same} == {n: expected[n] for n in same}
    assert told(run) == EVERY
    assert told(run, "volumes.csv") == [*EVERY, "total"]


def test_a_feature_that_fails_now_keeps_the_rows_of_its_map(run):
    (run.root / "datasets/region/west/slope.tif").unlink()
    draw(run, ["west", "east"], exit_code=3)
    assert told(run) == EVERY


def other_weights(run):
    """Change the last member a little."""
    folder = run.root / "models/small"
    identity, path = read_model(folder).identity, folder / "seed_001" / WEIGHTS
    weights = read_weights(path, 1, identity)
    write_weights(path, {k: w * 1.01 for k, w in weights.items()}, 1, identity)


def other_calibration(run):
    """Let the errors be larger, which is seen in the volumes alone."""
    calibrate(run, a=40.0)


def no_calibration(run):
    """Forget it."""
    (run.root / "models/small/calibration.json").unlink()


def no_applicability(run):
    """Forget what the model was trained on, which is seen in the holes alone."""
    (run.root / "models/small" / APPLICABILITY).unlink()


def other_resolution(run):
    """Draw coarser."""
    run.raw["drawing_description"]["resolution"] = 100.0


def other_order(run):
    """Name what changes nothing of the maps but their tags."""
    run.raw["drawing_description"]["statistics"] = ["std", "mean"]


def other_input(run):
    """Change a raster, and build."""
    steepen(run.root / "data/slope.tif")
    assert run("build-dataset").exit_code == 0


def other_published(run):
    """Change what volumes are compared with alone."""
    steepen(run.root / "data/published.tif")
    assert run("build-dataset").exit_code == 0


def steepen(path):
    """Make all values of a raster larger."""
    with rasterio.open(path, "r+") as dst:
        dst.write(np.where(dst.read(1) > 0, dst.read(1) * 1.1, -9999), 1)


def other_map(run):
    """Overwrite a pixel of a map."""
    path = run.root / "drawings/small/west/thickness_mean.tif"
    with rasterio.open(path, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as dst:
        dst.write(np.full((1, 1), 7, "f4"), 1, window=((5, 6), (5, 6)))


def no_map(run):
    """Remove one."""
    (run.root / "drawings/small/west/thickness_std.tif").unlink()


def other_maps(run):
    """Leave maps as a run would that was killed before it wrote their record."""
    path = run.root / "drawings/small/west" / RECORD
    record = path.read_bytes()
    draw(run, ["west"], resolution=100.0)
    assert path.read_bytes() != record
    path.write_bytes(record)
    del run.raw["drawing_description"]["resolution"]


def other_record(run):
    """Let a record tell of more pixels."""
    path = run.root / "drawings/small/west" / RECORD
    content = json.loads(path.read_text())
    content["holes"]["n_pixels"] *= 2
    synthetic.write_json(path, content)


@pytest.mark.parametrize(
    "change",
    [
        other_weights,
        other_calibration,
        no_calibration,
        no_applicability,
        other_resolution,
        other_order,
        other_input,
        other_published,
    ],
)
def test_what_all_maps_follow_from_lets_none_be_kept(run, change):
    "Rows of other features are left out of the tables."
    change(run)
    assert "kept the maps" not in draw(run, ["east"])
    assert told(run) == ["east"]
    assert told(run, "volumes.csv") == ["east", "total"]


@pytest.mark.parametrize("change", [other_map, no_map, other_maps, other_record])
def test_what_is_not_as_it_was_drawn_is_drawn_again(run, change):
    "It alone, to the same bytes; it has no row in the tables until then."
    before, others = read_all(run.root / "drawings"), [f for f in EVERY if f != "west"]
    change(run)
    assert "kept the maps of 1 of 1 features" in draw(run, ["east"])
    assert told(run) == others
    assert told(run, "volumes.csv") == [*others, "total"]
    assert "kept the maps of 4 of 5 features" in draw(run, "all")
    assert read_all(run.root / "drawings") == before


def test_another_outline_is_another_feature(run):
    "Though its tile is the same."
    features = [
        (row, outline - synthetic.box(1600, 0, 1700, 100))
        if row["id"] == "south"
        else (row, outline)
        for row, outline in synthetic.FEATURES
    ]
    synthetic.write_outlines(run.root / "data/glaciers.shp", features)
    assert run("build-dataset").exit_code == 0
    draw(run, ["east"])
    assert told(run) == [feature for feature in EVERY if feature != "south"]
    assert "kept the maps of 4 of 5 features" in draw(run, "all")
    after = read_all(run.root / "drawings")
    shutil.rmtree(run.root / "drawings")
    draw(run, "all")
    assert after == read_all(run.root / "drawings")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"format": 99}', '{"format": 1, "sha256": "0"}']
)
def test_a_record_that_cannot_be_used_is_no_more_than_none(run, text):
    before = read_all(run.root / "drawings")
    (run.root / "drawings/small/west" / RECORD).write_text(text)
    draw(run, ["east"])
    assert told(run) == [feature for feature in EVERY if feature != "west"]
    assert "kept the maps of 4 of 5 features" in draw(run, "all")
    assert read_all(run.root / "drawings") == before


def test_records_of_earlier_versions_tell_no_extremes(run):
    "Which are read of the maps then, for the same styles."
    before = read_all(run.root / "drawings")
    path = run.root / "drawings/small/west" / RECORD
    content = json.loads(path.read_text())
    with rasterio.open(path.with_name("thickness_mean.tif")) as src:
        values = src.read(1)
    extremes = content.pop("extremes")["thickness_mean.tif"]
    assert extremes == [np.nanmin(values), np.nanmax(values)]
    number, _ = content.pop("format"), content.pop("sha256")
    path.write_text(
        json.dumps({"format": number, **content, "sha256": digest_of(content)})
    )
    assert "kept the maps of 5 of 5 features" in draw(run, "all")
    after = read_all(run.root / "drawings")
    changed = {name for name in before if before[name] != after[name]}
    assert {str(name).rpartition("/")[2] for name in changed} == {RECORD}


def test_another_way_of_evaluating_is_another_map(unpadded, tmp_path):
    "Whose values differ by rounding."
    run = copy_of(unpadded, tmp_path)
    forget_records(run)
    for method, kept in (("dense", False), ("dense", True), ("patches", False)):
        result = run("draw", "--method", method)
        assert result.exit_code == 0
        assert ("kept the maps of 1 of 1 features" in result.stderr) is kept
