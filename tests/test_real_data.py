"""Real ice and published experiments, where they are at hand."""

import json
import shutil

import jsonschema
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
import torch
from click.testing import CliRunner

from glacier_inversion.cli import main
from glacier_inversion.dataset.opened import open_dataset
from glacier_inversion.dataset.outlines import read_outlines
from glacier_inversion.experiment.experiment import json_schema, load_experiment
from glacier_inversion.geodata.geotiffs import read_grid, read_tile
from glacier_inversion.patches.lattice import Layout, to_lattice
from glacier_inversion.training.model.model import read_member, read_model
from glacier_inversion.training.network.dense import plan_dense
from glacier_inversion.training.network.devices import CPU
from glacier_inversion.training.network.network import Network
from glacier_inversion.training.network.predict import BlockInputs, predict_points
from glacier_inversion.workspace import Workspace
from tests import synthetic
from tests.helpers import PUBLISHED, ROOT, SHARED

ALETSCH = SHARED / "data" / "aletsch" / "data"
OUTLINES = sorted(ALETSCH.glob("outlines.*"))


def ginv(*arguments) -> str:
    """Run a command and return what it printed."""
    result = CliRunner().invoke(
        main, [str(a) for a in arguments], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.skipif(not PUBLISHED, reason="the published experiments are not here")
@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.stem)
def test_published_experiments_run_unchanged(path, tmp_path):
    "With made-up data of their rasters: built, one epoch trained, drawn."
    checked = load_experiment(path)
    jsonschema.validate(json.loads(path.read_text()), json_schema())
    counts = {"resnet_class_grid_400_nh": 322_880, "resnet_solo_grid_400_nv": 164_736}
    assert Network(checked).n_parameters() == counts[checked.model_name]
    description = checked.dataset_description
    left, top = 2_640_000.0, 1_145_000.0
    names = [*checked.drawing_description.features, "B01", "B02", "B03", "B04"]
    features = [
        ({"sgi-id": name}, shapely.box(x, top - 1500, x + 130 + 9 * i, top - 1350))
        for i, (name, x) in enumerate(
            zip(names, left + 1000 + 300.0 * np.arange(len(names)), strict=True)
        )
    ]
    synthetic.write_outlines(
        tmp_path / "data" / description.shapefile_file, features, 2056
    )
    rng = np.random.default_rng(0)
    for raster in description.rasters:
        n_rows, n_cols = int(3000 / raster.resolution), int(5000 / raster.resolution)
        values = rng.random((n_rows, n_cols)).astype("f4")
        if raster.name == "ice_classification":
            values = values.round()
        synthetic.write_raster(
            tmp_path / "data" / raster.file, values, left, top, raster.resolution, 2056
        )
    import fiona  # noqa: PLC0415

    (tmp_path / "data" / "profiles").mkdir()
    for name in checked.drawing_description.profiles:
        with fiona.open(
            tmp_path / "data" / "profiles" / f"{name}.shp",
            "w",
            driver="ESRI Shapefile",
            crs="EPSG:2056",
            schema={"geometry": "LineString", "properties": {}},
        ) as dst:
            x = left + 1000 + 300.0 * names.index(name)
            ends = [(x + 5, top - 1490), (x + 100, top - 1360)]
            dst.write(
                {
                    "geometry": {"type": "LineString", "coordinates": ends},
                    "properties": {},
                }
            )
    ginv("build-dataset", path, "--workspace", tmp_path)
    one_epoch = tmp_path / "one_epoch.json"
    raw = json.loads(path.read_text()) | {"epochs": 1, "seeds_number": 1}
    synthetic.write_json(one_epoch, raw)
    ginv("train", one_epoch, "--workspace", tmp_path)
    printed = ginv("draw", one_epoch, "--workspace", tmp_path)
    for output in checked.outputs:
        for feature in checked.drawing_description.features:
            name = f"{feature}/{output.name}_mean.tif"
            assert name in printed
    for shown in printed.splitlines():
        if shown.endswith("mean.tif"):
            with rasterio.open(shown) as src:
                assert np.isfinite(src.read(1)).sum() > 50


