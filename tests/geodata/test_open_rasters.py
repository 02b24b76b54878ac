"""Files that stay open: read like those that do not, and as few as may be."""

import pickle

import numpy as np
import pytest
import rasterio.shutil

from glacier_inversion.errors import RasterError
from glacier_inversion.geodata import geotiffs, open_rasters
from glacier_inversion.geodata.open_rasters import OpenRasters
from glacier_inversion.geodata.rasters import open_source, warp
from glacier_inversion.grid import Grid
from tests import synthetic

GRID = Grid(421_000.0, 5_149_500.0, 20.0, 30, 40)


@pytest.fixture
def source(tmp_path):
    """A raster, in another CRS."""
    epsg = synthetic.OTHER_EPSG
    values = np.random.default_rng(0).normal(20, 5, (200, 220)).astype("f4")
    synthetic.write_raster(
        tmp_path / "slope.tif", values, 655_000.0, 148_000.0, 25.0, epsg
    )
    return open_source(tmp_path / "slope.tif", 1, None, None, 20.0, synthetic.EPSG)


def test_a_file_is_opened_once(source, monkeypatch):
    "And gives what one that is closed in between gives."
    opened = []

    def note(path):
        opened.append(path)
        return geotiffs.open_raster(path)

    monkeypatch.setattr(open_rasters, "open_raster", note)
    expected, files = warp(source, GRID), OpenRasters()
    for _ in range(3):
        np.testing.assert_array_equal(warp(source, GRID, files), expected)
    assert opened == [source.path]
    np.testing.assert_array_equal(
        warp(source, GRID, pickle.loads(pickle.dumps(files))), expected
    )
    files.close()
    np.testing.assert_array_equal(warp(source, GRID, files), expected)
    assert opened == [source.path] * 3


def test_few_files_are_open_at_a_time(tmp_path, monkeypatch):
    "The one that was read least recently is closed."
    monkeypatch.setattr(open_rasters, "_MOST_OPEN", 2)
    files, opened = OpenRasters(), {}
    for name in "abacb":
        path = tmp_path / f"{name}.tif"
        synthetic.write_raster(path, np.ones((3, 4), "f4"), 500.0, 900.0, 2.0)
        with files.reading(path) as src:
            assert src.read(1).all()
            opened.setdefault(name, []).append(src)
    assert [src.closed for src in opened["a"]] == [True, True]
    assert opened["a"][0] is opened["a"][1]
    assert [src.closed for src in opened["b"]] == [True, False]


def test_a_file_that_cannot_be_read_is_said_so(tmp_path):
    "And is not kept open."
    path, files = tmp_path / "a.tif", OpenRasters()
    with (
        pytest.raises(RasterError, match=r"a\.tif: does not exist"),
        files.reading(path),
    ):
        pass
    path.write_bytes(b"none")
    with (
        pytest.raises(RasterError, match=r"a\.tif: cannot be read"),
        files.reading(path),
    ):
        pass
    synthetic.write_raster(path, np.ones((300, 400), "f4"), 500.0, 900.0, 2.0)
    path.write_bytes(path.read_bytes()[:1000])
    with (
        pytest.raises(RasterError, match=r"a\.tif: cannot be read"),
        files.reading(path) as src,
    ):
        src.read(1)
    assert src.closed
    synthetic.write_raster(path, np.ones((3, 4), "f4"), 500.0, 900.0, 2.0)
    with files.reading(path) as src:
        assert src.read(1).all()


def test_a_vrt_that_loses_a_part_is_never_read_as_zeros(tmp_path):
    "As GDAL does from the second read on, while any VRT is open; pixels it tells again."
    files = OpenRasters()
    for name in ("whole", "cut", "parted"):
        tif, vrt = tmp_path / f"{name}.tif", tmp_path / f"{name}.vrt"
        synthetic.write_raster(tif, np.ones((300, 400), "f4"), 500.0, 900.0, 2.0)
        rasterio.shutil.copy(tif, vrt, driver="VRT")
    cut = tmp_path / "cut.tif"
    cut.write_bytes(cut.read_bytes()[:3000])
    (tmp_path / "parted.tif").unlink()

    def read(name):
        with files.reading(tmp_path / f"{name}.vrt") as src:
            return src.read(1)

    assert read("whole").all()
    for _ in range(2):
        with pytest.raises(RasterError, match=r"parted\.tif: No such file"):
            read("parted")
        with pytest.raises(RasterError, match=r"cut\.vrt: cannot be read"):
            read("cut")
    synthetic.write_raster(cut, np.ones((300, 400), "f4"), 500.0, 900.0, 2.0)
    assert read("cut").all()


@pytest.mark.parametrize("left", [0, 8])
def test_a_part_that_is_cut_is_zeros_in_no_vrt(tmp_path, left):
    "Also where libtiff tells of it as of pixels; and in another VRT of the same file."
    files, tif = OpenRasters(), tmp_path / "tile.tif"
    synthetic.write_raster(tif, np.ones((300, 400), "f4"), 500.0, 900.0, 2.0)
    vrts = [tmp_path / f"{name}.vrt" for name in ("whole", "speed", "slope")]
    for vrt in vrts:
        rasterio.shutil.copy(tif, vrt, driver="VRT")
    with files.reading(vrts[0]) as src:
        assert src.read(1).all()
    tif.write_bytes(tif.read_bytes()[:left])
    for vrt in vrts[1:] * 2:
        with (
            pytest.raises(RasterError, match=rf"{vrt.name}: cannot be read"),
            files.reading(vrt) as src,
        ):
            src.read(1)
    files.close()
    assert src.closed
