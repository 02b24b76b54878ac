"""Slope, as gdaldem has it."""

import shutil
import subprocess

import numpy as np
import pytest
import rasterio

from glacier_inversion.grid import Grid
from tests import synthetic
from tests.dataset.derivations.helpers import GRID, computed
from tests.helpers import SHARED

DEM = SHARED / "data" / "aletsch" / "data" / "dem.tif"
with_gdaldem = pytest.mark.skipif(not shutil.which("gdaldem"), reason="no gdaldem")


def gdaldem(path, tmp_path):
    """Compute the slope with GDAL's program."""
    out = tmp_path / "slope.tif"
    command = ["gdaldem", "slope", "-q", str(path), str(out)]
    subprocess.run(command, check=True, capture_output=True)
    with rasterio.open(out) as src:
        return src.read(1, masked=True).astype("f8").filled(np.nan)


def test_a_plane_has_its_slope():
    "Falling 3 m per 10 m to the east and 4 m per 10 m to the south."
    x, y = GRID.centres()
    slope = computed({"name": "slope"}, -0.3 * x + 0.4 * y)
    np.testing.assert_allclose(slope[1:-1, 1:-1], np.degrees(np.arctan(0.5)), rtol=1e-9)


def test_unknown_pixels_make_all_around_them_unknown():
    "The eight neighbours and the pixel itself, as the edges have no neighbours."
    elevation = np.zeros((7, 9))
    elevation[3, 4] = np.nan
    expected = np.zeros((7, 9))
    expected[2:5, 3:6] = expected[[0, -1]] = expected[:, [0, -1]] = np.nan
    slope = computed({"name": "slope"}, elevation)
    np.testing.assert_array_equal(slope, expected)


@with_gdaldem
@pytest.mark.skipif(not DEM.exists(), reason="the elevation is not here")
def test_a_real_elevation_has_the_slope_of_gdaldem(tmp_path):
    "Within 1e-4 degrees, given small numbers: gdaldem sums in single precision."
    with rasterio.open(DEM) as src:
        elevation, size = src.read(1), src.transform.a
    elevation -= np.float32(2700)
    synthetic.write_raster(tmp_path / "dem.tif", elevation, 0.0, 0.0, size)
    grid = Grid(0.0, 0.0, size, *elevation.shape)
    slope = computed({"name": "slope"}, elevation, grid=grid)
    expected = gdaldem(tmp_path / "dem.tif", tmp_path)
    np.testing.assert_allclose(slope, expected, rtol=0, atol=1e-4)


@with_gdaldem
def test_holes_are_those_of_gdaldem(tmp_path):
    "Single unknown pixels and a block of them."
    rng = np.random.default_rng(0)
    elevation = np.cumsum(rng.normal(0, 5, (40, 60)), axis=1).astype("f4")
    elevation[rng.random(elevation.shape) < 0.02] = synthetic.NODATA
    elevation[10:14, 20:29] = synthetic.NODATA
    synthetic.write_raster(tmp_path / "dem.tif", elevation, 1000.0, 3000.0, 50.0)
    known = np.where(elevation == synthetic.NODATA, np.nan, elevation)
    slope = computed({"name": "slope"}, known)
    np.testing.assert_allclose(
        slope, gdaldem(tmp_path / "dem.tif", tmp_path), atol=1e-4
    )