@pytest.mark.slow
@pytest.mark.skipif(not ALETSCH.exists(), reason="the Aletsch data are not here")
def test_aletsch_is_built_trained_and_drawn(tmp_path):
    "One member beats the mean of the training targets on sub-basins it never saw."
    shutil.copytree(ALETSCH, tmp_path / "data")
    file = ROOT / "experiments" / "aletsch" / "aletsch.json"
    checked = load_experiment(file)
    ginv("build-dataset", file, "--workspace", tmp_path)
    ginv("train", file, "--workspace", tmp_path, "--seeds", "0")
    ginv("draw", file, "--workspace", tmp_path)
    with rasterio.open(tmp_path / "data" / "ice_thickness.tif") as src:
        radar, transform = src.read(1), src.transform
    row, col = np.nonzero(np.isfinite(radar))
    x, y = transform * (col + 0.5, row + 0.5)
    known = radar[row, col]
    outlines = read_outlines(tmp_path / "data" / "outlines.shp", "name", 32632)
    inside = {
        split: np.any(
            [
                shapely.contains_xy(o.polygon, x, y)
                for o in outlines
                if o.columns["train"] == split
            ],
            axis=0,
        )
        for split in (0, 2)
    }
    errors = []
    for feature in ("ewigschneefeld", "lower_tongue"):
        path = (
            tmp_path / f"drawings/{checked.model_name}/{feature}/ice_thickness_mean.tif"
        )
        with rasterio.open(path) as src:
            (points,) = np.nonzero(inside[2])
            i, j = rasterio.transform.rowcol(src.transform, x[points], y[points])
            within = (i >= 0) & (i < src.height) & (j >= 0) & (j < src.width)
            drawn = src.read(1)[i[within], j[within]]
            error = drawn - known[points[within]]
            errors.append(error[np.isfinite(error)])
    error = np.concatenate(errors)
    constant = known[inside[0]].mean()
    rmse = np.sqrt(np.square(error).mean())
    assert len(error) == 222
    assert rmse < 0.8 * np.sqrt(np.square(known[inside[2]] - constant).mean())
    compare_ways(checked, Workspace(tmp_path))


@pytest.mark.slow
@pytest.mark.skipif(not ALETSCH.exists(), reason="the Aletsch data are not here")
def test_a_table_of_aletschs_radar_gives_the_cells_of_a_plain_loop(tmp_path):
    "Whose other rasters are derived from elevation and velocity alone."
    data = tmp_path / "data"
    data.mkdir()
    for name in ("dem.tif", "vx.tif", "vy.tif", *(p.name for p in OUTLINES)):
        shutil.copy(ALETSCH / name, data)
    with rasterio.open(ALETSCH / "ice_thickness.tif") as src:
        rows, cols = np.nonzero(np.isfinite(radar := src.read(1)))
        x, y = src.transform * (cols + 0.5, rows + 0.5)
    value = radar[rows, cols].astype(float)
    # several points a pixel, at places of their own
    rng = np.random.default_rng(0)
    x, y = (np.repeat(v, 4) + rng.uniform(-49, 49, 4 * len(v)) for v in (x, y))
    value = np.repeat(value, 4) + rng.normal(0, 5, len(x))
    table = pd.DataFrame({"X": x, "Y": y, "Z": value})
    table.to_csv(data / "radar.csv", index=False)
    file = ROOT / "experiments" / "aletsch" / "points.json"
    ginv("build-dataset", file, "--workspace", tmp_path, "-q")
    outlines = read_outlines(data / "outlines.shp", "name", 32632)
    for outline in outlines:
        path = tmp_path / f"datasets/aletsch_points/{outline.feature}/ice_thickness.tif"
        tile, grid = read_tile(path), read_grid(path)
        cells: dict[tuple[int, int], list[float]] = {}
        for place_x, place_y, one in table.itertuples(index=False):
            if shapely.intersects_xy(outline.polygon, place_x, place_y):
                col = int((place_x - grid.left) // 100)
                row = int((grid.top - place_y) // 100)
                cells.setdefault((row, col), []).append(one)
        expected = np.full(tile.shape, np.nan)
        for cell, values in cells.items():
            expected[cell] = sum(values) / len(values)
        np.testing.assert_allclose(tile, expected, rtol=1e-6)


def compare_ways(checked, place):
    """Evaluate every point of a sub-basin's tile densely and patch by patch."""
    dataset = open_dataset(checked, place)
    model = read_model(place.model(checked.model_name))
    layout = Layout.of(checked)
    network = read_member(
        Network(checked), place.model(checked.model_name), 0, model.identity
    )
    plan = plan_dense(network, layout)
    assert plan.is_dense
    part = to_lattice(dataset.read_tiles(checked, "ewigschneefeld"), layout)
    wanted = np.ones(part.usable.shape, dtype=bool)
    for dtype, tolerance in ((torch.float32, 1e-5), (torch.float64, 1e-10)):
        block = BlockInputs(
            part, layout, model.scales.inputs, torch.device("cpu"), dtype
        )
        dense, patches = (
            predict_points([network.to(dtype)], block, wanted, plan, method, CPU)
            for method in ("dense", "patches")
        )
        one, other = dense["ice_thickness"], patches["ice_thickness"]
        assert one.shape == (1, 1, wanted.size)
        scale = float(other.abs().max())
        np.testing.assert_allclose(one / scale, other / scale, rtol=0, atol=tolerance)
