"""draw: the right numbers, in the right place, of every member."""

import csv
import dataclasses
import json
import re
import shutil

import fiona
import geopandas
import numpy as np
import pytest
import rasterio
import safetensors.torch
import shapely
import torch

from glacier_inversion.dataset.opened import open_dataset, read_training_tiles
from glacier_inversion.drawing.maps import Map, statistic
from glacier_inversion.experiment.experiment import check_experiment
from glacier_inversion.grid import Grid
from glacier_inversion.patches.gathering import PatchSource
from glacier_inversion.patches.lattice import Layout, to_lattice
from glacier_inversion.training.data import prepare
from glacier_inversion.training.model.model import read_member, read_model
from glacier_inversion.training.network.devices import CPU, open_device
from glacier_inversion.training.network.network import Network
from glacier_inversion.workspace import Workspace
from tests import synthetic
from tests.children import read_all
from tests.conftest import Run
from tests.stand_in_gpu import StandInGpu
from tests.test_training import BROKEN_WEIGHTS


def copy_of(finished, tmp_path) -> Run:
    """Return a copy of the finished workspace that a test may change."""
    shutil.copytree(finished.root, tmp_path, dirs_exist_ok=True)
    raw = json.loads(finished.file.read_text())
    return Run(tmp_path, tmp_path / "exp.json", raw)


def read(path):
    """Return the values and the transform of a map."""
    with rasterio.open(path) as src:
        return src.read(1), src.transform


def by_patches(run, feature, model="small"):
    """Predict every point of a feature's lattice by itself, member by member."""
    place = Workspace(run.root)
    checked = check_experiment(run.raw, "exp")
    own = read_model(place.model(model))
    dataset = open_dataset(checked, place)
    layout = Layout.of(own.experiment)
    part = to_lattice(dataset.read_tiles(own.experiment, feature), layout)
    source = PatchSource([part], layout, own.scales.inputs)
    network = Network(own.experiment)
    values = np.full((checked.seeds_number, *part.points.shape), np.nan)
    for seed in range(checked.seeds_number):
        read_member(network, place, model, seed, own.identity)
        for row, col in np.argwhere(part.usable):
            with torch.inference_mode():
                one = network(source.gather(torch.tensor([[0, row, col]])))
            std = own.scales.outputs["thickness"].std
            values[seed, row, col] = float(one["thickness"]) * std
    return part.points, values


def test_maps_equal_the_prediction_of_each_patch(finished):
    "Mean and std (ddof 1) at every pixel of the map, and NaN in the same places."
    points, values = by_patches(finished, "south")
    outline = synthetic.FEATURES[-1][1]
    for name, expected in (
        ("mean", values.mean(axis=0)),
        ("std", values.std(axis=0, ddof=1)),
    ):
        drawn, transform = read(
            finished.root / f"drawings/small/south/thickness_{name}.tif"
        )
        n_known = 0
        for row in range(drawn.shape[0]):
            for col in range(drawn.shape[1]):
                x, y = transform * (col + 0.5, row + 0.5)
                i, j = (int(k) for k in points.index(x, y))
                # pixel centres are the points of the lattice
                assert (float(points.x(j)), float(points.y(i))) == pytest.approx((x, y))
                if not outline.contains(shapely.Point(x, y)):
                    assert np.isnan(drawn[row, col])
                    continue
                # batches reorder float32 sums; the std is a difference of such
                np.testing.assert_allclose(
                    drawn[row, col], expected[i, j], rtol=1e-4, atol=1e-3
                )
                n_known += np.isfinite(drawn[row, col])
        assert n_known > 200


