"""Grids of maps: those of neighbours fit together, and hold what lies within."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glacier_inversion.drawing.map_grids import map_grid, step_of
from glacier_inversion.errors import ExperimentError
from glacier_inversion.grid import Grid


@given(
    left=st.integers(-1000, 1000),
    top=st.integers(-1000, 1000),
    step=st.integers(1, 30),
    bounds=st.none() | st.tuples(*[st.floats(0, 300)] * 2, *[st.floats(0, 100)] * 2),
)
def test_pixels_are_the_points_at_multiples_of_the_step(left, top, step, bounds):
    "All of those that lie there, counted from the origin, and no other."
    points = Grid(10.0 * left, 10.0 * top, 10.0, 20, 30)
    within = None
    if bounds is not None:
        x, y, width, height = bounds
        within = points.left + x, points.top - y - height, points.left + x + width
        within = *within, points.top - y
    grid, row, col = map_grid(points, step, within)
    rows, cols = (
        (slice(0, 20), slice(0, 30)) if within is None else points.covering(within)
    )
    taken = [r for r in range(rows.start, rows.stop) if (r - top + 1) % step == 0]
    assert [row + i * step for i in range(grid.n_rows)] == taken
    taken = [c for c in range(cols.start, cols.stop) if (c + left) % step == 0]
    assert [col + i * step for i in range(grid.n_cols)] == taken
    assert math.isclose(float(grid.x(0)), float(points.x(col)), abs_tol=1e-6)
    assert math.isclose(float(grid.y(0)), float(points.y(row)), abs_tol=1e-6)


def test_a_step_is_whole():
    "Else an error names the model."
    assert step_of(None, 25.0, "m") == 1
    assert step_of(75.0, 25.0, "m") == 3
    with pytest.raises(ExperimentError, match=r"30\.0 is no whole multiple of 25.*'m'"):
        step_of(30.0, 25.0, "m")
