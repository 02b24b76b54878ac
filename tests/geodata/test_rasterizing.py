"""Which pixels lie inside outlines."""

import numpy as np
import shapely

from glacier_inversion.geodata.rasterizing import inside
from glacier_inversion.grid import Grid
from tests import synthetic


def test_inside_tests_pixel_centres_and_keeps_holes():
    "Against a loop over all pixels."
    polygon = synthetic.FEATURES[1][1]
    left, _, _, top = polygon.bounds
    grid = Grid(left - 73, top + 61, 50.0, 20, 25)
    expected = [
        [
            polygon.contains(synthetic_point(grid.x(col), grid.y(row)))
            for col in range(25)
        ]
        for row in range(20)
    ]
    np.testing.assert_array_equal(inside([polygon], grid), expected)
    assert not inside([], grid).any()


def test_a_boundary_may_meet_the_corner_of_a_window():
    "Where clipping by a rectangle, instead of intersecting with it, goes wrong."
    polygon = shapely.Polygon([(4, 4), (5, 5), (5, 2), (0, 8)])
    whole = inside([polygon], Grid(-10.0, 20.0, 0.25, 120, 120))
    grid = Grid(-10.0, 20.0, 0.25, 120, 120)
    rows, cols = slice(61, 79), slice(41, 59)  # a pixel further out: 0 to 5
    part = inside([polygon], grid.window(rows, cols))
    np.testing.assert_array_equal(part, whole[rows, cols])
    assert part.any()


def test_inside_a_window_is_the_window_of_inside():
    "Wherever it lies: of the outline only what is near is looked at."
    rng = np.random.default_rng(0)
    angle = np.sort(rng.random(3000)) * 2 * np.pi
    radius = 1000 * (1 + 0.4 * np.sin(5 * angle) + 0.05 * rng.random(3000))
    around = np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])
    polygon = shapely.Polygon(around).buffer(0) - shapely.Point(100, 50).buffer(200)
    grid = Grid(-1500.0, 1500.0, 10.0, 300, 300)
    for touched in (False, True):
        whole = inside([polygon], grid, touched)
        for row in range(0, 300, 30):
            for col in range(0, 300, 30):
                rows, cols = slice(row, row + 30), slice(col, col + 30)
                part = inside([polygon], grid.window(rows, cols), touched)
                np.testing.assert_array_equal(part, whole[rows, cols])


def synthetic_point(x, y):
    """Return a point."""
    from shapely.geometry import Point  # noqa: PLC0415

    return Point(float(x), float(y))
