"""build-dataset: the right tiles, made once, never half."""

import json
import os
import re
import shutil

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
from shapely.geometry import MultiPolygon, Polygon

from glacier_inversion.dataset import tiling
from glacier_inversion.dataset.build import build_dataset
from glacier_inversion.dataset.opened import open_dataset, read_training_tiles
from glacier_inversion.dataset.outlines import read_outlines
from glacier_inversion.dataset.splits import assign_splits
from glacier_inversion.errors import (
    DatasetError,
    OutlineError,
    RasterError,
    WorkspaceError,
)
from glacier_inversion.executors import ProcessLostError
from glacier_inversion.experiment.experiment import check_experiment
from glacier_inversion.files import locked
from glacier_inversion.geodata.geotiffs import read_tile
from glacier_inversion.geodata.vectors import read_crs
from glacier_inversion.workspace import Workspace
from tests import synthetic
from tests.children import read_all


def build(run, jobs=1):
    """Build from Python."""
    return build_dataset(check_experiment(run.raw, "exp"), Workspace(run.root), jobs)


def summary(run):
    """Read the summary."""
    return json.loads((run.root / "datasets/region/summary.json").read_text())


def tiles(run):
    """Return the modification times of all tiles."""
    folder = run.root / "datasets" / "region"
    return {
        str(p.relative_to(folder)): p.stat().st_mtime_ns for p in folder.rglob("*.tif")
    }


def test_tiles_have_the_bounds_and_pixels_of_the_design(run):
    "Outline bounds + buffer, outward to multiples of 100 m; pixels exactly 50 and 100 m."
    report = build(run)
    assert (report.n_written, report.n_kept, report.failures) == (15, 0, {})
    rows = {row["feature"]: row for row in summary(run)["features"]}
    for properties, polygon in synthetic.FEATURES:
        row = rows[properties["id"]]
        assert row["split"] == ["train", "validation", "test"][properties["train"]]
        left, bottom, right, top = polygon.bounds
        expected = [
            *(100 * np.floor((np.array([left, bottom]) - 300) / 100)),
            *(100 * np.ceil((np.array([right, top]) + 300) / 100)),
        ]
        assert row["bounds"] == expected
        for name, resolution in (("slope", 50), ("speed", 100), ("thickness", 50)):
            path = run.root / "datasets/region" / row["split"] / row["feature"]
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
        tile = read_tile(run.root / f"datasets/region/train/west/{name}.tif")
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