def test_geotiffs_say_what_they_are(finished):
    "float32, NaN nodata, deflate, tiled, unit, members; half a pixel off for even n."
    path = finished.root / "drawings/small/south/thickness_std.tif"
    with rasterio.open(path) as src:
        assert src.dtypes == ("float32",)
        assert np.isnan(src.nodata)
        assert src.compression.name == "deflate"
        assert src.profile["tiled"]
        assert src.crs.to_epsg() == synthetic.EPSG
        assert src.units == ("m",)
        tags = src.tags()
        assert (tags["members"], tags["statistic"], tags["ddof"]) == ("2", "std", "1")
        assert tags["unit"] == "m"
        assert src.res == (50.0, 50.0)
        # 8 pixels of 50 m: points are corners of pixels
        assert (src.transform.c % 50, src.transform.f % 50) == (25.0, 25.0)


def test_the_ensemble_beats_the_constant_mean_on_a_glacier_it_never_saw(finished):
    "The true thickness is known everywhere."
    drawn, transform = read(finished.root / "drawings/small/south/thickness_mean.tif")
    shape = drawn.shape
    truth = synthetic.sample(
        synthetic.thickness_m, transform.c, transform.f, 50.0, *shape
    )
    known = np.isfinite(drawn)
    samples = []
    for properties, polygon in synthetic.FEATURES:
        if properties["train"] == 0:
            left, bottom, right, top = polygon.bounds
            n_rows, n_cols = int((top - bottom) // 50), int((right - left) // 50)
            samples.append(
                synthetic.sample(synthetic.thickness_m, left, top, 50.0, n_rows, n_cols)
            )
    constant = np.concatenate([values.ravel() for values in samples]).mean()

    def rmse(prediction):
        return float(np.sqrt(np.square(prediction - truth)[known].mean()))

    assert rmse(drawn) < 0.6 * rmse(np.full(shape, constant))


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
    drawn = run("draw")
    assert drawn.exit_code == 0, drawn.output
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
        drawn, _ = read(run.root / f"drawings/small/south/thickness_{name}.tif")
        assert drawn.shape == values.shape[1:]
        known = np.isfinite(values[0])
        np.testing.assert_array_equal(np.isfinite(drawn), known)
        expected = statistic(name, values[:, known].astype("f4"))
        np.testing.assert_allclose(drawn[known], expected, rtol=1e-4, atol=1e-3)


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


def test_profiles_hold_the_pixels_that_the_line_crosses(finished):
    "Every 50 m: distance, place, feature, mean, std, and the target where it is known."
    path = finished.root / "drawings/small/profiles/along_thickness.csv"
    with path.open() as file:
        rows = list(csv.DictReader(file))
    with fiona.open(finished.root / "data/profiles/along.shp") as src:
        line = shapely.geometry.shape(next(iter(src)).geometry)
    assert len(rows) == int(line.length // 50) + 1
    mean, transform = read(finished.root / "drawings/small/south/thickness_mean.tif")
    std, _ = read(finished.root / "drawings/small/south/thickness_std.tif")
    outline = synthetic.FEATURES[-1][1]
    n_targets = 0
    for i, row in enumerate(rows):
        assert float(row["distance"]) == 50.0 * i
        point = line.interpolate(50.0 * i)
        assert (float(row["x"]), float(row["y"])) == pytest.approx((point.x, point.y))
        if not outline.contains(point):
            assert row["feature"] == row["mean"] == row["target"] == ""
            continue
        assert row["feature"] == "south"
        col, line_row = (int(k) for k in ~transform * (point.x, point.y))
        assert float(row["mean"]) == pytest.approx(mean[line_row, col], rel=1e-4)
        assert float(row["std"]) == pytest.approx(std[line_row, col], abs=1e-2)
        if row["target"]:
            n_targets += 1
            truth = synthetic.thickness_m(point.x, point.y)
            assert float(row["target"]) == pytest.approx(truth, abs=6)
    assert 0 < n_targets < len(rows)
    assert any(row["feature"] == "" for row in rows)


def test_a_place_at_the_margin_has_the_value_of_its_pixel(finished, tmp_path):
    "Though the pixel's centre lies beyond the outline's bounds."
    run = copy_of(finished, tmp_path)
    outline = synthetic.FEATURES[-1][1]
    left, bottom, _, top = outline.bounds
    assert left % 50 < 25  # the first pixel centre within lies more than half on
    middle = (bottom + top) / 2
    lines = [
        [(left + inset, middle), (left + inset, middle - 200)]
        for inset in (1.0, 6.0, 11.0)
    ]
    synthetic.write_lines(run.root / "data/profiles/along.shp", lines)
    assert run("draw").exit_code == 0
    with (run.root / "drawings/small/profiles/along_thickness.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12
    assert all(row["feature"] == "south" for row in rows)
    assert all(row["mean"] for row in rows)


BAD = [
    (("features", ["sout", "east"]), 1, "'sout' is not in .*Did you mean 'south'"),
    (("models", ["smal"]), 1, "smal: is no model.*Did you mean 'small'"),
    (("profiles", ["alon"]), 1, r"alon\.shp: does not exist\. Did you mean 'along'"),
    (("resolution", 75.0), 2, "75 is no whole multiple"),
]


@pytest.mark.parametrize(("change", "exit_code", "message"), BAD)
def test_what_does_not_exist_is_named_with_the_nearest(
    finished, tmp_path, change, exit_code, message
):
    "Before anything is drawn."
    run = copy_of(finished, tmp_path)
    shutil.rmtree(run.root / "drawings")
    key, value = change
    run.raw["drawing_description"][key] = value
    run.write()
    result = run("draw")
    assert result.exit_code == exit_code
    assert re.search(message, result.stderr), result.stderr
    assert not (run.root / "drawings").exists()


def test_a_broken_member_is_named(finished, tmp_path):
    "Weights that cannot be loaded."
    run = copy_of(finished, tmp_path)
    (run.root / "models/small/seed_001/best.safetensors").write_bytes(b"no weights")
    result = run("draw")
    assert result.exit_code == 1
    assert "seed_001/best.safetensors: cannot be loaded" in result.stderr


@pytest.mark.parametrize(("change", "problem"), BROKEN_WEIGHTS[:2])
def test_weights_of_other_members_draw_nothing(finished, tmp_path, change, problem):
    "Nor does check find them in order."
    run = copy_of(finished, tmp_path)
    change(run.root / "models")
    before = read_all(run.root)
    for command in ("draw", "check"):
        result = run(command)
        assert result.exit_code == 1
        said = result.stderr + result.stdout
        assert f"seed_000/best.safetensors: cannot be loaded ({problem}" in said
    assert read_all(run.root) == before


def test_maps_are_not_drawn_where_a_summary_says(finished, tmp_path):
    "A feature that is called like a path to another folder."
    run = copy_of(finished, tmp_path / "place")
    path = run.root / "datasets/region/summary.json"
    path.write_text(path.read_text().replace('"south"', '"../../../../evil"'))
    tiles = run.root / "datasets/region/test/south"
    shutil.copytree(tiles, tmp_path / "evil", dirs_exist_ok=True)
    outlines = run.root / "datasets/region/outlines.gpkg"
    table = geopandas.read_file(outlines)
    table["feature"] = table["feature"].replace("south", "../../../../evil")
    table.to_file(outlines, layer="outlines")
    run.raw["drawing_description"] |= {"features": "test", "profiles": []}
    run.write()
    before = read_all(tmp_path)
    result = run("draw")
    assert read_all(tmp_path) == before
    assert result.exit_code == 1
    assert "broken summary.json (features[" in result.stderr
    assert "].feature: holds '/'" in result.stderr


@pytest.mark.parametrize(
    "linked", ["drawings", "drawings/small", "drawings/small/south", "profiles"]
)
def test_maps_are_not_drawn_through_a_link(finished, tmp_path, linked):
    "One message, and what it leads to is as it was."
    run = copy_of(finished, tmp_path / "place")
    run.raw["drawing_description"]["features"] = "all"
    run.write()
    path = run.root / ("drawings/small/profiles" if linked == "profiles" else linked)
    path.rename(tmp_path / "theirs")
    path.symlink_to(tmp_path / "theirs", target_is_directory=True)
    before = read_all(tmp_path / "theirs")
    result = run("draw")
    assert result.exit_code == 1
    assert f"{path}: is a link to {tmp_path / 'theirs'}. Must be in" in result.stderr
    assert read_all(tmp_path / "theirs") == before


def test_a_missing_tile_fails_its_feature_alone(finished, tmp_path):
    "The others are drawn; exit code 3."
    run = copy_of(finished, tmp_path)
    run.raw["drawing_description"] |= {"features": ["south", "east"], "profiles": []}
    run.write()
    (run.root / "datasets/region/test/south/slope.tif").unlink()
    result = run("draw")
    assert result.exit_code == 3
    assert "1 features failed: south" in result.stderr
    assert (run.root / "drawings/small/east/thickness_mean.tif").exists()


def test_a_model_of_other_rasters_is_refused(finished, tmp_path):
    "The dataset has none of them."
    run = copy_of(finished, tmp_path)
    path = run.root / "models/small/model.json"
    model = json.loads(path.read_text())
    text = json.dumps(model).replace('"speed"', '"elevation"')
    path.write_text(text)
    result = run("draw")
    assert result.exit_code == 1
    assert "needs 'elevation' at 100; the dataset has it not at all" in result.stderr


def test_a_renamed_model_draws_with_its_own_members(finished, tmp_path):
    "The folder's name counts, not the one that it was trained under."
    run = copy_of(finished, tmp_path)
    models = run.root / "models"
    (models / "small").rename(models / "backup")
    run.raw["drawing_description"]["models"] = ["backup"]
    run.write()
    assert run("draw").exit_code == 0
    drawn, _ = read(run.root / "drawings/backup/south/thickness_mean.tif")
    before, _ = read(run.root / "drawings/small/south/thickness_mean.tif")
    np.testing.assert_array_equal(drawn, before)


def test_a_model_that_does_not_fit_any_more_is_said_to(finished, tmp_path):
    "The experiment or the inputs changed since it was trained."
    run = copy_of(finished, tmp_path)
    run.raw["batch_size"] = 16
    run.write()
    slope = run.root / "data" / "slope.tif"
    with rasterio.open(slope, "r+") as dst:
        dst.write(dst.read(1) * 1.1, 1)
    assert run("build-dataset").exit_code == 0
    result = run("draw")
    assert result.exit_code == 0
    assert (
        "small: was trained with other values of: batch_size, dataset.inputs.slope."
        in (result.stderr)
    )


def test_nothing_drawn_is_said(finished, tmp_path):
    "An input without data, and a group without features."
    run = copy_of(finished, tmp_path)
    with rasterio.open(run.root / "data" / "speed.tif", "r+") as dst:
        dst.write(np.full(dst.shape, synthetic.NODATA, "f4"), 1)
    assert run("build-dataset").exit_code == 0
    result = run("draw")
    assert "south: nothing could be drawn" in result.stderr
    path = run.root / "drawings/small/profiles/along_thickness.csv"
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert all(row["mean"] == "" for row in rows)
    assert any(row["target"] for row in rows)  # known, although nothing is predicted
    run.raw["drawing_description"] |= {"features": [], "profiles": []}
    run.write()
    assert "names no feature and no profile" in run("draw").stderr


@pytest.fixture(scope="session")
def unpadded(finished, tmp_path_factory):
    """A workspace with a model that dense passes are exact for, after one epoch."""
    run = copy_of(finished, tmp_path_factory.mktemp("unpadded"))
    network = run.raw["model_description"]
    for branch in network["inputs"].values():
        branch["operations"][0]["padding"] = "valid"
    pointwise = {"name": "convolution_1", "filter": 6}
    network["main"]["operations"] = [{"name": "concatenation"}, pointwise]
    run.raw.update(model_name="unpadded", epochs=1)
    run.raw["drawing_description"] |= {"models": ["unpadded"], "profiles": []}
    run.write()
    assert run("train").exit_code == 0
    return run


def draw_by(run, method):
    """Draw with a method; return what it said and the maps."""
    result = run("draw", "--method", method, "--device", "cpu")
    assert result.exit_code == 0
    folder = run.root / "drawings/unpadded/south"
    maps = [read(folder / f"thickness_{name}.tif")[0] for name in ("mean", "std")]
    return result.stderr, maps


def test_every_method_draws_the_same(unpadded):
    "Within rounding, NaN in the same places; what was done is said, and why."
    said, dense = draw_by(unpadded, "dense")
    assert (
        "2 members on cpu, by dense passes, which are exact: no operation pads" in said
    )
    said, patches = draw_by(unpadded, "patches")
    assert "patch by patch, as asked" in said
    said, auto = draw_by(unpadded, "auto")
    assert "by dense passes" in said
    assert np.isfinite(patches[0]).sum() > 200
    for one, other, third in zip(dense, patches, auto, strict=True):
        scale = np.nanmax(np.abs(patches[0]))
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5 * scale)
        np.testing.assert_allclose(third, other, rtol=0, atol=1e-5 * scale)


def test_coarse_maps_and_profiles_are_dense_too(unpadded, tmp_path):
    "Pixels of every third point; places along a line."
    run = copy_of(unpadded, tmp_path)
    drawn = {}
    for method in ("dense", "patches", "auto"):
        run.raw["drawing_description"] |= {"resolution": 150.0, "profiles": ["along"]}
        run.write()
        _, (mean, _) = draw_by(run, method)
        path = run.root / "drawings/unpadded/profiles/along_thickness.csv"
        with path.open() as file:
            rows = [row["mean"] for row in csv.DictReader(file) if row["mean"]]
        drawn[method] = np.append(mean[np.isfinite(mean)], np.array(rows, dtype=float))
    assert len(drawn["patches"]) > 25
    for method in ("dense", "auto"):
        np.testing.assert_allclose(drawn[method], drawn["patches"], rtol=1e-4)


def test_a_method_that_is_not_exact_is_refused(finished, tmp_path):
    "A padded network draws patch by patch alone; nothing is drawn otherwise."
    run = copy_of(finished, tmp_path)
    assert "patch by patch: inputs.slope[0] pads with zeros" in run("draw").stderr
    shutil.rmtree(run.root / "drawings")
    result = run("draw", "--method", "dense")
    assert result.exit_code == 1
    assert (
        "--method: dense is not exact for the model 'small' (inputs.slope[0] pads"
        in (result.stderr)
    )
    assert not (run.root / "drawings").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("command", ["train", "draw"])
def test_a_gpu_that_is_not_there_is_refused_before_data_are_read(run, command):
    "They need not be there either; auto takes the processor instead."
    result = run(command, "--device", "cuda")
    assert result.exit_code == 2
    assert "finds no GPU for 'cuda'. Must be cpu or auto here" in result.stderr
    assert open_device("auto") is open_device("cpu") is CPU


def draw_on(gpu, run, method):
    """Draw on a GPU; return what the command came to, and the maps."""
    with gpu:
        result = run("draw", "--method", method, "--device", "cuda")
    model = run.raw["model_name"]
    folder = run.root / f"drawings/{model}/south"
    maps = [read(folder / f"thickness_{name}.tif")[0] for name in ("mean", "std")]
    return result, maps


def assert_same_maps(maps, expected):
    """Compare them within a thousandth of the spread of the values."""
    for one, other in zip(maps, expected, strict=True):
        tolerance = 1e-3 * np.nanstd(expected[0])
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance)


@pytest.fixture(scope="session", params=["padded", "partly dense", "dense", "scalar"])
def drawn_on_cpu(request, finished, tmp_path_factory):
    """A workspace with a model after one epoch, and its maps by the processor."""
    run = copy_of(finished, tmp_path_factory.mktemp("kind"))
    network = run.raw["model_description"]
    if request.param != "padded":
        for branch in network["inputs"].values():
            branch["operations"][0]["padding"] = "valid"
    if request.param == "dense":
        pointwise = {"name": "convolution_1", "filter": 6}
        network["main"]["operations"] = [{"name": "concatenation"}, pointwise]
    if request.param == "scalar":
        run.raw["inputs"][1]["scalar"] = True
        del network["inputs"]["speed"]
    run.raw.update(model_name="kind", epochs=1)
    run.raw["drawing_description"]["models"] = ["kind"]
    run.write()
    assert run("train", "--device", "cpu").exit_code == 0
    assert run("draw", "--device", "cpu").exit_code == 0
    folder = run.root / "drawings/kind/south"
    maps = [read(folder / f"thickness_{name}.tif")[0] for name in ("mean", "std")]
    assert np.isfinite(maps[0]).sum() > 200
    return run, maps


METHODS = ["auto", "dense", "patches"]


@pytest.mark.parametrize("method", METHODS)
def test_what_is_drawn_on_a_gpu_never_mixes_devices(drawn_on_cpu, method):
    "Densely, partly so, and by patches: the processor's maps."
    run, expected = drawn_on_cpu
    result, maps = draw_on(StandInGpu(), run, method)
    if method == "dense" and "is not exact" in result.stderr:
        assert "pads with zeros" in result.stderr
        return
    assert result.exit_code == 0
    assert "on cuda (stand-in)" in result.stderr
    assert_same_maps(maps, expected)


@pytest.mark.parametrize("method", ["dense", "patches"])
def test_less_is_drawn_at_once_where_memory_does_not_suffice(
    unpadded, method, monkeypatch
):
    "Blocks and batches become smaller, which is said; the maps stay as they are."
    for name, side in (("_GPU_BLOCK_PX", 64), ("_LEAST_BLOCK_PX", 8)):
        monkeypatch.setattr(f"glacier_inversion.training.network.devices.{name}", side)
    whole = StandInGpu()
    _, expected = draw_on(whole, unpadded, method)
    bounded = StandInGpu(capacity=0.8 * whole.peak)
    result, maps = draw_on(bounded, unpadded, method)
    assert result.exit_code == 0
    assert bounded.n_refused > 0
    assert bounded.peak <= bounded.capacity
    assert "suffice (CUDA out of memory. Tried to allocate" in result.stderr
    assert "given blocks of 32 x 32 points from now on" in result.stderr
    assert_same_maps(maps, expected)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["dense", "patches"])
