"""Predictions at known pixels: the maps of draw, read there."""

import dataclasses
import json
import shutil

import geopandas
import numpy as np
import pytest
import rasterio
import shapely

from glacier_inversion.dataset.opened import open_dataset
from glacier_inversion.evaluation.pixels import join_pixels
from glacier_inversion.evaluation.predictions import read_known_pixels
from glacier_inversion.experiment.experiment import load_experiment
from glacier_inversion.geodata.geotiffs import read_grid, read_tile
from glacier_inversion.patches.interpolation import read_at
from glacier_inversion.progress import Silent
from glacier_inversion.training.model.ensemble import Ensemble
from glacier_inversion.training.model.open_model import open_model
from glacier_inversion.training.network.devices import CPU
from glacier_inversion.workspace import Workspace
from tests import synthetic
from tests.helpers import copy_of


def residuals(run, split="all"):
    """Return the points that were evaluated."""
    return geopandas.read_file(run.root / f"evaluations/small/{split}/residuals.gpkg")


def test_predictions_are_the_maps_read_bilinearly(evaluated):
    "With an even window the points of maps are corners of the known pixels."
    points = residuals(evaluated)
    for feature, own in points.groupby("feature"):
        path = evaluated.root / f"drawings/small/{feature}/thickness_mean.tif"
        x, y = own.geometry.x.to_numpy(), own.geometry.y.to_numpy()
        drawn = read_at(read_tile(path), read_grid(path), x, y)
        # float32, and sums in another order
        np.testing.assert_allclose(own["mean"], drawn, rtol=1e-5)
    assert len(points) > 400


def test_pixels_whose_windows_reach_beyond_the_tile_are_counted(finished, tmp_path):
    "Those inside the outline: they have no number in the table of points."
    run = copy_of(finished, tmp_path)
    run.raw["dataset_description"]["buffer_distance"] = 0.0
    run.raw["drawing_description"] |= {"clip_to_outline": False}
    run.write()
    for command in ("build-dataset", "draw", "evaluate"):
        result = run(command)
        assert result.exit_code == 0, result.output
    points = residuals(run, "test")
    missing = points["mean"].isna()
    assert missing.sum() > 20
    lost = points[missing]
    assert lost[["std", "residual", "seed_000", "seed_001"]].isna().all(axis=None)
    assert lost.intersects(synthetic.FEATURES[-1][1]).all()
    path = run.root / "drawings/small/south/thickness_mean.tif"
    x, y = points.geometry.x.to_numpy(), points.geometry.y.to_numpy()
    drawn = read_at(read_tile(path), read_grid(path), x, y)
    np.testing.assert_allclose(points["mean"], drawn, rtol=1e-5)
    heading = result.stdout.splitlines()[0]
    n_predicted = (~missing).sum()
    assert f": {n_predicted} known pixels of 1 feature; {missing.sum()} more" in heading


def test_members_have_a_column_each_and_std_is_theirs(evaluated):
    "With ddof 1; the mean is theirs, and the residual is predicted less observed."
    points = residuals(evaluated)
    members = points[["seed_000", "seed_001"]].to_numpy()
    np.testing.assert_allclose(points["mean"], members.mean(axis=1))
    np.testing.assert_allclose(points["std"], members.std(axis=1, ddof=1))
    np.testing.assert_allclose(points.residual, points["mean"] - points.observed)


def test_known_pixels_are_those_of_the_features_alone(evaluated):
    "Each once, with the value of the tile, none inside another outline."
    points = residuals(evaluated)
    places = points.geometry.get_coordinates().to_numpy()
    assert len(np.unique(np.floor(places / 50), axis=0)) == len(points)
    dataset = open_dataset(load_experiment(evaluated.file), Workspace(evaluated.root))
    for feature, own in points.groupby("feature"):
        with rasterio.open(
            evaluated.root / f"datasets/region/{feature}/thickness.tif"
        ) as src:
            values = [v for (v,) in src.sample(own.geometry.get_coordinates().values)]
        np.testing.assert_array_equal(own.observed.astype("f4"), values)
        others = [o for f, o in dataset.outlines.items() if f != feature]
        assert not shapely.intersects(own.geometry, shapely.union_all(others)).any()
    # some lie outside of every outline: nothing is clipped but what has no prediction
    beyond = ~shapely.intersects(
        points.geometry, shapely.union_all([*dataset.outlines.values()])
    )
    assert beyond.any()
    assert points["mean"][beyond].notna().all()


def read(run, ensemble, device=CPU):
    """Read all known pixels with another device."""
    workspace = Workspace(run.root)
    experiment = load_experiment(run.file)
    dataset = open_dataset(experiment, workspace)
    other = Ensemble(ensemble.folder, ensemble.model, device=device)
    found = read_known_pixels(
        ensemble.model.experiment,
        dataset,
        dataset.select("all"),
        {"thickness": ["slope", "speed"]},
        Silent(),
        ensemble=other,
    )
    return found["thickness"]


