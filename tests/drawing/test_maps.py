"""Maps: the right numbers, in the right place, of every member."""

import dataclasses
import json
import shutil

import geopandas
import numpy as np
import pytest
import rasterio
import safetensors.torch
import shapely
import torch
from hypothesis import given
from hypothesis import strategies as st

from glacier_inversion.drawing.maps import MapExtent, statistic
from glacier_inversion.grid import Grid
from glacier_inversion.training.network.devices import CPU
from tests import synthetic
from tests.drawing.helpers import by_patches, read
from tests.helpers import copy_of


def test_maps_equal_the_prediction_of_each_patch(finished):
    "Mean and std (ddof 1) at every pixel of the map, and NaN in the same places."
    points, values = by_patches(finished, "south")
    outline = synthetic.FEATURES[-1][1]
    for name, expected in (
        ("mean", values.mean(axis=0)),
        ("std", values.std(axis=0, ddof=1)),
    ):
        extent, transform = read(
            finished.root / f"drawings/small/south/thickness_{name}.tif"
        )
        n_known = 0
        for row in range(extent.shape[0]):
            for col in range(extent.shape[1]):
                x, y = transform * (col + 0.5, row + 0.5)
                i, j = (int(k) for k in points.index(x, y))
                # pixel centres are the points of the lattice
                assert (float(points.x(j)), float(points.y(i))) == pytest.approx((x, y))
                if not outline.contains(shapely.Point(x, y)):
                    assert np.isnan(extent[row, col])
                    continue
                # batches reorder float32 sums; the std is a difference of such
                np.testing.assert_allclose(
                    extent[row, col], expected[i, j], rtol=1e-4, atol=1e-3
                )
                n_known += np.isfinite(extent[row, col])
        assert n_known > 200


def test_geotiffs_say_what_they_are(finished):
    """
    float32, NaN nodata, deflate, unit, members; half a pixel off for even n.

    Cloud-Optimized, which GDAL itself says of what its driver has written.
    """
    path = finished.root / "drawings/small/south/thickness_std.tif"
    with rasterio.open(path) as src:
        assert src.dtypes == ("float32",)
        assert np.isnan(src.nodata)
        assert src.compression.name == "deflate"
        assert src.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert src.crs.to_epsg() == synthetic.EPSG
        assert src.units == ("m",)
        assert src.descriptions == ("thickness std (spread of members)",)
        tags = src.tags()
        assert (tags["members"], tags["statistic"], tags["ddof"]) == ("2", "std", "1")
        assert tags["unit"] == "m"
        assert src.res == (50.0, 50.0)
        # 8 pixels of 50 m: points are corners of pixels
        assert (src.transform.c % 50, src.transform.f % 50) == (25.0, 25.0)


def train_by_hand(run, raw, weights):
    """Build the dataset and write a member with these weights."""
    run.raw.clear()
    run.raw.update(raw | {"epochs": 1, "seeds_number": 1, "normalization": "none"})
    run.write()
    assert run("build-dataset").exit_code == 0
    trained = run("train")
    assert trained.exit_code == 0, trained.output
    path = run.root / "models" / raw["model_name"] / "seed_000" / "best.safetensors"
    state = safetensors.torch.load_file(path)
    assert state.keys() == weights.keys()
    safetensors.torch.save_file(weights, path)


