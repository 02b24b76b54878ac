"""Samples, counted before there are tiles."""

import pytest
from pyproj import Transformer

from glacier_inversion.dataset.rasters import Rasters
from glacier_inversion.geodata import warping
from tests.checking.helpers import report_of


def test_large_regions_are_estimated(run, monkeypatch):
    "With nothing to spend on exact reading, and with a part of the features."
    exact = report_of(run)
    monkeypatch.setattr("glacier_inversion.checking.preview._BUDGET", 0)
    monkeypatch.setattr("glacier_inversion.checking.preview._COARSE_PX", 8)
    coarse = report_of(run)
    assert not coarse["samples"]["exact"]
    assert {feature["read"] for feature in coarse["features"]} == {"coarsely"}
    for split in ("train", "validation"):
        # on the safe side: cells of which the lattice holds a part count whole
        n = exact["samples"][split]
        assert n * 0.7 <= coarse["samples"][split] <= n * 1.5
    for mine, other in zip(coarse["features"], exact["features"], strict=True):
        for name in ("slope", "speed"):
            assert mine["valid"][name] == pytest.approx(other["valid"][name], abs=0.1)
    assert "about" in run("check").stdout
    monkeypatch.undo()
    monkeypatch.setattr("glacier_inversion.checking.preview._MOST_FEATURES", 1)
    part = report_of(run)
    assert part["samples"]["features_read"] == 3
    assert [f["read"] for f in part["features"]].count(None) == 2
    assert part["samples"]["train"] == pytest.approx(exact["samples"]["train"], rel=0.4)
    assert "in the 3 features that were read" in run("check", "-v").stdout


def test_many_rasters_take_no_time(run, monkeypatch):
    "A feature of each split is read, and what turns coordinates is made but once."
    made = []
    original = Transformer.from_crs
    monkeypatch.setattr(
        Transformer,
        "from_crs",
        lambda *args, **keys: made.append(args) or original(*args, **keys),
    )
    monkeypatch.setattr("glacier_inversion.checking.preview._MOST_READS", 30)
    warping._to_file.cache_clear()
    rasters = run.raw["dataset_description"]["rasters"]
    rasters += [rasters[1] | {"name": f"speed_{i}"} for i in range(17)]
    run.write()
    assert report_of(run)["samples"]["features_read"] == 3
    # of the outlines, and of two CRSs to the tiles' and back, and to degrees
    assert len(made) <= 8


def test_what_reaches_far_is_read_coarsely(run, monkeypatch):
    "A raster derived of a derived one, together as far as a pixel may depend on."
    far = {"name": "smooth", "of": "slope", "sigma": 50.0 * 120}
    derived = [
        {"name": "smooth", "resolution": 50.0, "derive": far},
        {"name": "smoother", "resolution": 50.0, "derive": far | {"of": "smooth"}},
    ]
    run.raw["dataset_description"]["rasters"] += derived
    run.write()
    sides = []
    original = Rasters.on

    def on(self, name, grid, made=None):
        sides.append(max(grid.shape))
        return original(self, name, grid, made)

    monkeypatch.setattr(Rasters, "on", on)
    report = report_of(run)
    assert {feature["read"] for feature in report["features"]} == {"coarsely"}
    assert max(sides) <= 256 + 2 * 20  # each reach is rounded up
    assert {f["valid"]["smoother"] for f in report["features"]} == {1.0}
