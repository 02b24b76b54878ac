"""What is known before a build: problems and warnings."""

import re

import numpy as np
import pytest
import rasterio
import shapely

from glacier_inversion.errors import RasterError
from tests import synthetic
from tests.dataset.helpers import build, plan, summary, tiles

FAR = {
    "huge": synthetic.box(-1e12, -1e12, 1e12, 1e12),
    "beyond floats": synthetic.box(0, 0, 900, 1.7e308),
    "far": shapely.Polygon([(420e3, 5150e3), (1e300, 5150e3), (421e3, 5151e3)]),
    "large": synthetic.box(-1e7, -1e7, 1e7, 1e7),
}


@pytest.mark.parametrize("kind", FAR)
def test_an_outline_beyond_the_earth_fails_alone(run, kind):
    "It is named, takes nothing from the others, and they are built as without it."
    build(run)
    before = tiles(run)
    without = summary(run)
    features = [({"id": "bad", "train": 0}, FAR[kind]), *synthetic.FEATURES]
    synthetic.write_outlines(run.root / "data/glaciers.shp", features)
    report = build(run)
    assert set(report.failures) == {"bad"}
    assert re.search("Must (be|have) at most .*Correct it", report.failures["bad"])
    assert tiles(run) == before
    assert summary(run)["features"] == without["features"]
    planned = plan(run)
    assert planned.shared_outlines == []
    checked = run("check")
    assert checked.exit_code == 1
    assert checked.stdout.count("glaciers.shp: the outline ") == 1
    assert "Problems: 1" in checked.stdout


def test_outlines_that_are_rebuilt_or_empty_are_named(run, caplog):
    "By the build and the check, which counts the empty one apart."
    x, y = synthetic.LEFT + 100, synthetic.TOP - 100
    corners = [(0, 0), (400, -400), (400, 0), (0, -400)]
    bow = shapely.Polygon([(x + a, y + b) for a, b in corners])
    odd = [("bow", bow), ("void", shapely.Polygon())]
    odd = [({"id": name, "train": None}, polygon) for name, polygon in odd]
    path = run.root / "data/glaciers.gpkg"
    synthetic.write_outlines(path, [*synthetic.FEATURES, *odd])
    run.raw["dataset_description"]["shapefile_file"] = path.name
    run.write()
    report = build(run)
    assert "has no area: its geometry is empty. Must be" in report.failures["void"]
    checked = run("check").stdout
    n = len(synthetic.FEATURES) + len(odd)
    said = f"1 of {n} outlines cross or touch themselves, and are rebuilt: bow. See"
    assert said in caplog.text
    assert said in checked
    assert "1 drawn only, 1 that cannot be used" in checked


def test_small_buffers_are_warned_of(run, caplog):
    "Less than half the area size and a coarsest pixel: the margin is not drawn."
    run.raw["dataset_description"]["buffer_distance"] = 250.0
    build(run)
    assert "250 is less than 300" in caplog.text


def test_pictures_of_a_quantity_are_warned_of_once(run, caplog):
    "By the check and by the build, which go on."
    synthetic.write_picture(run.root / "data" / "speed.tif")
    build(run)
    checked = run("check")
    assert checked.exit_code == 0
    for said in (caplog.text, checked.stdout):
        assert said.count("holds indices into a colour table") == 1
        assert "dataset_description.rasters[1]: speed is read from " in said


@pytest.mark.parametrize("resampling", [None, "nearest"])
@pytest.mark.parametrize("shift", [0.0, 7.0])
def test_a_mask_that_is_interpolated_is_warned_of(run, caplog, resampling, shift):
    """
    What lies between 0 and 1 is learnt so, and scored as 0 or 1.

    Not where its pixels are those of the tiles: nothing lies between them.
    """
    mask = np.random.default_rng(0).integers(0, 2, (70, 80))
    path, resolution = run.root / "data/thickness.tif", 50.0
    left, top = 419_950.0 + shift, 5_150_100.0
    synthetic.write_raster(path, mask.astype("f4"), left, top, resolution)
    loss = "nan_binary_crossentropy"
    run.raw.update(losses_name={"thickness": loss}, metrics_name={})
    tail = run.raw["model_description"]["outputs"]["thickness"]["operations"]
    tail[0]["last_activation"] = "sigmoid"
    if resampling is not None:
        for raster in run.raw["dataset_description"]["rasters"]:
            raster["resampling"] = resampling
    build(run)
    said = "thickness is a probability, and its raster, " in caplog.text
    is_blurred = False
    for tile in (run.root / "datasets").rglob("thickness.tif"):
        with rasterio.open(tile) as src:
            values = src.read(1, masked=True).compressed()
        is_blurred |= not np.isin(values[~np.isnan(values)], (0, 1)).all()
    assert said == is_blurred == (resampling is None and shift > 0)


def test_every_raster_that_cannot_be_used_is_named(run):
    "At once, before anything is built."
    for name in ("slope", "speed"):
        (run.root / "data" / f"{name}.tif").unlink()
    with pytest.raises(
        RasterError, match=r"(?s)slope\.tif: does not.*speed\.tif: does not"
    ):
        build(run)
    assert not (run.root / "datasets").exists()


def test_nodata_everywhere_is_said(run, caplog):
    "A raster without a valid pixel in any feature is hardly meant."
    with rasterio.open(run.root / "data" / "speed.tif", "r+") as dst:
        dst.write(np.full(dst.shape, synthetic.NODATA, "f4"), 1)
    build(run)
    assert "speed: no valid pixel in any feature" in caplog.text
