"""ENVI's rasters, whole and cut."""

import gzip

import numpy as np
import pytest
import rasterio
import rasterio.shutil

from glacier_inversion.errors import RasterError
from glacier_inversion.geodata.rasters import warp
from glacier_inversion.geodata.vrts import find_files
from tests.geodata.helpers import GRID, noise, source
from tests.synthetic import EPSG


@pytest.fixture
def envi(tmp_path):
    """An ENVI file of noise, beside its GeoTIFF."""
    tif, path = noise(tmp_path / "noise.tif", EPSG), tmp_path / "envi.img"
    rasterio.shutil.copy(tif, path, driver="ENVI")
    return path


def test_an_envi_file_gives_the_tile_of_its_geotiff(envi):
    "Bit by bit."
    tile, other = (
        warp(source(envi), GRID),
        warp(source(envi.with_name("noise.tif")), GRID),
    )
    np.testing.assert_array_equal(tile, other)


@pytest.mark.parametrize("n_missing", [1, 4000])
def test_a_file_that_was_cut_is_refused(envi, n_missing):
    "GDAL reads what is missing as zeros, also as a part of a VRT."
    vrt = envi.with_name("mosaic.vrt")
    rasterio.shutil.copy(envi, vrt, driver="VRT")
    find_files(vrt)
    content = envi.read_bytes()
    envi.write_bytes(content[:-n_missing])
    message = rf"envi\.img: has {len(content) - n_missing:,} bytes, and its pixels need"
    for path in (envi, vrt):
        with pytest.raises(RasterError, match=message):
            find_files(path)


def test_a_compressed_file_may_be_short(envi):
    "Its header says so."

    envi.write_bytes(gzip.compress(envi.read_bytes()))
    header = envi.with_suffix(".hdr")
    header.write_text(header.read_text() + "file compression = 1\n")
    other = warp(source(envi.with_name("noise.tif")), GRID)
    np.testing.assert_array_equal(warp(source(envi), GRID), other)
