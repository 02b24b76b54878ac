"""draw: of what there is, with its own members, and nowhere else."""

import csv
import json
import re
import shutil

import geopandas
import numpy as np
import pytest
import rasterio
import torch

from glacier_inversion.dataset.opened import open_dataset
from glacier_inversion.dataset.training_tiles import read_training_tiles
from glacier_inversion.experiment.experiment import check_experiment
from glacier_inversion.training.data import prepare
from glacier_inversion.training.model.model import read_member
from glacier_inversion.training.network.network import Network
from glacier_inversion.workspace import Workspace
from tests import synthetic
from tests.drawing.helpers import read
from tests.helpers import copy_of, read_all
from tests.training.helpers import BROKEN_WEIGHTS


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
    tiles = run.root / "datasets/region/south"
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
    (run.root / "datasets/region/south/slope.tif").unlink()
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
    assert "reads 'elevation' at 100 (not at all). The dataset must" in result.stderr


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
    assert dataset.select("validation") == ["east"]
    data = prepare(checked, read_training_tiles(dataset, checked))
    network = read_member(
        Network(checked), place.model("small"), 0, data.model(checked).identity
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


def test_tiles_that_are_not_those_that_were_built_are_not_drawn(finished, tmp_path):
    "Maps are read from windows of tiles, so these are looked at first."
    run = copy_of(finished, tmp_path)
    with rasterio.open(run.root / "datasets/region/south/slope.tif", "r+") as dst:
        dst.write(dst.read(1)[::-1], 1)
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
    assert result.exit_code == 1
    said = "has a broken summary.json (it was changed since it was written)"
    assert said in result.stderr


def test_statistics_of_the_map_that_was_there_are_forgotten(finished, tmp_path):
    "GDAL and QGIS keep them beside it, and believe them more than those in the map."
    run = copy_of(finished, tmp_path)
    path = run.root / "drawings/small/south/thickness_mean.tif"
    beside = path.with_name("thickness_mean.tif.aux.xml")
    stale = '<MDI key="STATISTICS_MEAN">-1</MDI>'
    beside.write_text(
        f'<PAMDataset><PAMRasterBand band="1"><Metadata>{stale}</Metadata>'
        "</PAMRasterBand></PAMDataset>"
    )
    with rasterio.open(path) as src:
        assert src.tags(1)["STATISTICS_MEAN"] == "-1"
    assert run("draw").exit_code == 0
    assert not beside.exists()
    with rasterio.open(path) as src:
        mean = np.nanmean(src.read(1), dtype=float)
        assert float(src.tags(1)["STATISTICS_MEAN"]) == pytest.approx(mean)
