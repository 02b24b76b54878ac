"""GeoTIFFs: whole or not there, and as GIS read them best."""

import math
import tracemalloc

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from rio_cogeo import cog_validate

from glacier_inversion.errors import RasterError, WorkspaceError
from glacier_inversion.geodata.geotiffs import (
    NewGeoTiff,
    cog_writers,
    geotiff_writer,
    read_tile,
)
from glacier_inversion.geodata.tile_files import read_tags, write_tile
from glacier_inversion.grid import Grid
from tests.geodata.helpers import GRID
from tests.helpers import read_all
from tests.synthetic import EPSG


def test_tiles_are_whole_or_not_there(tmp_path):
    "An error while writing leaves the file that was there."
    path = tmp_path / "folder" / "t.tif"
    values = np.arange(12, dtype="f4").reshape(3, 4)
    grid = Grid(0.0, 300.0, 100.0, 3, 4)
    write_tile(path, values, grid, EPSG, {"KEY": "value"})

    def interrupted():
        with geotiff_writer(path, grid, EPSG, {}) as write:
            write(values[:1], slice(0, 1), slice(0, 4))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        interrupted()
    np.testing.assert_array_equal(read_tile(path), values)
    np.testing.assert_array_equal(
        read_tile(path, slice(1, 3), slice(0, 2)), values[1:, :2]
    )
    assert read_tags(path)["KEY"] == "value"
    assert [p.name for p in path.parent.iterdir()] == ["t.tif"]


@pytest.mark.parametrize("driver", ["GTiff", "PNG"])
def test_what_is_no_tile_is_refused(tmp_path, driver):
    "A raster of two bands, or of another kind, by that name."
    path = tmp_path / "t.tif"
    profile = {"driver": driver, "height": 3, "width": 4, "dtype": "uint8"}
    profile["transform"] = rasterio.Affine.translation(1, 2)
    with rasterio.open(path, "w", count=2, **profile) as dst:
        dst.write(np.zeros((2, 3, 4), "u1"))
    says = "it has 2 bands, not one" if driver == "GTiff" else "not recognized as being"
    with pytest.raises(RasterError, match=says):
        read_tile(path)


def test_a_large_tile_is_held_once_while_it_is_written(tmp_path):
    "Of what is read again to be checked, some rows at a time."
    values = np.arange(5000 * 1500, dtype="f4").reshape(5000, 1500)
    tracemalloc.start()
    write_tile(
        tmp_path / "t.tif", values, Grid(0.0, 0.0, 10.0, *values.shape), EPSG, {}
    )
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < values.nbytes / 2
    np.testing.assert_array_equal(read_tile(tmp_path / "t.tif"), values)


def test_a_folder_that_is_a_file_cannot_be_written(tmp_path):
    "The message says what to do."
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError, match=r"cannot be written.*another workspace"):
        write_tile(tmp_path / "file" / "t.tif", np.ones((1, 1), "f4"), GRID, EPSG, {})


