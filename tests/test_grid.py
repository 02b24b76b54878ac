"""Grids: snapped, exact, whatever the numbers."""

import math

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st

from glacier_inversion.grid import Grid, common_multiple, lattice, ratio, snap_bounds

resolutions = st.sampled_from([0.1, 1.0, 2.5, 10.0, 12.5, 50.0, 100.0])


@given(
    st.tuples(st.floats(-1e6, 1e6), st.floats(0, 7e6)),
    st.tuples(st.floats(0.5, 1e4), st.floats(0.5, 1e4)),
    st.floats(0, 1000),
    st.lists(resolutions, min_size=1, max_size=3),
)
def test_bounds_grow_outward_to_multiples_from_the_origin(corner, size, buffer_m, own):
    "Each side moves out by the buffer and by less than one step more; pixels are whole."
    step = common_multiple(own)
    bounds = (*corner, corner[0] + size[0], corner[1] + size[1])
    snapped = snap_bounds(bounds, buffer_m, step)
    for before, after, sign in zip(bounds, snapped, (-1, -1, 1, 1), strict=True):
        grown = sign * (after - before) - buffer_m
        assert -1e-5 * step <= grown < step * (1 + 1e-5)
        assert math.isclose(after / step, round(after / step), abs_tol=1e-6)
    for resolution in own:
        grid = Grid.from_bounds(snapped, resolution)
        np.testing.assert_allclose(grid.bounds, snapped, rtol=0, atol=1e-5)


def test_pixel_size_does_not_drift_to_fit_the_extent():
    "1010 m at 50 m are 21 pixels of exactly 50 m, not 48.1 m ones."
    bounds = snap_bounds((1005.0, 5.0, 2015.0, 1015.0), 0.0, 50.0)
    grid = Grid.from_bounds(bounds, 50.0)
    assert bounds == (1000.0, 0.0, 2050.0, 1050.0)
    assert (grid.resolution, grid.shape) == (50.0, (21, 21))


@pytest.mark.parametrize(("beyond", "grown"), [(1e-5, 0.0), (1e-3, 100.0)])
def test_only_the_rounding_of_a_division_is_no_part_of_a_step(beyond, grown):
    "A millimetre beyond a multiple of 100 m takes a step more, a thousandth does not."
    bounds = (100.0 - beyond, 200.0 - beyond, 300.0 + beyond, 400.0 + beyond)
    expected = (100.0 - grown, 200.0 - grown, 300.0 + grown, 400.0 + grown)
    assert snap_bounds(bounds, 0.0, 100.0) == expected


def test_a_multiple_beyond_all_numbers_is_infinite():
    "Of lengths that no file means, before they are refused."
    assert common_multiple([1e300, 1.0000000000000002]) == math.inf


def test_buffer_is_added_once_per_side():
    "400 m on each side of a kilometre make 1800 m."
    left, bottom, right, top = snap_bounds((0.0, 0.0, 1000.0, 2000.0), 400.0, 100.0)
    assert (left, bottom, right, top) == (-400.0, -400.0, 1400.0, 2400.0)


@pytest.mark.parametrize(
    ("coarse", "fine", "expected"),
    [(50, 12.5, 4), (0.3, 0.1, 3), (12.5, 50, None), (30, 20, None), (100, 100, 1)],
)
def test_ratio_is_decimal_arithmetic(coarse, fine, expected):
    "0.3 / 0.1 is 3, although not in binary."
    assert ratio(coarse, fine) == expected


@given(st.integers(1, 12), st.integers(1, 15), st.integers(1, 15))
def test_lattice_points_are_window_centres(window_px, n_rows, n_cols):
    "Odd windows are centred on pixel centres, even ones on corners."
    tile = Grid(300.0, 900.0, 25.0, n_rows, n_cols)
    points = lattice(tile, window_px)
    assert points.shape == (
        max(n_rows - window_px + 1, 0),
        max(n_cols - window_px + 1, 0),
    )
    for col in range(points.n_cols):
        window = tile.x(np.arange(col, col + window_px))
        assert math.isclose(points.x(col), window.mean())
    for row in range(points.n_rows):
        window = tile.y(np.arange(row, row + window_px))
        assert math.isclose(points.y(row), window.mean())