def test_there_may_be_no_memory_anywhere_in_drawing(unpadded, method, monkeypatch):
    "For weights, inputs, results, and all between them; members are not mixed up."
    monkeypatch.setattr("glacier_inversion.training.network.devices._GPU_BLOCK_PX", 64)
    whole = StandInGpu()
    _, expected = draw_on(whole, unpadded, method)
    assert whole.n_made > 40
    places = {*range(1, 30), *range(30, whole.n_made, 23), whole.n_made}
    for place in sorted(places):
        gpu = StandInGpu(fail_at=place)
        result, maps = draw_on(gpu, unpadded, method)
        assert (result.exit_code, gpu.n_refused) == (0, 1), result.stderr
        assert_same_maps(maps, expected)


def test_memory_that_holds_not_even_a_small_block_is_a_message(unpadded, tmp_path):
    "One, with what to do; the maps that were there stay."
    run = copy_of(unpadded, tmp_path)
    assert run("draw", "--device", "cpu").exit_code == 0
    before = read(run.root / "drawings/unpadded/south/thickness_mean.tif")[0]
    result, maps = draw_on(StandInGpu(capacity=3000), run, "auto")
    assert result.exit_code == 2
    last = result.stderr.strip().splitlines()[-1]
    assert re.fullmatch(
        r"Error: --device: the GPU's memory does not suffice \(CUDA out of memory\. "
        r"Tried to allocate \d+ bytes\)\. Must hold a block of 32 x 32 points\. Stop "
        r"what else it computes, or say --device cpu\.",
        last,
    )
    np.testing.assert_array_equal(maps[0], before)
    assert not list(run.root.rglob("*.part*"))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