def test_a_damaged_tile_is_made_again(run, caplog):
    "Truncated, zeroed, or another's: its pixels are compared with its digest."
    build(run)
    before = read_all(run.root / "datasets")
    folder = run.root / "datasets/region/train/west"
    whole = (folder / "slope.tif").read_bytes()
    (folder / "slope.tif").write_bytes(whole[: len(whole) // 2])
    with rasterio.open(folder / "speed.tif", "r+") as dst:
        dst.write(np.zeros(dst.shape, "f4"), 1)
    with rasterio.open(folder / "thickness.tif", "r+") as dst:
        dst.write(dst.read(1) + 1, 1)
    with caplog.at_level("INFO"):
        assert build(run).n_written == 3
    assert "west/speed.tif: is damaged: made anew" in caplog.text
    after = read_all(run.root / "datasets")
    tiles = [name for name in before if name.endswith(".tif")]
    assert {name: after[name] for name in tiles} == {n: before[n] for n in tiles}


def test_tiles_do_not_depend_on_the_times_of_the_files(run):
    "Copied data give the same bytes, though they are built anew."
    build(run)
    before = read_all(run.root / "datasets")
    for path in (run.root / "data").glob("*.tif"):
        os.utime(path, ns=(0, 1_000_000_000))
    assert build(run).n_written == 15
    after = read_all(run.root / "datasets")
    for name in before:
        if name.endswith((".tif", "summary.json")):
            assert after[name] == before[name], name
    assert build(run).n_kept == 15


def test_a_killed_build_keeps_what_it_made_of_the_files_that_are_there(
    run, monkeypatch
):
    "Of its first build, and of one after a source changed; never of older files."
    original = tiling._tile_feature

    def killed(experiment, sources, job):
        if job.outline.feature == "east":
            raise KeyboardInterrupt
        return original(experiment, sources, job)

    def build_until_killed():
        monkeypatch.setattr(tiling, "_tile_feature", killed)
        with pytest.raises(KeyboardInterrupt):
            build(run)
        monkeypatch.undo()

    build_until_killed()
    assert build(run).n_kept == 9
    slope = run.root / "data" / "slope.tif"
    with rasterio.open(slope, "r+") as dst:
        dst.write(dst.read(1) + 1, 1)
    build_until_killed()
    assert build(run).n_kept == 9 + 2 * 2  # speed and thickness of the other two
    before = read_all(run.root / "datasets")
    shutil.rmtree(run.root / "datasets")
    build(run)
    after = read_all(run.root / "datasets")
    assert [n for n in before if before[n] != after[n] and n.endswith(".tif")] == []


def test_tiles_of_unknown_files_are_made_again(run):
    "Without a record, or with one that is broken."
    build(run)
    path = run.root / "datasets/region/sources.json"
    for content in ("", "[]", '{"slope": 1}', "[" * 100_000):
        path.write_text(content)
        assert build(run).n_written == 15
    record = json.loads(path.read_text())
    record["slope"]["parts"][0]["bytes"] += 1
    synthetic.write_json(path, record)
    assert build(run).n_written == 5


def test_a_removed_tile_is_made_again_and_a_stale_feature_removed(run):
    "A feature that moves to another split leaves no tiles behind."
    build(run)
    (run.root / "datasets/region/train/west/slope.tif").unlink()
    assert build(run).n_written == 1
    mine = run.root / "datasets/region/train/west/notes.txt"
    mine.write_text("the user's own")
    moved = [
        ({**p, "train": 2 if p["id"] == "west" else p["train"]}, g)
        for p, g in synthetic.FEATURES
    ]
    synthetic.write_outlines(run.root / "data/glaciers.shp", moved)
    build(run)
    assert not list((run.root / "datasets/region/train/west").glob("*.tif"))
    assert mine.exists()
    assert len(list((run.root / "datasets/region/test/west").glob("*.tif"))) == 3


def test_an_interrupted_build_is_not_complete(run, monkeypatch):
    "Without its summary it is refused; the tiles that were made are kept."
    original = tiling._tile_feature

    def interrupted(experiment, sources, job):
        if job.outline.feature == "east":
            raise KeyboardInterrupt
        return original(experiment, sources, job)

    build(run)
    run.raw["dataset_description"]["buffer_distance"] = 400.0
    monkeypatch.setattr(tiling, "_tile_feature", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build(run)
    monkeypatch.undo()
    checked = check_experiment(run.raw, "exp")
    with pytest.raises(DatasetError, match=r"no summary\.json.*ginv build-dataset"):
        open_dataset(checked, Workspace(run.root))
    assert build(run).n_kept == 9  # three features came before
    open_dataset(checked, Workspace(run.root))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"features": [1]}'])
def test_a_broken_summary_is_said_to_be_broken(run, text):
    "Whoever broke it."
    build(run)
    (run.root / "datasets/region/summary.json").write_text(text)
    with pytest.raises(DatasetError, match=r"has a broken summary\.json"):
        open_dataset(check_experiment(run.raw, "exp"), Workspace(run.root))


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


def test_two_builds_at_once_do_not_mix(run):
    "The second says so and ends."
    with (
        locked(run.root / "datasets" / "region", "building"),
        pytest.raises(WorkspaceError, match="another command is building it"),
    ):
        build(run)


@pytest.mark.parametrize("linked", ["", "train", "train/west", "train/gone"])
def test_a_dataset_does_not_reach_into_another_by_a_link(run, tmp_path, linked):
    "Its tiles are neither written nor removed; one message, and nothing is lost."
    run.raw["dataset_description"]["dataset_name"] = "other"
    build(run)
    other = run.root / "datasets/other"
    if linked == "train/gone":  # a feature that is no more
        (other / "train/west").rename(other / "train/gone")
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


@pytest.mark.parametrize("name", ["../../../evil", "/tmp/evil", "a\0b", ".."])
@pytest.mark.parametrize("where", ["feature", "split", "raster"])
def test_names_in_a_summary_are_checked(run, name, where):
    "They become paths, to which maps were written."
    build(run)
    content = summary(run)
    if where == "raster":
        content["description"]["rasters"][0]["name"] = name
    else:
        content["features"][0][where] = name
    synthetic.write_json(run.root / "datasets/region/summary.json", content)
    with pytest.raises(DatasetError, match=r"broken summary\.json \((features|desc)"):
        open_dataset(check_experiment(run.raw, "exp"), Workspace(run.root))


def known_everywhere(run, resolution=50.0):
    """Replace the thickness by one that is known everywhere, at another resolution."""
    left, top = synthetic.LEFT, synthetic.TOP
    n_rows, n_cols = int(3250 / resolution), int(3500 / resolution)
    values = synthetic.sample(
        synthetic.thickness_m, left, top, resolution, n_rows, n_cols
    )
    synthetic.write_raster(
        run.root / "data/thickness.tif", values, left, top, resolution
    )
    return values


def all_tiles(run):
    """Build, and read the tiles of every feature."""
    build(run)
    checked = check_experiment(run.raw, "exp")
    reader = open_dataset(checked, Workspace(run.root))
    return [reader.read_tiles(checked, feature) for feature in reader.rows]


def points_of(grid):
    """Return the points of a grid's pixel centres."""
    x, y = np.meshgrid(grid.x(np.arange(grid.n_cols)), grid.y(np.arange(grid.n_rows)))
    return x, y


def test_targets_inside_another_outline_are_not_targets(run):
    "The thickness of the test glacier never trains its neighbour, nor the other way."
    for read in all_tiles(run):
        path = run.root / f"datasets/region/{read.split}/{read.feature}/thickness.tif"
        raw = read_tile(path)
        x, y = points_of(read.grid)
        foreign = np.zeros(raw.shape, dtype=bool)
        own = np.zeros(raw.shape, dtype=bool)
        for properties, outline in synthetic.FEATURES:
            within = shapely.contains_xy(outline, x, y)
            if properties["id"] == read.feature:
                own = within
            else:
                foreign |= within
        target = read.targets["thickness"]
        assert np.isfinite(raw[foreign]).any()
        assert np.isnan(target[foreign]).all()
        # the file's pixels lie elsewhere: the nearest of 50 m mix with the neighbour's
        for properties, outline in synthetic.FEATURES:
            if properties["id"] != read.feature:
                own &= ~shapely.contains_xy(outline.buffer(120), x, y)
        np.testing.assert_array_equal(target[own], raw[own])


def test_no_target_serves_two_splits(run):
    "Nor do those outside every outline, such as ice or no ice."
    known_everywhere(run)
    splits: dict[tuple, set] = {}
    n_outside = 0
    for read in all_tiles(run):
        x, y = points_of(read.grid)
        known = np.isfinite(read.targets["thickness"])
        outline = {p["id"]: g for p, g in synthetic.FEATURES}[read.feature]
        n_outside += (known & ~shapely.contains_xy(outline, x, y)).sum()
        for place in zip(x[known], y[known], strict=True):
            splits.setdefault(place, set()).add(read.split)
    assert n_outside > 100
    assert all(len(served) == 1 for served in splits.values())


def test_averaged_targets_do_not_leak_over_the_outline(run):
    "Radar of 25 m known in the test glacier alone gives its neighbours no target."
    values = known_everywhere(run, 25.0)
    south = synthetic.FEATURES[-1][1]
    x = synthetic.LEFT + (np.arange(values.shape[1]) + 0.5) * 25
    y = synthetic.TOP - (np.arange(values.shape[0]) + 0.5) * 25
    values[~shapely.contains_xy(south, *np.meshgrid(x, y))] = synthetic.NODATA
    synthetic.write_raster(
        run.root / "data/thickness.tif", values, synthetic.LEFT, synthetic.TOP, 25.0
    )
    run.raw["dataset_description"]["rasters"][2]["resolution"] = 100.0
    run.raw["outputs"][0]["resolution"] = 100.0
    tiles = {read.feature: read for read in all_tiles(run)}
    assert np.isfinite(tiles["south"].targets["thickness"]).sum() > 40
    for feature in ("east", "west", "north-1", "north-2"):
        assert np.isnan(tiles[feature].targets["thickness"]).all()


@pytest.mark.parametrize("broken", [False, True], ids=["left out", "failed"])
def test_features_that_are_left_out_keep_their_targets_to_themselves(run, broken):
    "Without a split, or with a raster that fails for it: still another glacier."
    known_everywhere(run)
    features = [(dict(p), g) for p, g in synthetic.FEATURES]
    for properties, _ in features:
        properties["kind"] = str(properties.pop("train"))
    if broken:
        features[-1][0]["id"] = "south"
    else:
        features[-1][0]["kind"] = ""
    synthetic.write_outlines(run.root / "data/glaciers.shp", features)
    run.raw["dataset_description"]["split"] = {"field": "kind"}
    build(run)
    if broken:
        summary_file = run.root / "datasets/region/summary.json"
        content = summary(run)
        content["features"] = [
            r for r in content["features"] if r["feature"] != "south"
        ]
        synthetic.write_json(summary_file, content)
    checked = check_experiment(run.raw, "exp")
    reader = open_dataset(checked, Workspace(run.root))
    assert "south" not in reader.rows
    read = reader.read_tiles(checked, "east")
    within = shapely.contains_xy(features[-1][1], *points_of(read.grid))
    assert within.any()
    assert np.isnan(read.targets["thickness"][within]).all()


def test_a_changed_source_of_a_vrt_rebuilds_its_tiles(run):
    "The file that the experiment names is not the only one."
    from rasterio.shutil import copy  # noqa: PLC0415

    slope = run.root / "data" / "slope.tif"
    copy(slope, run.root / "data" / "slope.vrt", driver="VRT")
    run.raw["dataset_description"]["rasters"][0]["file"] = "slope.vrt"
    build(run)
    with rasterio.open(slope, "r+") as dst:
        dst.write(dst.read(1) + 1, 1)
    assert build(run).n_written == 5


def test_damaged_tiles_are_said_to_be_damaged(run):
    "Truncated, missing, or another's: what to do is said."
    build(run)
    checked = check_experiment(run.raw, "exp")
    reader = open_dataset(checked, Workspace(run.root))
    path = run.root / "datasets/region/train/west/slope.tif"
    whole = path.read_bytes()
    path.write_bytes(whole[:2000])
    with pytest.raises(
        DatasetError, match=r"slope\.tif: is missing or damaged.*build-"
    ):
        read_training_tiles(reader, checked)
    path.unlink()
    with pytest.raises(DatasetError, match=r"slope\.tif: is missing or damaged"):
        read_training_tiles(reader, checked)
    path.write_bytes(whole)
    read_training_tiles(reader, checked)
    with rasterio.open(path, "r+") as dst:
        dst.write(dst.read(1) + 1, 1)
    with pytest.raises(DatasetError, match=r"slope\.tif: is missing or damaged"):
        read_training_tiles(reader, checked)
    path.write_bytes(whole)
    other = run.root / "datasets/region/train/north-2/thickness.tif"
    path.with_name("thickness.tif").write_bytes(other.read_bytes())
    with pytest.raises(DatasetError, match=r"thickness\.tif: is missing or damaged"):
        read_training_tiles(reader, checked)


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


def test_a_variable_may_be_both_input_and_output(run):
    "It is read for each."
    run.raw["outputs"].append({"name": "slope", "resolution": 50.0, "scalar": True})
    run.raw["losses_name"]["slope"] = "nan_mae"
    outputs = run.raw["model_description"]["outputs"]
    outputs["slope"] = outputs["thickness"]
    run.write()
    assert run("build-dataset").exit_code == 0
    assert run("train", "--seeds", "0").exit_code == 0


def test_tiles_that_overlap_across_the_split_are_reported(run, caplog):
    "With their area, in the summary and as a warning."
    build(run)
    overlaps = summary(run)["overlaps"]
    bounds = {row["feature"]: row["bounds"] for row in summary(run)["features"]}
    pairs = {frozenset(overlap["features"]) for overlap in overlaps}
    assert frozenset({"east", "south"}) in pairs
    assert frozenset({"north-1", "west"}) not in pairs  # both train
    for overlap in overlaps:
        a, b = (shapely.box(*bounds[feature]) for feature in overlap["features"])
        assert overlap["area_km2"] == pytest.approx(a.intersection(b).area / 1e6)
    assert "the tiles of east (validation) and south (test) overlap" in caplog.text


def test_outlines_that_overlap_are_reported(run, caplog):
    "A target in both belongs to neither; borders that touch are no overlap."
    build(run)
    assert summary(run)["shared_outlines"] == []
    features = [*synthetic.FEATURES]
    features[0] = (features[0][0], synthetic.box(0, 1500, 1200, 2300))
    synthetic.write_outlines(run.root / "data/glaciers.shp", features)
    build(run)
    (shared,) = summary(run)["shared_outlines"]
    assert shared == {"features": ["north-1", "north-2"], "area_km2": 0.08}
    assert "the outlines of north-1 and north-2 overlap by 0.0800 km2" in caplog.text


def test_a_feature_that_fails_does_not_stop_the_others(run):
    "It is listed, tried again, and the exit code is 3."
    features = [*synthetic.FEATURES, ({"id": "line", "train": 0}, Polygon())]
    path = run.root / "data" / "glaciers.shp"
    synthetic.write_outlines(path, features)
    result = run("build-dataset", "--jobs", "1")
    assert result.exit_code == 3
    assert "line: the outline has" in result.stderr
    assert [row["feature"] for row in summary(run)["failed"]] == ["line"]
    assert len(summary(run)["features"]) == 5


FAR = {
    "huge": synthetic.box(-1e12, -1e12, 1e12, 1e12),
    "beyond floats": synthetic.box(0, 0, 900, 1.7e308),
    "far": shapely.Polygon([(420e3, 5150e3), (1e300, 5150e3), (421e3, 5151e3)]),
    "large": synthetic.box(-1e7, -1e7, 1e7, 1e7),
}


@pytest.mark.parametrize("kind", FAR)
def test_an_outline_beyond_the_earth_fails_alone(run, kind):
    "It is named, takes nothing from the others, and they are built as without it."
    build(run)
    before = tiles(run)
    without = summary(run)
    features = [({"id": "bad", "train": 0}, FAR[kind]), *synthetic.FEATURES]
    synthetic.write_outlines(run.root / "data/glaciers.shp", features)
    report = build(run)
    assert set(report.failures) == {"bad"}
    assert re.search("Must (be|have) at most .*Correct it", report.failures["bad"])
    assert tiles(run) == before
    assert summary(run)["features"] == without["features"]
    assert summary(run)["shared_outlines"] == []
    checked = run("check")
    assert checked.exit_code == 1
    assert checked.stdout.count("bad: the outline ") == 1
    assert "Problems: 1" in checked.stdout


def test_small_buffers_are_warned_of(run, caplog):
    "Less than half the area size and a coarsest pixel: the margin is not drawn."
    run.raw["dataset_description"]["buffer_distance"] = 250.0
    build(run)
    assert "250 is less than 300" in caplog.text


def test_every_raster_that_cannot_be_used_is_named(run):
    "At once, before anything is built."
    for name in ("slope", "speed"):
        (run.root / "data" / f"{name}.tif").unlink()
    with pytest.raises(
        RasterError, match=r"(?s)slope\.tif: does not.*speed\.tif: does not"
    ):
        build(run)
    assert not (run.root / "datasets").exists()


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


def test_nodata_everywhere_is_said(run, caplog):
    "A raster without a valid pixel in any feature is hardly meant."
    with rasterio.open(run.root / "data" / "speed.tif", "r+") as dst:
        dst.write(np.full(dst.shape, synthetic.NODATA, "f4"), 1)
    build(run)
    assert "speed: no valid pixel in any feature" in caplog.text


# --- outlines


def test_outlines_are_reprojected_repaired_and_keep_their_holes(tmp_path):
    "3D and a bow tie are mended, and said."
    x, y = synthetic.LEFT, synthetic.TOP
    corners = [(0, 0), (1000, 1000), (1000, 0), (0, 1000)]
    bow = Polygon([(x + a, y + b, 1) for a, b in corners])
    hole = synthetic.box(0, 0, 900, 900, (300, 300, 500, 500))
    path = tmp_path / "o.gpkg"
    synthetic.write_outlines(
        path, [({"id": "bow"}, bow), ({"id": "hole"}, shapely.force_3d(hole))]
    )
    bow, holed = read_outlines(path, "id", synthetic.OTHER_EPSG)
    assert bow.polygon.is_valid
    assert not bow.polygon.has_z
    assert bow.repairs[0] == "made 2D"
    assert bow.repairs[1].startswith("made valid (Self-intersection")
    # two triangles; the projections differ by some 0.05 % in scale
    assert bow.polygon.area == pytest.approx(500_000, rel=0.01)
    assert len(holed.polygon.interiors) == 1
    back = shapely.transform(
        holed.polygon,
        lambda points: np.column_stack(
            rasterio.warp.transform(
                f"EPSG:{synthetic.OTHER_EPSG}", f"EPSG:{synthetic.EPSG}", *points.T
            )
        ),
    )
    np.testing.assert_allclose(back.area, hole.area, rtol=1e-6)
    np.testing.assert_allclose(back.bounds, hole.bounds, atol=0.01)


def test_axes_of_a_northing_first_crs_are_not_swapped(tmp_path):
    "EPSG:2193: x is the easting."
    square = Polygon(
        [(1370e3, 5169e3), (1371e3, 5169e3), (1371e3, 5170e3), (1370e3, 5170e3)]
    )
    synthetic.write_outlines(tmp_path / "nz.shp", [({"id": "nz"}, square)], 2193)
    (outline,) = read_outlines(tmp_path / "nz.shp", "id", 2193)
    assert outline.polygon.bounds == (1370e3, 5169e3, 1371e3, 5170e3)


def some(*ids):
    """Return features with these ids."""
    return [({"id": i}, synthetic.box(0, 0, 100 + n, 100)) for n, i in enumerate(ids)]


@pytest.mark.parametrize(
    ("make", "field", "message"),
    [
        (lambda p: None, "id", "does not exist"),
        (lambda p: p.write_text("no shapefile"), "id", "cannot be read"),
        (lambda p: synthetic.write_outlines(p, some("a")), "idd", "Did you mean 'id'"),
        (lambda p: synthetic.write_outlines(p, some("a"), None), "id", "has no CRS"),
        (lambda p: synthetic.write_outlines(p, some("a", "A")), "id", "'a' and 'A'"),
        (lambda p: synthetic.write_outlines(p, some("../a")), "id", "holds '/'"),
        (lambda p: synthetic.write_outlines(p, some("..")), "id", "'..' is empty"),
        (
            lambda p: synthetic.write_outlines(p, some("a\tb")),
            "id",
            "control character",
        ),
    ],
)
def test_outlines_that_cannot_be_used_are_refused(tmp_path, make, field, message):
    "One message, with the file and what to do."
    path = tmp_path / "o.shp"
    make(path)
    with pytest.raises(OutlineError, match=message):
        read_outlines(path, field, synthetic.EPSG)


def test_a_file_of_several_layers_is_refused(tmp_path):
    "Rather than the first of them taken."
    for layer in ("glaciers", "lakes"):
        geopandas.GeoDataFrame(
            {"id": ["a"]}, geometry=[synthetic.box(0, 0, 9, 9)], crs=synthetic.EPSG
        ).to_file(tmp_path / "o.gpkg", layer=layer)
    with pytest.raises(OutlineError, match="holds the layers glaciers, lakes"):
        read_outlines(tmp_path / "o.gpkg", "id", synthetic.EPSG)


def test_a_ring_that_is_none_fails_its_feature_alone(tmp_path):
    "Two points make no polygon."
    ring = [[420e3, 5150e3], [421e3, 5150e3]]
    good = [[420e3, 5150e3], [421e3, 5150e3], [421e3, 5151e3], [420e3, 5150e3]]
    features = [
        {
            "type": "Feature",
            "properties": {"id": name},
            "geometry": {"type": "Polygon", "coordinates": [points]},
        }
        for name, points in (("bad", ring), ("good", good))
    ]
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32632"}}
    content = {"type": "FeatureCollection", "crs": crs, "features": features}
    path = synthetic.write_json(tmp_path / "o.geojson", content)
    bad, good = read_outlines(path, "id", synthetic.EPSG)
    assert bad.problem
    assert good.polygon.area == 5e5


@pytest.mark.parametrize("name", ["o.shp", "o.shx", "o.dbf", "o.prj", "o.gpkg"])
@pytest.mark.parametrize("seed", range(5))
def test_broken_bytes_of_outlines_are_an_error_of_the_file(tmp_path, capfd, name, seed):
    "Or harmless, with nothing printed, in the column of the splits as well."
    ids = [(columns, polygon) for columns, polygon in synthetic.FEATURES]
    path = tmp_path / ("o.gpkg" if name == "o.gpkg" else "o.shp")
    synthetic.write_outlines(path, ids)
    synthetic.damage(tmp_path / name, np.random.default_rng(seed), 600)
    try:
        assign_splits(path, read_outlines(path, "id", synthetic.EPSG), None)
    except OutlineError as error:
        assert str(error).startswith(f"{path}: ")  # noqa: PT017  it may be read too
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "text",
    [
        b"\xff" * 300,
        b'PROJCS["x"',
        b'GEOGCS["x",DATUM["y",SPHEROID["z",nan,nan]],PRIMEM["",0],UNIT["",0]]',
    ],
)
def test_a_crs_that_cannot_be_read_is_named(tmp_path, capfd, text):
    "Whatever GDAL, or PROJ, or what lies between makes of it."
    path = tmp_path / "o.shp"
    synthetic.write_outlines(path, some("a"))
    path.with_suffix(".prj").write_bytes(text)
    with pytest.raises(OutlineError, match=r"o\.shp: .*CRS"):
        read_outlines(path, "id", synthetic.EPSG)
    with pytest.raises(OutlineError, match=r"o\.shp: .*CRS"):
        read_crs(path)
    assert capfd.readouterr().out == ""


def test_a_file_without_features_is_refused(tmp_path):
    "Whatever its columns."
    content = {"type": "FeatureCollection", "features": []}
    path = synthetic.write_json(tmp_path / "o.geojson", content)
    with pytest.raises(OutlineError, match="holds no feature"):
        read_outlines(path, "id", synthetic.EPSG)


def test_numeric_ids_have_no_decimals(tmp_path):
    "An integer column names features 7 and 12."
    synthetic.write_outlines(tmp_path / "o.gpkg", some(7, 12))
    assert [o.feature for o in read_outlines(tmp_path / "o.gpkg", "id", 32632)] == [
        "7",
        "12",
    ]


def test_parts_of_a_feature_stay_together(tmp_path):
    "A multi-polygon is one feature."
    parts = MultiPolygon(
        [synthetic.box(0, 0, 100, 100), synthetic.box(300, 0, 400, 100)]
    )
    synthetic.write_outlines(tmp_path / "o.gpkg", [({"id": "a"}, parts)])
    (outline,) = read_outlines(tmp_path / "o.gpkg", "id", synthetic.EPSG)
    assert outline.polygon.area == 20_000


# --- splits


def columns(*values):
    """Return outlines with the column 'kind'."""
    from glacier_inversion.dataset.outlines import Outline  # noqa: PLC0415

    return [Outline(str(i), None, {"kind": v}) for i, v in enumerate(values)]


def test_split_by_column_leaves_out_what_is_empty(tmp_path):
    "0, 1 and 2 as numbers or text; names of splits too."
    from glacier_inversion.experiment.sections import Split  # noqa: PLC0415

    outlines = columns(0, 1.0, "2", "test", None, "")
    splits = assign_splits(tmp_path, outlines, Split(field="kind"))
    assert splits == {"0": "train", "1": "validation", "2": "test", "3": "test"}
    with pytest.raises(OutlineError, match=r"1: 3; 2: 'x'.*Must be 0 \(train\)"):
        assign_splits(tmp_path, columns(0, 3, "x"), Split(field="kind"))
    with pytest.raises(OutlineError, match=r"0: True.*Must be 0 \(train\)"):
        assign_splits(tmp_path, columns(True), Split(field="kind"))
    with pytest.raises(OutlineError, match="Did you mean 'kind'"):
        assign_splits(tmp_path, columns(0), Split(field="kin"))


@pytest.mark.parametrize("n_features", [1, 2, 3, 7, 40, 1000])
def test_split_by_fractions_is_seeded_and_has_its_shares(tmp_path, n_features):
    "The default without a column 'train'; no split is empty if it need not be."
    from glacier_inversion.experiment.sections import Split  # noqa: PLC0415

    outlines = columns(*[None] * n_features)
    splits = assign_splits(tmp_path, outlines, None)
    counts = [list(splits.values()).count(s) for s in ("train", "validation", "test")]
    assert sum(counts) == n_features
    if n_features >= 3:
        assert min(counts) >= 1
    if n_features >= 40:
        np.testing.assert_allclose(
            counts, np.array([0.7, 0.15, 0.15]) * n_features, atol=1
        )
        other = Split(fractions=[0.7, 0.15, 0.15], seed=1)
        assert assign_splits(tmp_path, outlines, other) != splits
    assert assign_splits(tmp_path, outlines[::-1], None) == splits


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
    read_training_tiles(dataset, checked, Heard())
    features = ["north-1", "north-2", "west", "east"]
    assert heard == [("reading", 4, "feature"), *features]


def test_a_process_that_is_killed_is_a_message(run, monkeypatch):
    "What was made is kept, and so said."

    def lose(*_):
        message = "signal 9"
        raise ProcessLostError(message)
        yield

    monkeypatch.setattr(tiling, "each", lose)
    with pytest.raises(DatasetError, match=r"was killed \(signal 9\).*fewer --jobs"):
        build(run, jobs=2)


def test_a_file_elsewhere_of_the_same_size_and_time_is_another(run):
    "Its tiles are made anew."
    build(run)
    data = run.root / "data"
    (data / "other").mkdir()
    time = (data / "slope.tif").stat()
    for name in ("slope.tif", "other/slope.tif"):
        if name != "slope.tif":
            shutil.copy(data / "slope.tif", data / name)
            with rasterio.open(data / name, "r+") as dst:
                dst.write(dst.read(1)[::-1], 1)
            os.utime(data / name, ns=(time.st_atime_ns, time.st_mtime_ns))
    run.raw["dataset_description"]["rasters"][0]["file"] = "other/slope.tif"
    assert build(run).n_written == len(synthetic.FEATURES)


def test_a_folder_in_the_place_of_the_summary_is_not_removed(run):
    "It may be anything."
    folder = run.root / "datasets/region/summary.json"
    folder.mkdir(parents=True)
    (folder / "mine.txt").write_text("mine")
    with pytest.raises(WorkspaceError, match=r"summary\.json: is a folder"):
        build(run)
    assert (folder / "mine.txt").exists()