def speckled(n_rows, n_cols):
    """Return values with holes of one pixel and of many."""
    rng = np.random.default_rng(3)
    values = rng.normal(100, 20, (n_rows, n_cols)).astype("f4")
    values[rng.random(values.shape) < 0.4] = np.nan
    values[: n_rows // 4] = np.nan
    return values


def write_cogs(folder, values, names=("mean", "std"), side=256):
    """Write the same values to several files, window by window, but for empty ones."""
    grid = Grid(420_600.0, 5_149_400.0, 50.0, *values.shape)
    files = [
        NewGeoTiff(folder / f"h_{name}.tif", {"KEY": name}, "m", f"h {name}")
        for name in names
    ]
    with cog_writers(files, grid, EPSG) as writers:
        for row in range(0, grid.n_rows, side):
            for col in range(0, grid.n_cols, side):
                part = values[row : row + side, col : col + side]
                rows, cols = (
                    slice(begin, begin + n)
                    for begin, n in zip((row, col), part.shape, strict=True)
                )
                for write in writers if np.isfinite(part).any() else ():
                    write(part, rows, cols)


def test_maps_are_cloud_optimized(tmp_path):
    "So says rio-cogeo, strictly; the values, their unit and statistics are in the file."
    values = speckled(2000, 2000)
    write_cogs(tmp_path, values, ["mean"])
    path = tmp_path / "h_mean.tif"
    assert cog_validate(path, strict=True) == (True, [], [])
    with rasterio.open(path) as src:
        np.testing.assert_array_equal(src.read(1), values)
        assert src.block_shapes == [(512, 512)]
        assert src.overviews(1) == [2, 4]
        assert src.tags(ns="IMAGE_STRUCTURE")["PREDICTOR"] == "3"
        assert (src.descriptions, src.units) == (("h mean",), ("m",))
        assert src.tags()["KEY"] == "mean"
        written = src.tags(1)
    exact = values[np.isfinite(values)].astype(float)
    expected = {
        "MINIMUM": exact.min(),
        "MAXIMUM": exact.max(),
        "MEAN": exact.mean(),
        "STDDEV": exact.std(),
    }
    for name, number in expected.items():  # written with 14 digits
        assert float(written[f"STATISTICS_{name}"]) == pytest.approx(number, rel=1e-11)
    assert [p.name for p in tmp_path.iterdir()] == ["h_mean.tif"]


def mean_below(values, row, col):
    """Return the mean of the valid ones of four pixels, NaN if there is none."""
    four = values[2 * row : 2 * row + 2, 2 * col : 2 * col + 2].ravel().tolist()
    known = [value for value in four if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


def test_overviews_are_means_of_what_is_valid(tmp_path):
    "Pixel by pixel: a hole does not grow, nor does it pull its neighbours to 0."
    finer = speckled(1040, 600)
    write_cogs(tmp_path, finer, ["mean"])
    for level, shape in enumerate([(520, 300), (260, 150)]):
        with rasterio.open(tmp_path / "h_mean.tif", overview_level=level) as src:
            values = src.read(1)
        assert values.shape == shape
        expected = [
            [mean_below(finer, row, col) for col in range(shape[1])]
            for row in range(shape[0])
        ]
        np.testing.assert_allclose(values, expected, rtol=1e-6)  # of float32
        finer = values


@pytest.mark.parametrize("shape", [(1, 1), (513, 5), (700, 600)])
def test_maps_without_a_value_are_maps(tmp_path, shape):
    "Of any shape: all NaN, without statistics."
    write_cogs(tmp_path, np.full(shape, np.nan, "f4"))
    for name in ("mean", "std"):
        path = tmp_path / f"h_{name}.tif"
        assert cog_validate(path, strict=True) == (True, [], [])
        assert np.isnan(read_tile(path)).all()
        with rasterio.open(path) as src:
            assert "STATISTICS_MEAN" not in src.tags(1)


def test_maps_that_cannot_be_written_are_not_there(tmp_path):
    "None of them, wherever in the file it fails; what was there stays."
    resource = pytest.importorskip("resource")
    values = speckled(700, 600)
    write_cogs(tmp_path / "whole", values)
    expected = read_all(tmp_path / "whole")
    size = len(expected["h_std.tif"])
    place = tmp_path / "place"
    before = {"h_mean.tif": b"old"}
    outcomes, messages = [], []
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for share in (0.01, 0.2, 0.4, 0.6, 0.7, 0.8, 0.9, 0.97, 0.999, 2):
        place.mkdir(exist_ok=True)
        (place / "h_mean.tif").write_bytes(b"old")
        (place / "h_std.tif").unlink(missing_ok=True)
        resource.setrlimit(resource.RLIMIT_FSIZE, (math.ceil(share * size), hard))
        try:
            write_cogs(place, values)
        except WorkspaceError as error:
            messages.append(str(error))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        outcomes.append(read_all(place))
    assert outcomes[-1] == expected
    assert all(found == before for found in outcomes[:-1])
    assert len(messages) == len(outcomes) - 1
    for message in messages:
        assert ": cannot be written (File too large). Must be" in message
        assert ".part" not in message


def test_maps_that_differ_from_what_was_written_are_refused(tmp_path, monkeypatch):
    "As on a disk of which GDAL does not say that it is full."
    copy = rasterio.shutil.copy

    def damage(scratch, path, **options):
        copy(scratch, path, **options)
        if path.name == ".h_std.part.tif":
            with rasterio.open(path, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as dst:
                dst.write(np.zeros((1, 1), "f4"), 1, window=((699, 700), (599, 600)))

    monkeypatch.setattr(rasterio.shutil, "copy", damage)
    with pytest.raises(WorkspaceError, match=r"h_std.*does not hold what was written"):
        write_cogs(tmp_path, speckled(700, 600))
    assert read_all(tmp_path) == {}


def test_maps_are_not_written_through_links(tmp_path):
    "Nor is what is there for a while, of which a killed run may have left some."
    place, theirs = tmp_path / "place", tmp_path / "theirs"
    place.mkdir()
    theirs.write_bytes(b"theirs")
    for suffix in (".part.tif", ".pixels.part.tif", ".part.tif.ovr.tmp"):
        (place / f".h_mean{suffix}").symlink_to(theirs)
    write_cogs(place, speckled(700, 600), ["mean"])
    assert theirs.read_bytes() == b"theirs"
    assert [path.name for path in place.iterdir()] == ["h_mean.tif"]
