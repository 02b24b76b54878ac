"""What would be measured of the mountains."""

import shutil
import subprocess

import numpy as np
import pytest
import rasterio
from numpy.testing import assert_allclose
from pyproj import Transformer
from scipy import ndimage

from tests.demo.helpers import read


@pytest.mark.skipif(shutil.which("gdaldem") is None, reason="gdaldem not installed")
def test_slope_is_that_of_gdaldem(coarse, tmp_path):
    "Horn's slope, but at the border, where gdaldem gives none."
    folder = coarse[-1]
    out = tmp_path / "slope.tif"
    subprocess.run(["gdaldem", "slope", "-q", folder / "dem.tif", out], check=True)
    ours, theirs = read(folder / "slope.tif")[0], read(out)[0]
    assert_allclose(ours[1:-1, 1:-1], theirs[1:-1, 1:-1], atol=2e-3)  # float32 metres


def test_velocity_in_another_crs(coarse):
    "In UTM, with the errors and the gaps that are said; turned as north turns."
    _, thickness, _, (east, north), folder = coarse
    vx, src = read(folder / "vx.tif")
    vy, _ = read(folder / "vy.tif")
    assert src.crs.to_epsg() == 32632
    assert src.res == (100.0, 100.0)
    assert_allclose(read(folder / "speed.tif")[0], np.hypot(vx, vy), rtol=1e-5)
    to_theirs = Transformer.from_crs(2056, 32632, always_xy=True)
    rows, columns = np.nonzero(thickness > 50)
    with rasterio.open(folder / "dem.tif") as dem:
        x, y = dem.xy(rows, columns)
    there = np.array(to_theirs.transform(x, y))
    moved = to_theirs.transform(
        np.array(x) + east[rows, columns], np.array(y) + north[rows, columns]
    )
    column, row = ~src.transform * there
    at = (row - 0.5, column - 0.5)
    error = np.stack(
        [
            ndimage.map_coordinates(component, at, order=1) - (end - start)
            for component, start, end in zip((vx, vy), there, moved, strict=True)
        ]
    )
    missing = np.isnan(error[0]).mean()
    assert 0.005 < missing < 0.15
    assert np.nanmedian(np.abs(error)) < 4  # 2 m/yr and a mean over cells
    assert abs(np.nanmean(error)) < 1


def test_thickness_on_ice_is_the_truth_where_ice_is_outlined(coarse):
    "And unknown where there is none."
    _, thickness, _, _, folder = coarse
    on_ice, _ = read(folder / "thickness_on_ice.tif")
    known = np.isfinite(on_ice)
    assert_allclose(on_ice[known], thickness[known], rtol=1e-6)
    assert (known == (thickness >= 5.0)).all()


def test_radar_is_sparse_and_near_the_truth(coarse):
    "Along tracks, within its errors."
    _, thickness, _, _, folder = coarse
    radar, _ = read(folder / "thickness_radar.tif")
    known = np.isfinite(radar)
    assert 0.0005 < known.mean() < 0.15
    error = (radar - thickness)[known] / (3 + 0.03 * thickness[known])
    assert 0.7 < error.std() < 1.2