@pytest.mark.parametrize("method", ["dense", "patches"])
def test_a_gpu_draws_the_same(unpadded, method):
    "Within a thousandth of the spread of the values."
    maps = {}
    for device in ("cpu", "cuda"):
        assert unpadded("draw", "--method", method, "--device", device).exit_code == 0
        folder = unpadded.root / "drawings/unpadded/south"
        maps[device] = read(folder / "thickness_mean.tif")[0]
    tolerance = 1e-3 * np.nanstd(maps["cpu"])
    np.testing.assert_allclose(maps["cuda"], maps["cpu"], rtol=0, atol=tolerance)


def test_more_weights_than_memory_is_given_to_are_streamed(
    unpadded, tmp_path, monkeypatch
):
    "One member at a time gives the same maps."
    run = copy_of(unpadded, tmp_path)
    _, before = draw_by(run, "auto")
    monkeypatch.setattr("glacier_inversion.training.model.ensemble.MOST_WEIGHTS", 1)
    _, after = draw_by(run, "auto")
    np.testing.assert_array_equal(before, after)


def test_blocks_are_bounded_by_the_lattice_not_by_the_map():
    "A coarse map of a large glacier does not read all of it at once."
    drawn = Map("a", Grid(0.0, 0.0, 800.0, 50, 50), 0, 0, 64)
    rows, cols = drawn.blocks(CPU.block_px)[0]
    assert (rows.stop - rows.start) * 64 <= CPU.block_px
    assert (cols.stop - cols.start) * 64 <= CPU.block_px