@pytest.mark.parametrize(
    ("area_size", "resolutions", "output", "step", "epsg"),
    [
        (350.0, {"a": 50.0}, 50.0, None, synthetic.EPSG),
        (400.0, {"a": 50.0, "b": 100.0}, 50.0, None, synthetic.EPSG),
        (400.0, {"a": 100.0}, 50.0, None, synthetic.EPSG),
        (600.0, {"a": 50.0, "b": 150.0}, 50.0, 150.0, synthetic.EPSG),
        (350.0, {"a": 50.0}, 100.0, 200.0, 2193),
    ],
)
def test_coordinates_come_back_where_they_are(
    run, area_size, resolutions, output, step, epsg
):
    """
    Rasters that hold their own x and y, through all three commands.

    The network passes the centre's coordinates on, so every drawn pixel must hold the
    coordinates of its own centre. Odd and even windows, two resolutions, a coarser map,
    a CRS with the northing first.
    """
    raw = synthetic.coordinate_experiment(area_size, resolutions, output, scalar=True)
    raw["dataset_description"]["epsg"] = epsg
    raw["drawing_description"]["resolution"] = step
    features = synthetic.FEATURES
    x0, y0 = synthetic.LEFT, synthetic.TOP - 3500
    if epsg != synthetic.EPSG:  # the same squares in the middle of the other CRS
        x0, y0 = 1_370_013.0, 5_169_037.0
        features = [
            (
                p,
                shapely.transform(
                    g, lambda c: c - [synthetic.LEFT - x0, synthetic.TOP - y0]
                ),
            )
            for p, g in features
        ]
        synthetic.write_outlines(run.root / "data/glaciers.shp", features, epsg)
        y0 -= 3500
    left, top = x0 - 1000, y0 + 5500
    for entry in raw["dataset_description"]["rasters"]:
        cell = entry["resolution"] / 2
        axis = entry["name"].removeprefix("target_")[0]
        # relative coordinates, that float32 holds to a millimetre
        origin = {"x": x0, "y": y0}[axis]
        values = np.zeros((int(6600 / cell), int(5700 / cell)), "f4")
        n_rows, n_cols = values.shape
        values += (
            (left + (np.arange(n_cols) + 0.5) * cell - origin)[None, :]
            if axis == "x"
            else (top - (np.arange(n_rows) + 0.5) * cell - origin)[:, None]
        )
        path = run.root / "data" / entry["file"]
        synthetic.write_raster(path, values, left, top, cell, epsg)
    # inputs in order x_a, y_a, x_b, y_b: take the last pair
    n_inputs = 2 * len(resolutions)
    pick = torch.zeros(2, n_inputs)
    pick[0, -2] = pick[1, -1] = 1
    weights = {f"outputs.{i}.0.layers.0.weight": pick[i : i + 1] for i in range(2)}
    train_by_hand(run, raw, {k: v.clone() for k, v in weights.items()})
    extent = run("draw")
    assert extent.exit_code == 0, extent.output
    for properties, outline in features:
        folder = run.root / "drawings" / "coordinates" / properties["id"]
        for axis in "xy":
            values, transform = read(folder / f"target_{axis}_mean.tif")
            rows, cols = np.nonzero(np.isfinite(values))
            x, y = transform * (cols + 0.5, rows + 0.5)
            expected = x - x0 if axis == "x" else y - y0
            np.testing.assert_allclose(values[rows, cols], expected, atol=2e-3)
            spacing = step or min(*resolutions.values(), output)
            assert transform.a == -transform.e == spacing
            # every point inside the outline is drawn: the buffer is wide enough
            assert len(rows) == pytest.approx(outline.area / spacing**2, rel=0.15)
            # maps of neighbours fit together
            assert (transform.c + spacing / 2) % spacing in (
                0.0,
                min(*resolutions.values(), output) / 2,
            )
    # and at the centre of every known pixel its own coordinates are predicted
    evaluated = run("evaluate", "--split", "all")
    assert evaluated.exit_code == 0, evaluated.output
    path = run.root / "evaluations/coordinates/all/residuals.gpkg"
    region = shapely.union_all([outline for _, outline in features])
    for axis, points in geopandas.read_file(path).groupby("output"):
        expected = points.geometry.x - x0 if axis[-1] == "x" else points.geometry.y - y0
        np.testing.assert_allclose(points.observed, expected, atol=2e-3)
        within = points.intersects(region)
        assert within.sum() == pytest.approx(region.area / output**2, rel=0.05)
        error = np.abs(points["mean"] - expected)
        assert error[within].max() < 2e-3
        # towards a tile's sides half of the points around a pixel are enough
        assert error.max() <= min(*resolutions.values(), output) / 2 + 2e-3


