"""Tiles are checked before they are used, and small ones are read once."""

import numpy as np
import pytest
import rasterio

from glacier_inversion.dataset import checked_tiles
from glacier_inversion.dataset.opened import open_dataset
from glacier_inversion.errors import DatasetError
from glacier_inversion.experiment.experiment import check_experiment
from glacier_inversion.workspace import Workspace
from tests.dataset.helpers import build


@pytest.mark.parametrize("held", [0, 2**20])
def test_tiles_that_were_checked_are_read_by_window(run, held, monkeypatch):
    "Held or not; who changes what was read changes no tile."
    monkeypatch.setattr(checked_tiles, "_MOST_HELD", held)
    build(run)
    reader = open_dataset(check_experiment(run.raw, "exp"), Workspace(run.root))
    path = run.root / "datasets/region/west/slope.tif"
    with rasterio.open(path) as src:
        expected = src.read(1)[3:9, 2:20]
    reader.check_tiles("west", ["slope", "speed"])
    window = slice(3, 9), slice(2, 20)
    for _ in range(2):
        values = reader.read_raster("west", "slope", *window)
        np.testing.assert_array_equal(values, expected)
        values[:] = 0
    path.unlink()
    if held:
        reader.read_raster("west", "slope", *window)
        reader.check_tiles("east", ["slope"])  # whose tiles are held now
    with pytest.raises(DatasetError, match=r"slope\.tif: is missing or damaged"):
        reader.read_raster("west", "slope", *window)


@pytest.mark.parametrize("held", [0, 2**20])
def test_tiles_are_checked_before_they_are_used(run, held, monkeypatch):
    "Cut off, of another feature, or with other values."
    monkeypatch.setattr(checked_tiles, "_MOST_HELD", held)
    build(run)
    path = run.root / "datasets/region/west/slope.tif"
    whole = path.read_bytes()
    other = path.parent.with_name("north-2") / "slope.tif"
    for content in (whole[:2000], other.read_bytes()):
        path.write_bytes(content)
        reader = open_dataset(check_experiment(run.raw, "exp"), Workspace(run.root))
        with pytest.raises(DatasetError, match=r"slope\.tif: is missing or damaged"):
            reader.check_tiles("west", ["slope"])
    path.write_bytes(whole)
    with rasterio.open(path, "r+") as dst:
        dst.write(dst.read(1) + 1, 1)
    with pytest.raises(DatasetError, match=r"slope\.tif: is missing or damaged"):
        reader.check_tiles("west", ["slope"])


@pytest.mark.parametrize("held", [0, 2**20])
def test_a_tile_with_another_place_in_its_file_is_used(run, held, monkeypatch):
    "The dataset says where it lies; so does a build, which keeps the tile."
    monkeypatch.setattr(checked_tiles, "_MOST_HELD", held)
    build(run)
    path = run.root / "datasets/region/west/slope.tif"
    with rasterio.open(path, "r+") as dst:
        dst.transform = rasterio.Affine.translation(1e4, 0) @ dst.transform
    edited = path.read_bytes()
    build(run)
    assert path.read_bytes() == edited
    reader = open_dataset(check_experiment(run.raw, "exp"), Workspace(run.root))
    reader.check_tiles("west", ["slope"])