def test_all_that_does_not_exist_is_named_at_once(finished, tmp_path):
    "Features, profiles and models."
    run = copy_of(finished, tmp_path)
    run.raw["drawing_description"] = {
        "features": ["soth"], "profiles": ["alon"], "models": ["smal"]
    }  # fmt: skip
    run.write()
    result = run("draw")
    assert result.exit_code == 1
    for name in ("south", "along", "small"):
        assert f"Did you mean '{name}'" in result.stderr


@pytest.mark.parametrize(
    ("end", "exit_code", "message"),
    [
        (1e12, 1, "along.shp: holds no line that can be drawn"),
        (1e300, 1, "along.shp: holds no line that can be drawn"),
        (9e7, 3, "places. Must make at most 1,000,000. Shorten it"),
    ],
)
def test_a_profile_beyond_all_measure_is_refused(
    finished, tmp_path, monkeypatch, end, exit_code, message
):
    "Before its places are laid out; features are drawn, if it is on the Earth."
    run = copy_of(finished, tmp_path)
    monkeypatch.setattr("glacier_inversion.drawing.profiles._MOST_PLACES", 1_000_000)
    line = [(synthetic.LEFT, synthetic.TOP), (end, synthetic.TOP)]
    synthetic.write_lines(run.root / "data/profiles/along.shp", [line])
    result = run("draw")
    assert result.exit_code == exit_code, result.output
    assert message in result.stderr
    assert len(result.stdout.splitlines()) == (2 if exit_code == 3 else 0)


