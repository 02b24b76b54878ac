"""Pixels made of measured points: cell means of a feature's own, and nobody else's."""

import io
import json
import os

import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from pyproj import Transformer
from scipy.stats import binned_statistic_2d

from glacier_inversion.dataset.opened import open_dataset
from glacier_inversion.dataset.point_targets import cells_of
from glacier_inversion.experiment.experiment import check_experiment
from glacier_inversion.geodata.geotiffs import read_tile
from glacier_inversion.geodata.tile_files import read_tags
from glacier_inversion.grid import Grid
from glacier_inversion.workspace import Workspace
from tests import synthetic
from tests.checking.helpers import report_of
from tests.dataset.helpers import all_tiles, build, summary, tiles

ISLANDS = Grid(1000.0, 2000.0, 50.0, 8, 12)


def scattered(n, seed=0, grid=ISLANDS):
    """Return points in and around a grid, some on the borders of cells."""
    rng = np.random.default_rng(seed)
    left, bottom, right, top = grid.bounds
    x, y = rng.uniform(left - 60, right + 60, n), rng.uniform(bottom - 60, top + 60, n)
    x[: n // 10] = 50 * np.round(x[: n // 10] / 50)
    y[n // 20 : n // 5] = 50 * np.round(y[n // 20 : n // 5] / 50)
    return x, y, rng.gamma(2.0, 60.0, n)


def loop_of(x, y, value, grid):
    """Return the values in each cell, by row and column: a plain loop."""
    cells: dict[tuple[int, int], list[float]] = {}
    for place_x, place_y, one in zip(x, y, value, strict=True):
        for row in range(grid.n_rows):
            for col in range(grid.n_cols):
                left = grid.left + col * grid.resolution
                top = grid.top - row * grid.resolution
                in_col = left <= place_x < left + grid.resolution
                in_row = top - grid.resolution < place_y <= top
                if in_col and in_row:
                    cells.setdefault((row, col), []).append(one)
    return cells


def test_cells_are_those_of_a_plain_loop():
    x, y, value = scattered(1500)
    cells = cells_of(x, y, value, ISLANDS)
    expected = loop_of(x, y, value, ISLANDS)
    places = list(zip(cells.row.tolist(), cells.col.tolist(), strict=True))
    assert places == sorted(expected)
    for i, place in enumerate(places):
        its = expected[place]
        assert cells.count[i] == len(its)
        assert cells.mean[i] == pytest.approx(np.mean(its), rel=1e-12)
        std = np.std(its, ddof=1) if len(its) > 1 else np.nan
        np.testing.assert_allclose(cells.std[i], std, rtol=1e-10)
    assert np.isfinite(cells.tile()).sum() == len(places)


def test_thousands_of_points_give_the_cells_of_scipy():
    "Which has the last cell's far edge inside: no point lies there."
    grid = Grid(0.0, 5000.0, 25.0, 200, 160)
    x, y, value = scattered(50_000, 1, grid)
    x += 1e-3  # off the borders, whose cell is defined otherwise there
    y -= 1e-3
    edges = (
        grid.left + grid.resolution * np.arange(grid.n_cols + 1),
        grid.top - grid.resolution * np.arange(grid.n_rows + 1)[::-1],
    )
    mean, *_ = binned_statistic_2d(x, y, value, "mean", bins=edges)
    tile = cells_of(x, y, value, grid).tile()
    np.testing.assert_allclose(tile, mean.T[::-1].astype("f4"), rtol=1e-6)


def test_no_points_are_no_cells():
    nothing = np.empty(0)
    cells = cells_of(nothing, nothing, nothing, ISLANDS)
    assert not np.isfinite(cells.tile()).any()
    assert cells.csv() == b"x,y,count,mean,std\n"


def write_points(run, n=4000, **columns):
    """Put a table of radar in the place of the thickness; return it."""
    rng = np.random.default_rng(3)
    x = rng.uniform(synthetic.LEFT, synthetic.LEFT + 3500, n).round(2)
    y = rng.uniform(synthetic.TOP - 3250, synthetic.TOP, n).round(2)
    noise = rng.normal(0, 2, n)
    to_degrees = Transformer.from_crs(synthetic.EPSG, 4326, always_xy=True)
    lon, lat = to_degrees.transform(x, y)
    table = pd.DataFrame(
        {
            "survey_id": 7,
            "longitude": lon,
            "latitude": lat,
            "thickness": (synthetic.thickness_m(x, y) + noise).round(1),
            **columns,
        }
    )
    table.to_csv(run.root / "data/radar.csv", index=False)
    raster = run.raw["dataset_description"]["rasters"][2]
    for key in ("unit", "where", "after"):
        raster.pop(key, None)
    raster |= {"file": "radar.csv", "column": "thickness"}
    run.write()
    return table.assign(x=x, y=y)


def own_of(table, feature):
    """Return the points inside one outline alone, by a test of every point."""
    polygons = {p["id"]: polygon for p, polygon in synthetic.FEATURES}
    points = shapely.points(table.x, table.y)
    own = shapely.intersects(polygons[feature], points)
    for other, polygon in polygons.items():
        if other != feature:
            own &= ~shapely.intersects(polygon, points)
    return table[own]


def test_tiles_hold_the_means_of_the_features_own_points(run):
    "Against scipy; the table beside the tile says how many they are."
    table = write_points(run)
    build(run)
    reader = open_dataset(check_experiment(run.raw, "exp"), Workspace(run.root))
    assert reader.units["thickness"] == "m"
    n_used = 0
    for feature in reader.rows:
        own, grid = own_of(table, feature), reader.grid(feature, 50.0)
        edges = (
            grid.left + 50.0 * np.arange(grid.n_cols + 1),
            grid.top - 50.0 * np.arange(grid.n_rows + 1)[::-1],
        )
        mean, *_ = binned_statistic_2d(own.x, own.y, own.thickness, "mean", bins=edges)
        path = run.root / f"datasets/region/{feature}/thickness.tif"
        tile = read_tile(path)
        # degrees are written with some digits: a point may change its cell
        differing = ~np.isclose(tile, mean.T[::-1], rtol=1e-6, equal_nan=True)
        assert differing.sum() <= 2
        cells = pd.read_csv(path.with_suffix(".points.csv"))
        assert cells["count"].sum() == len(own)
        assert len(cells) == np.isfinite(tile).sum()
        assert cells["mean"].mean() == pytest.approx(np.nanmean(tile), rel=1e-6)
        assert (cells["std"].isna() == (cells["count"] == 1)).all()
        n_used += len(own)
    counts = summary(run)["points"]["thickness"]
    assert counts["used"] == n_used
    assert counts["rows"] == len(table) == n_used + counts["outside"]


def test_a_measurement_serves_one_feature(run):
    "The targets of neighbours of two splits have no cell in common."
    table = write_points(run)
    build(run)
    checked = check_experiment(run.raw, "exp")
    reader = open_dataset(checked, Workspace(run.root))
    known = {}
    for feature in ("east", "south"):  # they touch
        read = reader.read_tiles(checked, feature)
        rows, cols = np.nonzero(np.isfinite(read.targets["thickness"]))
        assert len(rows) > 100
        x, y = read.grid.x(cols), read.grid.y(rows)
        known[feature] = set(zip(x.tolist(), y.tolist(), strict=True))
        # a cell is made of own points, and its centre is in no other outline
        assert len(rows) <= len(own_of(table, feature))
    assert not known["east"] & known["south"]


def test_a_point_in_two_outlines_is_nobodys(run):
    outlines = [
        ({"id": "a", "train": 0}, synthetic.box(0, 0, 1000, 1000)),
        ({"id": "b", "train": 2}, synthetic.box(800, 0, 1800, 1000)),
    ]
    synthetic.write_outlines(run.root / "data/glaciers.shp", outlines)
    table = write_points(run)
    build(run)
    both = shapely.intersection(outlines[0][1], outlines[1][1])
    n_both = shapely.intersects_xy(both, table.x, table.y).sum()
    assert summary(run)["points"]["thickness"]["several"] == n_both > 0


def test_the_whole_way_from_points_to_maps(run):
    "Trained and drawn as from a raster, with the unit that the column is known for."
    write_points(run)
    for command in ("check", "build-dataset", "train", "draw"):
        result = run(command)
        assert result.exit_code == 0, result.output
    with rasterio.open(run.root / "drawings/small/south/thickness_mean.tif") as src:
        assert src.units == ("m",)
        assert np.isfinite(src.read(1)).any()


def test_tiles_are_made_anew_when_their_points_change(run):
    "Theirs alone: not for other points, other times, or a file that was moved."
    table = write_points(run)
    build(run)
    before = tiles(run)
    assert build(run).n_written == 0
    # a table elsewhere that holds the same
    (run.root / "data/radar.csv").rename(run.root / "data/moved.csv")
    raster = run.raw["dataset_description"]["rasters"][2]
    raster["file"] = "moved.csv"
    assert build(run).n_written == 5
    raster["where"] = {"survey_id": 7}  # all of them
    assert build(run).n_written == 0
    own = own_of(table, "west")
    table.assign(day=np.where(table.index == own.index[0], 1, 2)).to_csv(
        run.root / "data/moved.csv", index=False
    )
    raster["where"] = {"day": 2}
    assert build(run).n_written == 5
    assert before.keys() == tiles(run).keys()
    csv = run.root / "datasets/region/west/thickness.points.csv"
    assert pd.read_csv(csv)["count"].sum() == len(own) - 1


def test_a_table_that_is_damaged_is_made_again(run, caplog):
    write_points(run)
    build(run)
    csv = run.root / "datasets/region/west/thickness.points.csv"
    whole = csv.read_bytes()
    for spoil in (lambda: csv.write_bytes(whole[:-5]), csv.unlink):
        spoil()
        with caplog.at_level("INFO"):
            assert build(run).n_written == 1
        assert "west/thickness.tif: is damaged: made anew" in caplog.text
        assert csv.read_bytes() == whole


def test_tables_go_with_their_tiles(run):
    "When the raster is read from a file again, and when its feature is gone."
    raster = dict(run.raw["dataset_description"]["rasters"][2])
    write_points(run)
    build(run)
    folder = run.root / "datasets/region"
    assert len([*folder.glob("*/*.points.csv")]) == 5
    synthetic.write_outlines(run.root / "data/glaciers.shp", synthetic.FEATURES[:4])
    build(run)
    assert len([*folder.glob("*/*.points.csv")]) == 4
    assert not (folder / "south").exists()
    run.raw["dataset_description"]["rasters"][2] = raster
    build(run)
    assert not [*folder.glob("*/*.points.csv")]


@pytest.mark.parametrize("exact", [True, False])
def test_check_counts_what_training_takes(run, monkeypatch, exact):
    "Also of what it reads in coarse steps: points are counted one by one."
    write_points(run)
    if not exact:
        monkeypatch.setattr("glacier_inversion.checking.preview._BUDGET", 0)
    report = report_of(run)
    raster = report["rasters"][2]
    build(run)
    assert raster["points"] == summary(run)["points"]["thickness"]
    assert (raster["crs"], raster["band"], raster["unit"]) == ("EPSG:4326", None, "m")
    assert raster["not_covered"] is None
    checked = check_experiment(run.raw, "exp")
    reader = open_dataset(checked, Workspace(run.root))
    for row in report["features"]:
        targets = reader.read_tiles(checked, row["id"]).targets["thickness"]
        known = row["known_pixels"]["thickness"]
        n = int(np.isfinite(targets).sum())
        assert known == n if exact else known == pytest.approx(n, rel=0.05)
    shown = run("check", "-v").stdout
    assert (
        f"thickness: {raster['points']['used']:,} of 4,000 points are used; " in shown
    )


def test_points_may_be_inputs(run):
    "With a low min_valid, as they are known in a few pixels."
    write_points(run)
    run.raw["dataset_description"]["rasters"].append(
        {
            "name": "survey",
            "resolution": 50.0,
            "file": "radar.csv",
            "column": "survey_id",
        }
    )
    run.raw["inputs"].append({"name": "survey", "resolution": 50.0})
    run.raw["model_description"]["inputs"]["survey"] = {
        "operations": [{"name": "downsample"}]
    }
    run.raw["min_valid"] = 0.01
    reads = all_tiles(run)
    assert len(reads) == 5
    for read in reads:
        tile = read.inputs["survey"]
        assert set(np.unique(tile[np.isfinite(tile)])) == {7.0}


def test_what_is_wrong_with_a_table_is_one_message(run):
    write_points(run)
    raster = run.raw["dataset_description"]["rasters"][2]
    raster["column"] = "thicknes"
    run.write()
    result = run("build-dataset")
    assert result.exit_code == 1
    assert result.stderr == (
        f"Error: {run.root}/data/radar.csv: has no column 'thicknes'. Did you mean "
        "'thickness'? Known: latitude, longitude, survey_id, thickness. Correct its "
        "name in the experiment.\n"
    )
    assert (
        result.stderr.removeprefix("Error: ").strip() in report_of(run, 1)["problems"]
    )


def test_tiles_do_not_depend_on_the_times_of_tables(run):
    write_points(run)
    build(run)
    path = run.root / "datasets/region/west/thickness.tif"
    before, tags = path.read_bytes(), read_tags(path)
    assert {"GINV_FINGERPRINT", "GINV_POINTS", "GINV_SHA256"} <= tags.keys()
    os.utime(run.root / "data/radar.csv", ns=(0, 1_000_000_000))
    assert build(run, jobs=2).n_written == 0
    (run.root / "datasets/region/sources.json").unlink()
    assert build(run, jobs=2).n_written > 5
    assert path.read_bytes() == before


def test_the_table_reads_as_it_is_written():
    cells = cells_of(*scattered(300), ISLANDS)
    table = pd.read_csv(io.BytesIO(cells.csv()))
    assert table.x.tolist() == ISLANDS.x(cells.col).tolist()
    assert table.y.tolist() == ISLANDS.y(cells.row).tolist()
    np.testing.assert_allclose(table["mean"], cells.mean, rtol=1e-9)
    np.testing.assert_allclose(table["std"], cells.std, rtol=1e-9)


def test_points_elsewhere_are_said_to_be(run):
    "With where they are: coordinates of another CRS are the likely cause."
    table = write_points(run)
    swapped = table.rename(columns={"latitude": "longitude", "longitude": "latitude"})
    swapped.drop(columns=["x", "y"]).to_csv(run.root / "data/radar.csv", index=False)
    warnings = report_of(run, 1)["warnings"]
    (line,) = [line for line in warnings if "no point lies inside any outline" in line]
    assert line.startswith(f"{run.root}/data/radar.csv: ")
    assert "Are the coordinates those of EPSG:4326? Else say points_epsg" in line


def test_check_tells_of_a_table_that_changed_after_the_build(run):
    table = write_points(run)
    build(run)
    assert not [w for w in report_of(run)["warnings"] if "other files" in w]
    table[:3000].drop(columns=["x", "y"]).to_csv(
        run.root / "data/radar.csv", index=False
    )
    assert (
        f"{run.root}/datasets/region: was built from other files of thickness. Run 'ginv "
        "build-dataset'"
    ) in report_of(run)["warnings"]


def test_check_goes_on_where_a_newer_version_built_the_dataset(run):
    "It cannot tell of which files, and says so beside all the rest."
    build(run)
    path = run.root / "datasets/region/sources.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 99}))
    report = report_of(run)
    assert [w for w in report["warnings"] if "sources.json" in w and "newer" in w]
    assert report["samples"]["train"] > 0
