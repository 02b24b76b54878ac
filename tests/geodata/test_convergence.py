"""Vectors of one CRS along the axes of another, against directions on the ellipsoid."""

import numpy as np
import pytest
from pyproj import CRS, Transformer

from glacier_inversion.geodata.convergence import turn_to_tile_axes
from glacier_inversion.geodata.warping import Warping
from glacier_inversion.grid import Grid
from tests.dataset.helpers import points_of
from tests.geodata.helpers import azimuths, components

# The CRS of the vectors, the CRS of the tiles, and a place of theirs (x, y).
PLACES = {
    "ITS_LIVE into UTM, in Alaska": (3413, 32606, 600_000.0, 6_900_000.0),
    "ITS_LIVE into UTM, in Svalbard": (3413, 32633, 560_000.0, 8_700_000.0),
    "Antarctic ones into UTM": (3031, 32720, 400_000.0, 2_600_000.0),
    "north and east into UTM": (4326, 32632, 425_000.0, 5_150_000.0),
    "north and east, on both sides of 180 degrees": (4326, 32601, 213_500.0, 7.2e6),
    "from a CRS whose first axis is north": (2193, 32759, 450_000.0, 5_175_000.0),
    "into a polar CRS": (32633, 3413, 1_050_000.0, -800_000.0),
}


def warping(epsg, tiles_epsg):
    """Return how tiles are made from a file in a CRS."""
    wkt = CRS.from_epsg(epsg).to_wkt()
    return Warping("bilinear", tiles_epsg, wkt, (1.0, 0, 0, 0, -1.0, 0), (1, 1))


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("azimuth", [0.0, 33.0, 145.0, 260.0])
def test_directions_stay_true(place, azimuth):
    "To 1e-4 degrees, and lengths to rounding; the ellipsoid's geodesics are the truth."
    epsg, tiles_epsg, left, top = place
    grid = Grid(left, top, 100.0, 11, 14)
    x, y = points_of(grid)
    to_file = Transformer.from_crs(tiles_epsg, epsg, always_xy=True)
    given = components(azimuth, 250.0, *to_file.transform(x, y), epsg)
    turned = turn_to_tile_axes(
        *(part.astype("f4") for part in given), warping(epsg, tiles_epsg), grid
    )
    np.testing.assert_allclose(np.hypot(*turned), 250.0, rtol=1e-5)
    off = azimuths(*turned, x, y, tiles_epsg) - azimuth
    assert np.abs((off + 180) % 360 - 180).max() < 1e-4  # single precision


def test_what_is_unknown_in_one_component_is_unknown_in_both():
    "A rotation mixes them."
    grid = Grid(600_000.0, 6_900_000.0, 100.0, 3, 4)
    along_x, along_y = np.ones(grid.shape, "f4"), np.ones(grid.shape, "f4")
    along_x[1, 2] = along_y[0, 0] = np.nan
    for turned in turn_to_tile_axes(along_x, along_y, warping(3413, 32606), grid):
        assert np.argwhere(np.isnan(turned)).tolist() == [[0, 0], [1, 2]]


def test_in_the_same_crs_nothing_is_touched():
    "Each component is what the file holds, wherever the other is unknown."
    grid = Grid(600_000.0, 6_900_000.0, 100.0, 3, 4)
    along_x, along_y = np.ones(grid.shape, "f4"), np.full(grid.shape, np.nan, "f4")
    turned = turn_to_tile_axes(along_x, along_y, warping(32606, 32606), grid)
    assert turned[0] is along_x
    assert turned[1] is along_y


def test_strips_make_no_difference(monkeypatch):
    "Of rows that are looked at together."
    grid = Grid(600_000.0, 6_900_000.0, 100.0, 7, 4)
    east = np.ones(grid.shape, "f4")
    whole = turn_to_tile_axes(east, east, warping(3413, 32606), grid)
    monkeypatch.setattr("glacier_inversion.geodata.convergence._STRIP_PX", 8)
    parts = turn_to_tile_axes(east, east, warping(3413, 32606), grid)
    np.testing.assert_array_equal(whole, parts)


def test_sphere_has_no_flattening():
    "A geographic CRS on a sphere."
    sphere = CRS.from_proj4("+proj=longlat +R=6371000 +no_defs")
    grid = Grid(425_000.0, 5_150_000.0, 100.0, 3, 4)
    given = Warping("bilinear", 32632, sphere.to_wkt(), (1.0, 0, 0, 0, -1.0, 0), (1, 1))
    east, north = np.ones(grid.shape, "f4"), np.zeros(grid.shape, "f4")
    turned = turn_to_tile_axes(east, north, given, grid)
    x, y = points_of(grid)
    # the sphere's and the ellipsoid's north are the same
    assert np.abs(azimuths(*turned, x, y, 32632) - 90).max() < 0.01