def test_nothing_is_drawn_where_the_window_reaches_beyond_the_tile(finished, tmp_path):
    "NaN, not zeros; with the same values elsewhere."
    run = copy_of(finished, tmp_path)
    run.raw["dataset_description"]["buffer_distance"] = 0.0
    run.write()
    assert run("build-dataset").exit_code == 0
    before, where = read(run.root / "drawings/small/south/thickness_mean.tif")
    result = run("draw")
    assert result.exit_code == 0, result.output
    after, transform = read(run.root / "drawings/small/south/thickness_mean.tif")
    assert transform == where
    summary = json.loads((run.root / "datasets/region/summary.json").read_text())
    (bounds,) = [r["bounds"] for r in summary["features"] if r["feature"] == "south"]
    rows, cols = np.indices(after.shape)
    x, y = transform * (cols + 0.5, rows + 0.5)
    fits = (x - 200 >= bounds[0]) & (x + 200 <= bounds[2])
    fits &= (y - 200 >= bounds[1]) & (y + 200 <= bounds[3])
    assert np.isnan(after[~fits]).all()
    assert (np.isfinite(after) == (fits & np.isfinite(before))).all()
    known = np.isfinite(after)
    np.testing.assert_allclose(after[known], before[known], rtol=1e-4)


def test_statistics_and_the_whole_tile(finished, tmp_path):
    "Median, extremes and quantiles; without clipping all that can be drawn."
    run = copy_of(finished, tmp_path)
    names = ["mean", "std", "median", "min", "max", "q25"]
    run.raw["drawing_description"] |= {"statistics": names, "clip_to_outline": False}
    run.raw["drawing_description"]["features"] = "test"
    run.write()
    assert run("draw").exit_code == 0
    _, values = by_patches(run, "south")
    for name in names:
        extent, _ = read(run.root / f"drawings/small/south/thickness_{name}.tif")
        assert extent.shape == values.shape[1:]
        known = np.isfinite(values[0])
        np.testing.assert_array_equal(np.isfinite(extent), known)
        expected = statistic(name, values[:, known].astype("f4"))
        np.testing.assert_allclose(extent[known], expected, rtol=1e-4, atol=1e-3)


def test_blocks_do_not_show(finished, tmp_path, monkeypatch):
    "Small blocks give the same maps."
    run = copy_of(finished, tmp_path)
    before, _ = read(run.root / "drawings/small/south/thickness_mean.tif")
    assert max(before.shape) < CPU.block_px
    small = dataclasses.replace(CPU, block_px=7)
    monkeypatch.setattr("glacier_inversion.training.network.devices.CPU", small)
    assert run("draw").exit_code == 0
    after, _ = read(run.root / "drawings/small/south/thickness_mean.tif")
    np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-3)


def test_one_member_has_no_std(finished, tmp_path, caplog):
    "NaN, and a warning that members are missing."
    run = copy_of(finished, tmp_path)
    shutil.rmtree(run.root / "models/small/seed_001")
    result = run("draw")
    assert result.exit_code == 0
    assert "only 1 of 2 are trained" in result.stderr
    assert np.isnan(read(run.root / "drawings/small/south/thickness_std.tif")[0]).all()
    assert np.isfinite(
        read(run.root / "drawings/small/south/thickness_mean.tif")[0]
    ).any()


def test_blocks_are_bounded_by_the_lattice_not_by_the_map():
    "A coarse map of a large glacier does not read all of it at once."
    extent = MapExtent("a", Grid(0.0, 0.0, 800.0, 50, 50), 0, 0, 64)
    rows, cols = extent.blocks(CPU.block_px)[0]
    assert (rows.stop - rows.start) * 64 <= CPU.block_px
    assert (cols.stop - cols.start) * 64 <= CPU.block_px


@given(st.integers(0, 90), st.integers(0, 90), st.integers(1, 9), st.integers(1, 50))
def test_blocks_hold_every_pixel_once(n_rows, n_cols, step, block_px):
    "Of a map of any shape, or of none; each spans no more points than it may."
    blocks = MapExtent("a", Grid(0.0, 0.0, 50.0, n_rows, n_cols), 0, 0, step).blocks(
        block_px
    )
    n_drawn = np.zeros((n_rows, n_cols), dtype=int)
    for block in blocks:
        n_drawn[block] += 1
        for part, n in zip(block, n_drawn.shape, strict=True):
            assert 0 <= part.start < part.stop <= n
            assert part.stop - part.start <= max(block_px // step, 1)
    assert (n_drawn == 1).all()