def test_blocks_do_not_show(evaluated):
    "Smaller ones give the same pixels with the same numbers, in another order."
    ensemble = open_model(Workspace(evaluated.root), "small")
    whole = read(evaluated, ensemble)
    parts = read(evaluated, ensemble, dataclasses.replace(CPU, block_px=7))
    order = [np.lexsort((p.x, p.y, p.feature)) for p in (whole, parts)]
    for name in ("feature", "x", "y", "observed"):
        one, other = (
            getattr(p, name)[o] for p, o in zip((whole, parts), order, strict=True)
        )
        np.testing.assert_array_equal(one, other)
    for raster in ("slope", "speed"):
        one, other = (
            p.rasters[raster][o] for p, o in zip((whole, parts), order, strict=True)
        )
        np.testing.assert_allclose(one, other, rtol=1e-6)
    one, other = (p.members[:, o] for p, o in zip((whole, parts), order, strict=True))
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-3)


def test_noise_is_that_of_the_maps_read_bilinearly(noisy):
    "Its variance; pixels that are joined or taken keep theirs."
    pixels = read(noisy, open_model(Workspace(noisy.root), "small"))
    assert pixels.has_noise
    path = noisy.root / "drawings/small/south/thickness_noise.tif"
    x, y = pixels.x, pixels.y
    drawn = read_at(read_tile(path) ** 2, read_grid(path), x, y)
    inside = np.isfinite(drawn) & (
        pixels.feature == pixels.features.index("south")
    )  # at the margin the map has not all four
    south = synthetic.FEATURES[-1][1].buffer(-75)
    inside &= shapely.contains_xy(south, x, y)
    assert inside.sum() > 30
    np.testing.assert_allclose(pixels.noise[inside], drawn[inside], rtol=1e-4)
    twice = join_pixels([pixels, pixels])
    last = len(pixels.x) + np.flatnonzero(inside)
    np.testing.assert_array_equal(twice.take(last).noise, pixels.noise[inside])


def test_evaluations_say_that_the_spread_has_noise_in_it(noisy, tmp_path):
    run = copy_of(noisy, tmp_path)
    result = run("evaluate")
    assert result.exit_code == 0, result.output
    assert "\nas members spread, with noise " in result.stdout
    metrics = json.loads((run.root / "evaluations/small/test/metrics.json").read_text())
    assert metrics["outputs"]["thickness"]["uncertainty"]["counts_noise"]


def test_rasters_are_read_bilinearly_at_the_pixels(evaluated):
    "Those of another resolution, too; NaN where the tile is."
    pixels = read(evaluated, open_model(Workspace(evaluated.root), "small"))
    assert np.isnan(pixels.rasters["slope"]).any()
    for number, feature in enumerate(pixels.features):
        own = pixels.feature == number
        for raster, values in pixels.rasters.items():
            path = evaluated.root / f"datasets/region/{feature}/{raster}.tif"
            tile, grid = read_tile(path), read_grid(path)
            expected = read_at(tile, grid, pixels.x[own], pixels.y[own])
            np.testing.assert_allclose(values[own], expected, rtol=1e-6)


@pytest.mark.parametrize("raster", ["slope", "thickness"])
def test_a_feature_whose_tile_is_damaged_is_named(finished, tmp_path, raster):
    "The others are evaluated; the exit code says that one failed."
    run = copy_of(finished, tmp_path)
    path = run.root / f"datasets/region/east/{raster}.tif"
    path.write_bytes((path.parent.parent / f"south/{raster}.tif").read_bytes())
    result = run("evaluate", "--split", "all")
    assert result.exit_code == 3
    assert f"{path}: is missing or damaged." in result.stderr
    assert "1 features failed: east" in result.stderr
    assert "east" not in set(residuals(run).feature)


@pytest.mark.parametrize(
    ("command", "n_named"), [("train", 4), ("evaluate", 2), ("crossval", 4)]
)
def test_training_pixels_must_all_be_there(finished, tmp_path, command, n_named):
    "Networks and methods are fitted to them: all tiles that are not are named at once."
    run = copy_of(finished, tmp_path)
    if command == "train":
        shutil.rmtree(run.root / "models/small")
    damaged = ["west/thickness", "north-1/thickness", "west/slope", "east/thickness"]
    for name in damaged:
        (run.root / f"datasets/region/{name}.tif").unlink()
    result = run(command)
    assert result.exit_code == 1
    error = result.stderr.partition("Error: ")[2]
    # nothing is evaluated but the test, of methods that know the target alone
    for name in damaged[:n_named]:
        assert error.count(f"/{name}.tif: is missing or damaged.") == 1
    assert error.count("is missing or damaged.") == n_named
