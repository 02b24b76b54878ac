"""Tables of holes and volumes tell of all maps that lie there, and of no others."""

import csv
import json
import shutil

import pytest

from glacier_inversion.training.model.covariogram import Covariogram
from tests import synthetic
from tests.drawing.helpers import calibrate
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


@pytest.fixture(scope="module")
def once(finished, tmp_path_factory):
    """All features, drawn in one run by a model that knows how its errors go."""
    run = copy_of(finished, tmp_path_factory.mktemp("once"))
    shutil.rmtree(run.root / "drawings")
    calibrate(run, covariogram=COVARIOGRAM)
    draw(run, "all")
    return run


@pytest.fixture
def run(once, tmp_path):
    """A copy of it that a test may change."""
    return copy_of(once, tmp_path)


def test_several_runs_write_the_tables_of_one(once, run):
    "Totals with their intervals, too; whatever the order."
    folder = run.root / "drawings/small"
    shutil.rmtree(folder)
    for features in (["west", "south"], ["east"], ["north-2", "north-1", "west"]):
        said = draw(run, features)
    assert "km2 of 5 features" in said
    expected = read_all(once.root / "drawings/small")
    found = read_all(folder)
    assert {name: found[name] for name in TABLES} == {
        name: expected[name] for name in TABLES
    }
    assert told(run) == EVERY
    assert told(run, "volumes.csv") == [*EVERY, "total"]


def test_a_feature_that_fails_now_keeps_the_rows_of_its_map(run):
    (run.root / "datasets/region/west/slope.tif").unlink()
    draw(run, ["west", "east"], exit_code=3)
    assert told(run) == EVERY


def change_tile(run):
    path = run.root / "datasets/region/summary.json"
    summary = json.loads(path.read_text())
    row = next(r for r in summary["features"] if r["feature"] == "west")
    row["rasters"]["slope"]["sha256"] = "other"
    path.write_text(json.dumps(summary))


def remove_member(run):
    shutil.rmtree(run.root / "models/small/seed_001")
    (run.root / "models/small/calibration.json").unlink()


def swap_map(run):
    "As a run would have drawn it that was stopped before it wrote the tables."
    known = (run.root / "drawings/small/drawn.json").read_bytes()
    draw(run, ["west"], resolution=200.0)
    (run.root / "drawings/small/drawn.json").write_bytes(known)
    del run.raw["drawing_description"]["resolution"]


@pytest.mark.parametrize(
    ("change", "lost"),
    [
        (remove_member, ["north-1", "north-2", "west", "south"]),
        (change_tile, ["west"]),
        (swap_map, ["west"]),
        (
            lambda run: (run.root / "drawings/small/west/thickness_std.tif").unlink(),
            ["west"],
        ),
        (
            lambda run: (
                run.root / "drawings/small/west/thickness_mean.tif"
            ).write_bytes(b"no map"),
            ["west"],
        ),
        (
            lambda run: (run.root / "models/small/calibration.json").unlink(),
            ["north-1", "north-2", "west", "south"],
        ),
    ],
)
def test_rows_of_maps_that_would_be_others_now_are_left_out(run, change, lost):
    change(run)
    draw(run, ["east"])
    expected = [feature for feature in EVERY if feature not in lost]
    assert told(run) == expected
    assert told(run, "volumes.csv") == [*expected, "total"]


def test_another_resolution_keeps_nothing(run):
    draw(run, ["east"], resolution=200.0)
    assert told(run) == ["east"]


@pytest.mark.parametrize(
    "text",
    [
        "{",
        '{"format": 99}',
        '{"format": 1, "sha256": "0", "features": {}}',
        '{"format": 1, "features": []}',
    ],
)
def test_a_file_that_cannot_be_used_is_written_anew(run, text):
    "Which is said; as is one whose numbers were changed."
    path = run.root / "drawings/small/drawn.json"
    path.write_text(text)
    said = draw(run, ["east"])
    assert f"{path}: cannot be used (" in said
    assert told(run) == ["east"]
    assert "cannot be used" not in draw(run, ["west"])
    assert told(run) == ["west", "east"]
    path.write_text(path.read_text().replace('"n_pixels": ', '"n_pixels": 1'))
    assert "not as it was written" in draw(run, ["east"])
