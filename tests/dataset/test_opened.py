"""A dataset that is read: what it holds is what was built."""

import geopandas
import numpy as np
import pytest
import rasterio

from glacier_inversion.dataset.opened import open_dataset
from glacier_inversion.dataset.plan import plan_dataset
from glacier_inversion.dataset.training_tiles import read_training_tiles
from glacier_inversion.errors import DatasetError
from glacier_inversion.experiment.experiment import check_experiment
from glacier_inversion.workspace import Workspace
from tests import synthetic
from tests.dataset.helpers import build


def test_a_dataset_of_another_description_is_refused(run):
    "With the keys that differ; unused rasters do not matter."
    build(run)
    run.raw["dataset_description"]["buffer_distance"] = 500.0
    run.raw["dataset_description"]["rasters"][0]["resampling"] = "nearest"
    with pytest.raises(
        DatasetError,
        match=r"buffer_distance 300\.0 → 500\.0; rasters: slope: resampling",
    ):
        open_dataset(check_experiment(run.raw, "exp"), Workspace(run.root))


def read_all(*given):
    "Read all tiles, which else are read as they are asked for."
    return {split: list(parts) for split, parts in read_training_tiles(*given).items()}


def test_damaged_tiles_are_said_to_be_damaged(run):
    "Truncated, missing, or another's: what to do is said."
    build(run)
    checked = check_experiment(run.raw, "exp")
    reader = open_dataset(checked, Workspace(run.root))
    path = run.root / "datasets/region/west/slope.tif"
    whole = path.read_bytes()
    path.write_bytes(whole[:2000])
    with pytest.raises(
        DatasetError, match=r"slope\.tif: is missing or damaged.*build-"
    ):
        read_all(reader, checked)
    path.write_bytes(whole)
    with rasterio.open(path) as src:
        values, profile = src.read(1), src.profile
    path.unlink()
    with pytest.raises(DatasetError, match=r"slope\.tif: is missing or damaged"):
        read_all(reader, checked)
    path.write_bytes(whole)
    read_all(reader, checked)
    with rasterio.open(path, "r+") as dst:
        dst.write(dst.read(1) + 1, 1)
    with pytest.raises(DatasetError, match=r"slope\.tif: is missing or damaged"):
        read_all(reader, checked)
    two = profile | {"count": 2}  # the same, and more
    with rasterio.open(path, "w", **two) as dst:
        dst.write(np.stack([values, values]))
    with pytest.raises(DatasetError, match=r"slope\.tif: is missing or damaged"):
        read_all(reader, checked)
    path.write_bytes(whole)
    other = run.root / "datasets/region/north-2/thickness.tif"
    path.with_name("thickness.tif").write_bytes(other.read_bytes())
    with pytest.raises(DatasetError, match=r"thickness\.tif: is missing or damaged"):
        read_all(reader, checked)


def test_damaged_outlines_are_said_to_be_damaged(run):
    "A feature was deleted from them."
    build(run)
    path = run.root / "datasets/region/outlines.gpkg"
    table = geopandas.read_file(path)
    path.unlink()
    table[table.feature != "south"].to_file(path, layer="outlines")
    checked = check_experiment(run.raw, "exp")
    reader = open_dataset(checked, Workspace(run.root))
    with pytest.raises(DatasetError, match=r"outlines\.gpkg: is missing or damaged"):
        reader.read_tiles(checked, "east")


def test_reading_tells_how_far_it_is(run):
    "A step for each feature that training reads."
    build(run)
    heard = []

    class Heard:
        def start(self, stage, total, unit):
            heard.append((stage, total, unit))

        def advance(self, note=""):
            heard.append(note)

    checked = check_experiment(run.raw, "exp")
    dataset = open_dataset(checked, Workspace(run.root))
    read_all(dataset, checked, Heard())
    features = ["north-1", "north-2", "west", "east"]
    assert heard == [("reading", 4, "feature"), *features]


def test_splits_are_those_of_the_outlines_as_they_are_now(run):
    "Edited after the build, with columns that are new; or as they were, without them."
    build(run)
    place = Workspace(run.root)
    features = [(p | {"part": (p["train"] + 1) % 3}, g) for p, g in synthetic.FEATURES]
    features[0][0]["train"] = 2
    synthetic.write_outlines(run.root / "data/glaciers.shp", features)
    first = features[0][0]["id"]
    checked = check_experiment(run.raw, "exp")
    assert open_dataset(checked, place).splits[first] == "test"
    run.raw["dataset_description"]["split"] = {"field": "part"}
    moved = open_dataset(check_experiment(run.raw, "exp"), place)
    assert moved.select("train") == ["south"]
    for path in (run.root / "data").glob("glaciers.*"):
        path.unlink()
    assert open_dataset(checked, place).splits[first] == "train"


def test_a_feature_that_is_new_in_the_outlines_is_not_in_the_dataset(run):
    "But counts where chance shares features out, as it does for the check."
    build(run)
    features = [
        *synthetic.FEATURES,
        ({"id": "new", "train": 0}, synthetic.FEATURES[0][1]),
    ]
    synthetic.write_outlines(run.root / "data/glaciers.shp", features)
    run.raw["dataset_description"]["split"] = {"fractions": [0.4, 0.3, 0.3]}
    checked, place = check_experiment(run.raw, "exp"), Workspace(run.root)
    planned = plan_dataset(checked, place).ownership.splits
    opened = open_dataset(checked, place).splits
    assert "new" in planned
    assert opened == {f: split for f, split in planned.items() if f != "new"}


def test_files_that_changed_since_the_build_are_told(run, caplog):
    "By each command that reads the dataset, once, and no longer after a build."
    build(run)
    checked = check_experiment(run.raw, "exp")
    caplog.clear()
    open_dataset(checked, Workspace(run.root))
    assert not caplog.messages
    path = run.root / "data/slope.tif"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    (run.root / "data/speed.tif").unlink()  # not at hand: nothing is known
    open_dataset(checked, Workspace(run.root))
    (warning,) = caplog.messages
    assert "datasets/region: was built before slope.tif changed" in warning
    result = run("train")
    assert result.exit_code == 0
    assert result.stderr.count("was built before slope.tif changed") == 1
    synthetic.write_region(run.root)
    assert run("build-dataset").exit_code == 0
    caplog.clear()
    open_dataset(checked, Workspace(run.root))
    assert not caplog.messages
