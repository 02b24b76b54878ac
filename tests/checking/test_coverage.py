"""Rasters: what they are, and which tiles they cover."""

import json
import tracemalloc

import numpy as np
import pytest
import rasterio

from glacier_inversion.checking.coverage import describe_source, find_coverage
from glacier_inversion.geodata.rasters import open_source
from tests import synthetic
from tests.checking.helpers import report_of
from tests.synthetic import write_raster


def test_rasters_are_described_in_their_own_crs(run):
    "CRS, size of a pixel in the CRS of the tiles, nodata, resampling."
    rasters = {raster["name"]: raster for raster in report_of(run)["rasters"]}
    speed, slope = rasters["speed"], rasters["slope"]
    assert speed["crs"] == "EPSG:2056"
    assert speed["pixel_size"] == pytest.approx(50, rel=1e-3)
    assert speed["nodata"] == [synthetic.NODATA]
    assert (speed["resampling"], slope["crs"]) == ("average", "EPSG:32632")
    assert speed["not_covered"] == []
    assert (slope["role"], rasters["thickness"]["role"]) == ("input", "output")


@pytest.mark.parametrize("epsg", [synthetic.EPSG, synthetic.OTHER_EPSG])
def test_a_raster_that_ends_within_a_tile(run, epsg):
    "Its share of each tile, in whichever CRS, and of what it holds there."
    left, top = synthetic.LEFT, synthetic.TOP
    if epsg != synthetic.EPSG:
        with rasterio.open(run.root / "data" / "speed.tif") as src:
            left, top = src.transform.c, src.transform.f
    speed = synthetic.sample(synthetic.speed_m_per_yr, left, top, 50.0, 42, 90, epsg)
    synthetic.write_raster(
        run.root / "data" / "speed.tif", speed, left, top, 50.0, epsg
    )
    report = report_of(run)
    (raster,) = [r for r in report["rasters"] if r["name"] == "speed"]
    assert {"west", "east", "south"} <= set(raster["not_covered"])
    few = raster["not_covered"][:4]
    more = len(raster["not_covered"]) - len(few)
    shown = ", ".join(few) + (f" and {more} more" if more else "")
    assert f"of 5 tiles wholly: {shown}\n" in run("check").stdout
    run("build-dataset")
    summary = json.loads((run.root / "datasets/region/summary.json").read_text())
    built = {
        row["feature"]: row["rasters"]["speed"]["valid"] for row in summary["features"]
    }
    for feature in report["features"]:
        share = built[feature["id"]]
        assert feature["valid_in_tile"]["speed"] == pytest.approx(share, abs=1e-6)
        # a pixel that is covered in part is valid: up to a row of some 14 of a tile
        assert feature["coverage"]["speed"] == pytest.approx(share, abs=0.1)
        assert feature["coverage"]["speed"] <= share + 0.01


def test_a_raster_elsewhere_covers_nothing(run):
    "A warning of the build, a problem of the training, without samples."
    synthetic.write_raster(
        run.root / "data" / "thickness.tif", np.ones((12, 10), "f4"), 1e6, 1e6, 50.0
    )
    report = report_of(run, 1)
    assert (
        "thickness: no valid pixel in any feature: thickness.tif" in report["warnings"]
    )
    assert "the training features (3) hold no samples" in report["problems"][0]
    assert {f["coverage"]["thickness"] for f in report["features"]} == {0.0}
    assert run("build-dataset").exit_code == 0
    assert report["problems"][0] in run("train").stderr


def test_a_raster_that_lies_nowhere_is_described(tmp_path):
    "The size of its pixels is not known, in words that JSON has; nor is infinity one."
    globe = np.ones((18, 36), "f4")
    path = tmp_path / "globe.tif"
    write_raster(path, globe, -180.0, 700.0, 20.0, 4326, float("inf"))
    found = open_source(path, 1, None, None, 50.0, 3031)
    described = json.loads(json.dumps(describe_source(found), allow_nan=False))
    assert described["pixel_size"] is None
    assert described["nodata"] == ["inf"]
    assert found.warping.method == "bilinear"


def test_many_tiles_take_bounded_memory(tmp_path):
    "Each has the share that it has alone."
    path = tmp_path / "ones.tif"
    write_raster(path, np.ones((30, 40), "f4"), 0.0, 3000.0, 100.0)
    source = open_source(path, 1, None, None, 100.0, synthetic.EPSG)
    corners = np.random.default_rng(0).uniform(-1000, 4000, (20_000, 2)).round(1)
    bounds = {
        str(i): (left, bottom, left + 800, bottom + 500)
        for i, (left, bottom) in enumerate(corners.tolist())
    }
    tracemalloc.start()
    shares = find_coverage(source, bounds)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40e6  # of all points at once, x alone takes 46 MB
    assert list(shares) == list(bounds)
    for feature in ("0", "999", "1000", "19999"):
        alone = find_coverage(source, {feature: bounds[feature]})
        assert alone == {feature: shares[feature]}
    assert 0 < np.mean([share == 1 for share in shares.values()]) < 1
