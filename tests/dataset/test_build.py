"""build-dataset: the right tiles, made once, never half."""

import json
import os
import re
import shutil

import numpy as np
import pytest
import rasterio
from shapely.geometry import Polygon

from glacier_inversion.dataset import build as dataset
from glacier_inversion.dataset.opened import open_dataset
from glacier_inversion.errors import DatasetError, WorkspaceError
from glacier_inversion.experiment.experiment import check_experiment
from glacier_inversion.geodata.geotiffs import read_tile
from glacier_inversion.locks import locked
from glacier_inversion.workspace import Workspace
from tests import synthetic
from tests.dataset.helpers import build, summary, tiles
from tests.helpers import read_all


def test_tiles_have_the_bounds_and_pixels_of_the_design(run):
    "Outline bounds + buffer, outward to multiples of 100 m; pixels exactly 50 and 100 m."
    report = build(run)
    assert (report.n_written, report.n_kept, report.failures) == (15, 0, {})
    rows = {row["feature"]: row for row in summary(run)["features"]}
    for properties, polygon in synthetic.FEATURES:
        row = rows[properties["id"]]
        assert row["columns"]["train"] == properties["train"]
        left, bottom, right, top = polygon.bounds
        expected = [
            *(100 * np.floor((np.array([left, bottom]) - 300) / 100)),
            *(100 * np.ceil((np.array([right, top]) + 300) / 100)),
        ]
        assert row["bounds"] == expected
        for name, resolution in (("slope", 50), ("speed", 100), ("thickness", 50)):
            path = run.root / "datasets/region" / row["feature"]
            with rasterio.open(path / f"{name}.tif") as src:
                assert list(src.bounds) == expected
                assert src.res == (resolution, resolution)
                assert src.crs.to_epsg() == synthetic.EPSG
                assert np.isnan(src.nodata)
                assert src.dtypes == ("float32",)
                valid = np.isfinite(src.read(1)).mean()
            assert row["rasters"][name]["valid"] == pytest.approx(valid, abs=1e-6)


def test_values_are_where_they_belong(run):
    "Both CRSs: tiles of smooth fields hold the field at their own pixel centres."
    build(run)
    reader = open_dataset(check_experiment(run.raw, "exp"), Workspace(run.root))
    for name, function, resolution in (
        ("slope", synthetic.slope_deg, 50.0),
        ("speed", synthetic.speed_m_per_yr, 100.0),
    ):
        grid = reader.grid("west", resolution)
        tile = read_tile(run.root / f"datasets/region/west/{name}.tif")
        expected = synthetic.sample(
            function, grid.left, grid.top, resolution, grid.n_rows, grid.n_cols
        )
        # averages of a field that bends over some 500 m, at pixels of 100 m; beside
        # the hole of parts of pixels. A tile half a pixel off would differ by 0.4
        np.testing.assert_allclose(tile, expected, atol=0.25)


def test_jobs_change_nothing(run):
    "Two processes make the same tiles and the same summary."
    build(run)
    one = summary(run)
    for path in (run.root / "datasets").rglob("*.tif"):
        path.unlink()
    assert build(run, jobs=2).n_written == 15
    assert summary(run) == one


def test_what_is_built_is_kept_and_what_changed_is_rebuilt(run):
    "By the description and by the input files."
    build(run)
    first = tiles(run)
    assert build(run).n_written == 0
    assert tiles(run) == first
    slope = run.root / "data" / "slope.tif"
    with rasterio.open(slope, "r+") as dst:
        dst.write(dst.read(1) + 1, 1)
    assert build(run).n_written == 5
    changed = {name for name, time in tiles(run).items() if first[name] != time}
    assert {name.split("/")[-1] for name in changed} == {"slope.tif"}
    run.raw["dataset_description"]["rasters"][1]["resampling"] = "nearest"
    assert build(run).n_written == 5
    run.raw["dataset_description"]["buffer_distance"] = 400.0
    assert build(run).n_written == 15


def test_a_removed_tile_is_made_again_and_a_stale_feature_removed(run):
    "A feature that has another name leaves no tiles behind, and a file of the user's."
    build(run)
    (run.root / "datasets/region/west/slope.tif").unlink()
    assert build(run).n_written == 1
    mine = run.root / "datasets/region/west/notes.txt"
    mine.write_text("the user's own")
    renamed = [
        ({**p, "id": "far west" if p["id"] == "west" else p["id"]}, g)
        for p, g in synthetic.FEATURES
    ]
    synthetic.write_outlines(run.root / "data/glaciers.shp", renamed)
    build(run)
    assert not list((run.root / "datasets/region/west").glob("*.tif"))
    assert mine.exists()
    assert len(list((run.root / "datasets/region/far west").glob("*.tif"))) == 3