def test_a_profile_that_fails_does_not_stop_the_others(finished, tmp_path):
    "It is listed; exit code 3."
    run = copy_of(finished, tmp_path)
    run.raw["drawing_description"]["features"] = ["east"]
    run.write()
    (run.root / "datasets/region/test/south/slope.tif").unlink()
    result = run("draw")
    assert result.exit_code == 3
    assert "1 features failed: profile along" in result.stderr
    assert "east/thickness_mean.tif" in result.stdout


def test_a_variable_that_is_read_and_predicted_is_drawn_as_it_was_trained(run):
    "Each side has its own normalisation: the map is what training saw at its points."
    run.raw["outputs"].append({"name": "slope", "resolution": 50.0, "scalar": True})
    run.raw["losses_name"]["slope"] = "nan_mae"
    described = run.raw["model_description"]["outputs"]
    described["slope"] = described["thickness"]
    run.raw.update({"epochs": 1, "seeds_number": 1})
    run.raw["drawing_description"] |= {"features": ["east"], "clip_to_outline": False}
    run.write()
    for command in ("build-dataset", "train", "draw"):
        assert run(command).exit_code == 0
    checked, place = check_experiment(run.raw, "exp"), Workspace(run.root)
    dataset = open_dataset(checked, place)
    assert dataset.features("validation") == ["east"]
    data = prepare(checked, read_training_tiles(dataset, checked))
    network = read_member(
        Network(checked), place, "small", 0, data.model(checked).identity
    )
    drawn, _ = read(run.root / "drawings/small/east/slope_mean.tif")
    samples = data.validation
    for index, batch, _ in samples.batches(samples.nominal(), 512):
        _, row, col = samples.points[index].T
        with torch.inference_mode():
            expected = network(batch)["slope"][:, 0] * data.scales.outputs["slope"].std
        # float32, in another order
        np.testing.assert_allclose(drawn[row, col], expected, rtol=1e-4)
    mean, std = vars(data.scales.inputs["slope"]).values()
    assert abs(mean) > 1
    assert std != data.scales.outputs["slope"].std


