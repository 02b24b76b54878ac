"""Reading between pixels: exact on a ramp, and like scipy elsewhere."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from glacier_inversion.grid import Grid
from glacier_inversion.patches.interpolation import interpolate, read_at


def test_interpolation_leaves_out_what_is_unknown():
    "With half of the weight known the result is the known one, with less it is NaN."
    tile = np.array([[1, np.nan, 3]], dtype="f4")
    at = np.array([0.0, 0.4, 0.5, 0.6, 1.0, 1.5, 2.0])
    values = interpolate(tile, np.zeros(1), at)[0]
    np.testing.assert_array_equal(values, [1, 1, 1, np.nan, np.nan, 3, 3])


def test_a_ramp_is_read_exactly_at_any_point():
    "On a map whose pixels lie half a pixel off a tile's, too."
    for left, top in ((500.0, 800.0), (525.0, 775.0)):
        grid = Grid(left, top, 50.0, 12, 10)
        x, y = grid.centres()
        values = (3 * x - 2 * y).astype("f4")
        rng = np.random.default_rng(0)
        x = rng.uniform(left + 25, left + 475, 200)
        y = rng.uniform(top - 575, top - 25, 200)
        # float32 of numbers up to some thousands
        np.testing.assert_allclose(
            read_at(values, grid, x, y), 3 * x - 2 * y, atol=1e-3
        )


def test_points_between_known_pixels_are_those_of_scipy():
    "Bilinear, in any order and shape of points."
    rng = np.random.default_rng(1)
    values = rng.normal(size=(9, 14)).astype("f4")
    rows, cols = rng.uniform(0, 8, (5, 7)), rng.uniform(0, 13, (5, 7))
    grid = Grid(100.0, 300.0, 20.0, 9, 14)
    x, y = 100 + (cols + 0.5) * 20, 300 - (rows + 0.5) * 20
    expected = ndimage.map_coordinates(values, (rows, cols), order=1)
    np.testing.assert_allclose(read_at(values, grid, x, y), expected, atol=1e-6)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=50, deadline=None)
def test_both_readings_agree_where_some_pixels_are_unknown(seed):
    "On a grid of points, and point by point."
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 9, 2))
    values = rng.normal(size=shape).astype("f4")
    values[rng.random(shape) < 0.3] = np.nan
    rows, cols = (np.sort(rng.uniform(0, n - 1, 6)) for n in shape)
    rows[::2], cols[::3] = np.round(rows[::2] * 4) / 4, np.round(cols[::3])
    grid = Grid(0.0, 0.0, 1.0, *shape)
    at = read_at(values, grid, *np.meshgrid(cols + 0.5, -rows - 0.5))
    np.testing.assert_allclose(interpolate(values, rows, cols), at, atol=1e-6)


@pytest.mark.parametrize("part", [0.5, 0.1 + 0.2 + 0.2, 1 - 0.5])
def test_half_of_the_weight_is_enough(part):
    "Whichever way the weights are rounded."
    tile = np.array([[4.0, np.nan]], dtype=np.float32)
    assert interpolate(tile, np.zeros(1), np.array([part])).tolist() == [[4.0]]
    thirds = np.array([1 / 3, 1 - 2 / 3, 0.5 + 1e-12])
    values = interpolate(np.array([[4.0, np.nan, 1.0]], "f4"), np.zeros(1), thirds)
    assert np.isfinite(values).all()