@given(st.floats(-50, 150), st.floats(-50, 150), st.floats(0, 60), st.floats(0, 60))
def test_covering_finds_the_centres_within_bounds(left, bottom, width, height):
    "Against a loop over all pixels, those beyond the grid included."
    grid = Grid(10.0, 100.0, 10.0, 10, 10)
    rows, cols = grid.covering((left, bottom, left + width, bottom + height))
    assert rows.start <= rows.stop
    assert cols.start <= cols.stop
    slack = 1e-4  # centres as close as that to the bounds may fall on either side
    for number, start, place in (
        *((i, rows, float(grid.y(i))) for i in range(-6, 16)),
        *((i, cols, float(grid.x(i))) for i in range(-6, 16)),
    ):
        low = bottom if start is rows else left
        high = low + (height if start is rows else width)
        if low + slack < place < high - slack:
            assert start.start <= number < start.stop
        if place < low - slack or place > high + slack:
            assert not start.start <= number < start.stop


@pytest.mark.parametrize(("shift", "n_covered"), [(-1e-3, 3), (-1e-5, 5), (1e-5, 5)])
def test_centres_on_the_bounds_but_for_rounding_are_within(shift, n_covered):
    "Five centres of 100 m, and bounds through the outer ones, moved out by a shift."
    grid = Grid(0.0, 900.0, 100.0, 9, 9)
    low, high = 250.0 - shift, 650.0 + shift
    for found in grid.covering((low, low, high, high)):
        assert found.stop - found.start == n_covered


def test_bounds_between_centres_cover_nothing():
    "Rows and columns then are none, not fewer than none."
    rows, cols = Grid(0.0, 100.0, 10.0, 10, 10).covering((36.0, 42.0, 38.0, 44.0))
    assert (rows.start, rows.stop) == (6, 6)
    assert (cols.start, cols.stop) == (4, 4)


def test_the_transform_leads_to_the_places_of_pixels():
    "From (col, row) of a corner to its (x, y), as rasterio has it."
    grid = Grid(-37.5, 1000.0, 12.5, 7, 9)
    transform = Affine(*grid.transform)
    assert transform @ (0, 0) == (-37.5, 1000.0)
    assert transform @ (9, 7) == (grid.bounds[2], grid.bounds[1])


@given(st.integers(0, 6), st.integers(0, 8))
def test_index_inverts_the_centres(row, col):
    "A pixel's centre lies in that pixel, in a window of the grid too."
    grid = Grid(-37.5, 1000.0, 12.5, 7, 9)
    assert grid.index(grid.x(col), grid.y(row)) == (row, col)
    part = grid.window(slice(2, 5), slice(3, 7))
    assert part.index(grid.x(col), grid.y(row)) == (row - 2, col - 3)


@given(st.integers(1, 30), st.integers(0, 9), st.integers(0, 9))
def test_strips_hold_every_row_once_and_as_many_as_fit(n_pixels, n_rows, n_cols):
    "A row of too many pixels is a strip of its own."
    strips = list(Grid(0.0, 0.0, 10.0, n_rows, n_cols).strips(n_pixels))
    rows = [row for strip in strips for row in range(strip.start, strip.stop)]
    assert rows == list(range(n_rows))
    if n_cols:
        fitting = [n for n in range(1, 31) if n * n_cols <= n_pixels]
        sizes = [strip.stop - strip.start for strip in strips]
        assert all(size == max(fitting, default=1) for size in sizes[:-1])
        assert all(size <= max(fitting, default=1) for size in sizes)