def test_a_model_of_an_earlier_version_draws_the_same(finished, tmp_path):
    "It kept one normalisation for each name."
    run = copy_of(finished, tmp_path)
    path = run.root / "models/small/model.json"
    content = json.loads(path.read_text())
    sides = content["normalization"]
    content["normalization"] = {**sides["inputs"], **sides["outputs"]}
    synthetic.write_json(path, content)
    result = run("draw")
    assert result.exit_code == 0, result.output
    name = "drawings/small/south/thickness_mean.tif"
    assert (run.root / name).read_bytes() == (finished.root / name).read_bytes()
    assert run("train").exit_code == 0


def test_a_model_that_lost_a_normalisation_is_refused(finished, tmp_path):
    "An earlier version overwrote that of an input that was an output, too."
    run = copy_of(finished, tmp_path)
    path = run.root / "models/small/model.json"
    content = json.loads(path.read_text())
    content["normalization"] = content["normalization"]["inputs"]
    own = content["experiment"]
    own["outputs"] = [own["inputs"][0] | {"scalar": True}]
    own["losses_name"], own["metrics_name"] = {"slope": "nan_mae"}, {}
    described = own["model_description"]["outputs"]
    described["slope"] = described.pop("thickness")
    synthetic.write_json(path, content)
    result = run("draw")
    assert result.exit_code == 1
    assert "lost how the input 'slope' is normalised" in result.output
    assert "train anew" in result.output


