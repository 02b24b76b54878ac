"""Mosaics: every pixel of every map where it lies, of this run alone."""

import shutil
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import rasterio

from glacier_inversion.drawing.mosaics import write_mosaics
from glacier_inversion.errors import RasterError
from glacier_inversion.geodata.geotiffs import open_raster
from glacier_inversion.geodata.tile_files import write_tile
from glacier_inversion.grid import Grid
from tests.helpers import copy_of


def pasted(paths, bounds):
    """Paste maps into the bounds, one after the other, where they are not NaN."""
    with rasterio.open(paths[0]) as src:
        side = src.transform.a
    n_rows = round((bounds.top - bounds.bottom) / side)
    n_cols = round((bounds.right - bounds.left) / side)
    whole = np.full((n_rows, n_cols), np.nan, dtype="float32")
    for path in paths:
        with rasterio.open(path) as src:
            values, place = src.read(1), src.transform
        for (row, col), value in np.ndenumerate(values):
            if np.isfinite(value):
                at_row = int((bounds.top - place.f) // side) + row
                whole[at_row, int((place.c - bounds.left) // side) + col] = value
    return whole


@pytest.fixture(scope="module")
def drawn(finished, tmp_path_factory):
    """Two features, drawn together."""
    run = copy_of(finished, tmp_path_factory.mktemp("mosaics"))
    run.raw["drawing_description"]["features"] = ["south", "east"]
    run.write()
    assert run("draw").exit_code == 0
    return run


@pytest.mark.parametrize("statistic", ["mean", "std"])
def test_a_mosaic_holds_the_maps_of_all_features(drawn, tmp_path, statistic):
    "Bit by bit, also after the folder has moved; unit, CRS and style are theirs."
    folder = tmp_path / "elsewhere"
    shutil.copytree(drawn.root / "drawings/small", folder)
    name = f"thickness_{statistic}"
    maps = [folder / feature / f"{name}.tif" for feature in ("south", "east")]
    with rasterio.open(folder / f"{name}.vrt") as src, rasterio.open(maps[0]) as one:
        np.testing.assert_array_equal(src.read(1), pasted(maps, src.bounds))
        assert (src.crs, src.units, src.dtypes) == (one.crs, one.units, one.dtypes)
        assert np.isnan(src.nodata)
    style = (folder / f"{name}.qml").read_bytes()
    assert style == maps[0].with_suffix(".qml").read_bytes()


def test_valid_pixels_win_where_maps_overlap(tmp_path):
    "Their order decides only where both are valid; a name may need escaping."
    first = np.array([[1, 2, np.nan], [3, np.nan, 5]], dtype="float32")
    second = np.array([[np.nan, 7], [8, np.nan], [9, 10]], dtype="float32")
    paths = [tmp_path / "a & b" / "h_mean.tif", tmp_path / "Rhône" / "h_mean.tif"]
    grids = [Grid(25, 85, 10, *first.shape), Grid(45, 85, 10, *second.shape)]
    for path, values, grid in zip(paths, (first, second), grids, strict=True):
        path.parent.mkdir()
        write_tile(path, values, grid, 32632, {})
    what = ("h", "mean")
    write_mosaics(tmp_path, {what: paths}, {what: (0, 10)}, grids)
    with rasterio.open(tmp_path / "h_mean.vrt") as src:
        assert src.bounds == (25, 55, 65, 85)
        nan = np.nan
        expected = [[1, 2, nan, 7], [3, nan, 8, nan], [nan, nan, 9, 10]]
        np.testing.assert_array_equal(src.read(1), expected)


def test_mosaics_open_one_map_each_and_miss_none(tmp_path, monkeypatch):
    "That one tells CRS and unit, and its grid is known. All must be there."
    opened = []

    def open_once(path, **options):
        opened.append(path)
        return open_raster(path, **options)

    maps = {("h", name): [] for name in ("mean", "std", "q05")}
    grids = [Grid(10 * number, 85, 10, 2, 3) for number in range(4)]
    for number, grid in enumerate(grids):
        for (_, name), paths in maps.items():
            paths.append(tmp_path / f"g{number}" / f"h_{name}.tif")
            paths[-1].parent.mkdir(exist_ok=True)
            write_tile(paths[-1], np.ones((2, 3), "f4"), grid, 32632, {})
    monkeypatch.setattr("glacier_inversion.geodata.geotiffs.open_raster", open_once)
    ranges = dict.fromkeys(maps, (0.0, 1.0))
    write_mosaics(tmp_path, maps, ranges, grids)
    assert len(opened) == 3
    lost = maps["h", "std"][1]
    lost.unlink()
    with pytest.raises(RasterError, match=f"{lost.name}: does not exist"):
        write_mosaics(tmp_path, maps, ranges, grids)


def test_maps_of_an_earlier_run_are_in_no_mosaic(drawn, tmp_path):
    "Nor a feature that failed; a mosaic of a statistic no longer drawn is gone."
    run = copy_of(drawn, tmp_path)
    run.raw["drawing_description"]["statistics"] = ["mean"]
    run.write()
    (run.root / "datasets/region/south/slope.tif").unlink()
    folder = run.root / "drawings/small"
    (folder / "thickness_mine.vrt").write_text("a mosaic of the user's own")
    assert run("draw").exit_code == 3
    assert {path.name for path in folder.glob("*.*")} == {
        "thickness_mine.vrt",
        "overview.png",
        "holes.csv",
        "volumes.csv",
        "volumes.gpkg",
        "maps.qlr",
        "thickness_mean.qml",
        "thickness_mean.vrt",
    }
    names = ET.fromstring((folder / "thickness_mean.vrt").read_bytes())
    assert [n.text for n in names.iter("SourceFilename")] == ["east/thickness_mean.tif"]


def test_a_map_that_vanishes_is_a_failure_of_the_mosaics_alone(
    drawn, tmp_path, monkeypatch
):
    "Profiles are drawn all the same, and the rest is listed."
    run = copy_of(drawn, tmp_path)

    def vanished(*_):
        message = "east/thickness_mean.tif: does not exist"
        raise RasterError(message)

    monkeypatch.setattr("glacier_inversion.drawing.presentation.ranges_of", vanished)
    result = run("draw")
    assert result.exit_code == 3
    assert "mosaics of small" in result.stderr
    assert list((run.root / "drawings/small/profiles").glob("*.csv"))


def test_drawing_profiles_alone_keeps_the_mosaics(drawn, tmp_path):
    "Their maps have not changed."
    run = copy_of(drawn, tmp_path)
    run.raw["drawing_description"]["features"] = []
    run.write()
    assert run("draw").exit_code == 0
    assert (run.root / "drawings/small/thickness_mean.vrt").exists()
