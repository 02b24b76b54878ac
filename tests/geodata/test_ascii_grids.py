"""ASCII grids, whole and cut."""

import numpy as np
import pytest
import rasterio
import rasterio.shutil

from glacier_inversion.errors import RasterError
from glacier_inversion.geodata.ascii_grids import find_lines
from glacier_inversion.geodata.rasters import warp
from tests.geodata.helpers import GRID, noise, source
from tests.synthetic import EPSG


@pytest.fixture
def grid(tmp_path):
    """An ASCII grid, whose lines GDAL wraps as they are long."""
    tif, path = noise(tmp_path / "noise.tif", EPSG), tmp_path / "noise.asc"
    rasterio.shutil.copy(tif, path, driver="AAIGrid")
    return path


def test_an_ascii_grid_gives_the_tile_of_its_geotiff(grid):
    "To the digits that it holds."
    tile, other = warp(source(grid), GRID), warp(source(grid.with_suffix(".tif")), GRID)
    np.testing.assert_allclose(tile, other, rtol=1e-5, atol=1e-2)


def test_a_grid_that_was_cut_is_refused_at_once(grid):
    "Far above the lines that are asked for, which GDAL would look for until doomsday."
    text = grid.read_text()
    grid.write_text(text[: len(text) // 5])
    with pytest.raises(RasterError, match=r"noise\.asc: cannot be .*File short"):
        warp(source(grid), GRID)


def test_lines_are_found_once(grid):
    "What is read afterwards is what it was."
    with rasterio.open(grid) as src:
        find_lines(src, 200)
        found = src.read(1)
    with rasterio.open(grid) as src:
        np.testing.assert_array_equal(found, src.read(1))