def other_values(path):
    """Change a tile in place, as another program would."""
    with rasterio.open(path, "r+") as dst:
        dst.write(dst.read(1)[::-1], 1)


def another_place(path):
    """Move a tile."""
    with rasterio.open(path, "r+") as dst:
        dst.transform = rasterio.Affine.translation(0.5, 0) @ dst.transform


@pytest.mark.parametrize("change", [other_values, another_place])
def test_tiles_that_are_not_those_that_were_built_are_not_drawn(
    finished, tmp_path, change
):
    "Maps are read from windows of tiles, so these are looked at first."
    run = copy_of(finished, tmp_path)
    change(run.root / "datasets/region/test/south/slope.tif")
    before = (run.root / "drawings/small/south/thickness_mean.tif").read_bytes()
    result = run("draw")
    assert result.exit_code == 3
    assert "slope.tif: is missing or damaged" in result.stderr
    after = (run.root / "drawings/small/south/thickness_mean.tif").read_bytes()
    assert after == before


def test_bounds_that_were_edited_are_not_drawn(finished, tmp_path):
    "By half a metre, in summary.json."
    run = copy_of(finished, tmp_path)
    path = run.root / "datasets/region/summary.json"
    content = json.loads(path.read_text())
    for row in content["features"]:
        row["bounds"] = [side + 0.5 for side in row["bounds"]]
    synthetic.write_json(path, content)
    result = run("draw")
    assert result.exit_code == 3
    assert "is missing or damaged" in result.stderr