def test_another_split_makes_no_tile_anew(run):
    "Tiles do not depend on it: who trains is decided when it is needed."
    build(run)
    before = tiles(run)
    rows = summary(run)["features"]
    place, checked = Workspace(run.root), check_experiment(run.raw, "exp")
    assert open_dataset(checked, place).splits["west"] == "train"
    run.raw["dataset_description"]["split"] = {"fractions": [0.2, 0.4, 0.4], "seed": 1}
    shared = open_dataset(check_experiment(run.raw, "exp"), place)
    counts = [[*shared.splits.values()].count(s) for s in ("train", "validation")]
    assert counts == [1, 2]
    assert build(run).n_written == 0
    assert tiles(run) == before
    assert summary(run)["features"] == rows


def test_features_without_a_split_get_tiles_to_be_drawn(run, caplog):
    "They are said, and train, validate and test nothing."
    features = [(dict(p), g) for p, g in synthetic.FEATURES]
    for properties, _ in features:
        properties["kind"] = {"west": "", "east": "1"}.get(properties["id"], "0")
    synthetic.write_outlines(run.root / "data/glaciers.shp", features)
    run.raw["dataset_description"]["split"] = {"field": "kind"}
    run.raw["drawing_description"]["features"] = ["west"]
    run.write()
    assert build(run).n_written == 15
    assert "1 features have no split: they can be drawn" in caplog.text
    reader = open_dataset(check_experiment(run.raw, "exp"), Workspace(run.root))
    assert "west" in reader.select("all")
    assert "west" not in reader.splits
    assert run("train").exit_code == 0
    assert run("draw").exit_code == 0
    assert (run.root / "drawings/small/west/thickness_mean.tif").exists()
    checked = json.loads(run("check", "--json").stdout)
    assert checked["splits"]["drawn_only"] == 1
    assert {f["id"]: f["split"] for f in checked["features"]}["west"] is None


def test_two_builds_at_once_do_not_mix(run):
    "The second says so and ends."
    with (
        locked(run.root / "datasets" / "region", "building"),
        pytest.raises(WorkspaceError, match="another command is building it"),
    ):
        build(run)


@pytest.mark.parametrize("linked", ["", "west", "gone"])
def test_a_dataset_does_not_reach_into_another_by_a_link(run, tmp_path, linked):
    "Its tiles are neither written nor removed; one message, and nothing is lost."
    run.raw["dataset_description"]["dataset_name"] = "other"
    build(run)
    other = run.root / "datasets/other"
    if linked == "gone":  # a feature that is no more
        (other / "west").rename(other / "gone")
    run.raw["dataset_description"]["dataset_name"] = "region"
    build(run)
    run.raw["dataset_description"]["buffer_distance"] = 400.0
    run.write()
    path = run.root / "datasets/region" / linked
    shutil.rmtree(path, ignore_errors=True)
    path.symlink_to(other / linked, target_is_directory=True)
    before = read_all(run.root)
    result = run("build-dataset", "--jobs", "1")
    assert result.exit_code == 1
    assert f"{path}: is a link to {other / linked}. Must be in the" in result.stderr
    assert read_all(run.root) == before


def test_a_variable_may_be_both_input_and_output(run):
    "It is read for each."
    run.raw["outputs"].append({"name": "slope", "resolution": 50.0, "scalar": True})
    run.raw["losses_name"]["slope"] = "nan_mae"
    outputs = run.raw["model_description"]["outputs"]
    outputs["slope"] = outputs["thickness"]
    run.write()
    assert run("build-dataset").exit_code == 0
    assert run("train", "--seeds", "0").exit_code == 0


def test_a_feature_that_fails_does_not_stop_the_others(run):
    "It is listed, tried again, and the exit code is 3."
    features = [*synthetic.FEATURES, ({"id": "line", "train": 0}, Polygon())]
    path = run.root / "data" / "glaciers.shp"
    synthetic.write_outlines(path, features)
    result = run("build-dataset", "--jobs", "1")
    assert result.exit_code == 3
    message = (
        r"line: .*glaciers\.shp: the outline has .*Draw it, or remove the feature\."
    )
    assert re.search(message, result.stderr)
    assert [row["feature"] for row in summary(run)["failed"]] == ["line"]
    assert len(summary(run)["features"]) == 5


def test_files_may_lie_elsewhere(run, tmp_path):
    "By their whole path, or by one that leaves the data folder: they are only read."
    (tmp_path / "elsewhere").mkdir()
    description = run.raw["dataset_description"]
    for path in (run.root / "data").glob("glaciers.*"):
        path.rename(tmp_path / "elsewhere" / path.name)
    description["shapefile_file"] = str(tmp_path / "elsewhere" / "glaciers.shp")
    (run.root / "data/slope.tif").rename(run.root / "slope.tif")
    description["rasters"][0]["file"] = "../slope.tif"
    assert build(run).n_written == 15


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity here")
def test_a_build_takes_the_cores_that_it_may_use(run, monkeypatch):
    "Not all that the machine has: its default of --jobs."

    heard = []

    def note(rasters, todo, jobs):
        heard.append(jobs)
        message = "enough"
        raise DatasetError(message)

    monkeypatch.setattr(dataset, "tile_features", note)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        run("build-dataset")
    finally:
        os.sched_setaffinity(0, before)
    assert heard == [1]
