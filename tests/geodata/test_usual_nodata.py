"""Numbers that mean no data as a rule: refused, but where they are values."""

import numpy as np
import pytest
import rasterio

from glacier_inversion.errors import RasterError
from glacier_inversion.geodata.rasters import warp
from tests.geodata.helpers import GRID, source
from tests.synthetic import write_raster


def packed(path, dtype="i2", nodata=None, scale=0.1, offset=3000.0):
    """Write codes around -9999, which are elevations around 2000 m."""
    codes = np.arange(-10_080, -9_780, dtype=dtype) * np.ones((300, 1), dtype=dtype)
    write_raster(path, codes, 420_000, 5_150_000, 20.0, nodata=nodata)
    with rasterio.open(path, "r+") as dst:
        dst.scales, dst.offsets = [scale], [offset]
    return path


@pytest.mark.parametrize(("declared", "named"), [(-32768, None), (None, -32768.0)])
def test_all_codes_of_a_packed_raster_are_values(tmp_path, declared, named):
    "But what the file or the experiment says is no data."
    path = packed(tmp_path / "c.tif", nodata=declared)
    tile = warp(source(path, nodata=named), GRID)
    step = 0.1 * GRID.resolution / 20
    np.testing.assert_allclose(np.diff(tile, axis=1), step, rtol=0.05)


@pytest.mark.parametrize(
    "how",
    [{}, {"dtype": "f4", "nodata": -32768}, {"nodata": 1, "scale": 1.0, "offset": 0.0}],
    ids=["nothing declared", "not whole", "not packed"],
)
def test_other_rasters_must_say_whether_they_are(tmp_path, how):
    "Nobody has said that -9999 is a value."
    opened = source(packed(tmp_path / "c.tif", **how))
    with pytest.raises(RasterError, match=r"holds -9999, and .* declared as nodata"):
        warp(opened, GRID)


@pytest.mark.parametrize("number", [3.4028234663852886e38, 9.969209968386869e36])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_fillers_of_floats_must_be_declared(tmp_path, number, dtype):
    "That of netCDF, and the largest: a tile would hold them as elevations."
    values = np.full((300, 300), 7, dtype=dtype)
    values[60, 60] = number
    write_raster(tmp_path / "c.tif", values, 420_000, 5_150_000, 20.0, nodata=None)
    with pytest.raises(RasterError, match="no number is declared as nodata") as refused:
        warp(source(tmp_path / "c.tif"), GRID)
    advised = float(str(refused.value).partition('"nodata": ')[2].split()[0])
    assert (warp(source(tmp_path / "c.tif", nodata=advised), GRID) == 7).all()
