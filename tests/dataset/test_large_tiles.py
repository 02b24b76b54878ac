"""Tiles made part by part: the same bytes, without their size in memory."""

import io

import numpy as np
import pytest

from glacier_inversion.dataset import tiling
from glacier_inversion.dataset.large_tiles import LaidAside
from glacier_inversion.errors import WorkspaceError
from glacier_inversion.geodata import warping
from glacier_inversion.grid import Grid
from glacier_inversion.patches.tiles import digest
from tests.dataset.helpers import build
from tests.helpers import read_all


def test_parts_come_together():
    "In whatever order: rows, digest and share of known pixels are the tile's."
    grid = Grid(0.0, 0.0, 10.0, 70, 90)
    tile = np.random.default_rng(0).normal(size=grid.shape).astype("f4")
    tile[tile < 0.3] = np.nan
    parts = [
        (
            slice(r, min(r + 32, 70)),
            slice(c, min(c + 40, 90)),
            tile[r : r + 32, c : c + 40],
        )
        for r in (64, 0, 32)
        for c in (40, 80, 0)
    ]
    aside = LaidAside(io.BytesIO(), grid, parts)
    assert (aside.digest, aside.valid) == (digest(tile), np.isfinite(tile).mean())
    np.testing.assert_array_equal(aside.strip(slice(31, 70)), tile[31:])


def test_a_large_tile_has_the_bytes_of_a_small_one(run, monkeypatch):
    "Of all rasters, in both CRSs, in parts of 16 pixels of the files."
    monkeypatch.setattr(warping, "_WINDOW_PX", 16)
    build(run)
    expected = read_all(run.root / "datasets")
    for feature in (run.root / "datasets/region").glob("*/"):
        for tile in feature.glob("*.tif"):
            tile.unlink()
    monkeypatch.setattr(tiling, "_LARGE", 0)
    assert build(run).n_written == 15
    assert read_all(run.root / "datasets") == expected


def test_a_disk_without_room_for_a_large_tile_is_a_message(run, monkeypatch):
    "And nothing is left of it."
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(tiling, "_LARGE", 0)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        with pytest.raises(WorkspaceError, match=r"slope\.tif: cannot be written"):
            build(run)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    found = read_all(run.root / "datasets")
    assert not [name for name in found if name.endswith(".tif") or ".part" in name]
