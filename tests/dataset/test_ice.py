"""Where ice is, and how far from where it ends."""

import numpy as np
import shapely
from shapely.affinity import translate

from glacier_inversion.dataset.ice import Ice
from glacier_inversion.grid import Grid

GRID = Grid(1000.0, 3000.0, 50.0, 40, 60)


def plainly(outlines, grid):
    """Ask shapely for the distance of each centre to the boundary of all outlines."""
    union = shapely.union_all(outlines)
    x, y = grid.centres()
    distance = shapely.distance(shapely.points(x, y), shapely.boundary(union))
    return np.where(shapely.contains_xy(union, x, y), distance, 0.0)


def lobes():
    """Return outlines of many corners that share borders, with nunataks."""
    rng = np.random.default_rng(0)
    angles = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    radii = 1100 + 150 * rng.random(200)
    xy = np.stack(
        [2500 + radii * np.cos(angles), 2000 + radii * np.sin(angles)], axis=1
    )
    whole = shapely.difference(shapely.Polygon(xy), shapely.box(2100, 2100, 2333, 2222))
    cut = shapely.box(0, 0, 2417, 1e4)
    return [shapely.intersection(whole, cut), shapely.difference(whole, cut)]


def test_distances_are_those_to_the_union_of_outlines():
    "Borders that are shared are no margin; nunataks have one."
    ice = Ice(dict(zip("ab", lobes(), strict=True)))
    expected = plainly(lobes(), GRID)
    # where borders meet the margin, gaps are closed a little
    np.testing.assert_allclose(ice.distance_to_margin(GRID), expected, atol=0.5)
    assert expected.max() > 500


def test_a_margin_is_found_however_far_it_is():
    "Small tiles in the midst of large ice, among more that is far away."
    large = shapely.Point(0, 0).buffer(60_000, quad_segs=64)
    ice = Ice({"a": large, "far": translate(large, 300_000)})
    grid = Grid(-2000.0, 1000.0, 25.0, 30, 40)
    expected = plainly([large], grid)
    np.testing.assert_allclose(ice.distance_to_margin(grid), expected, rtol=1e-9)


def test_distances_do_not_depend_on_the_grid_around():
    "Parts of a grid have the same."
    ice = Ice(dict(zip("ab", lobes(), strict=True)))
    whole = ice.distance_to_margin(GRID)
    part = ice.distance_to_margin(GRID.window(slice(7, 19), slice(22, 41)))
    np.testing.assert_allclose(part, whole[7:19, 22:41], rtol=1e-9)


def test_narrow_gaps_between_outlines_are_no_margin():
    "A border drawn twice, 2 m apart; one that is a pixel wide is a margin."
    left, right = shapely.box(0, 0, 2500, 4000), shapely.box(2502, 0, 6000, 4000)
    grid = GRID
    distance = Ice({"a": left, "b": right}).distance_to_margin(grid)
    x, y = grid.centres()
    np.testing.assert_allclose(distance, np.minimum.reduce([x, y, 4000 - y]), atol=1e-6)
    apart = Ice({"a": left, "b": translate(right, 50)}).distance_to_margin(grid)
    assert apart[:, 28].max() < 100


def test_pixels_are_in_or_nearest_to_an_outline():
    "The first of several; of none at all without outlines."
    a, b = shapely.box(1000, 1000, 2000, 3000), shapely.box(1500, 1000, 2500, 3000)
    nearest = Ice({"a": a, "b": b}).nearest(GRID)
    x, _ = GRID.centres()
    np.testing.assert_array_equal(nearest, np.where(x < 2000, 0, 1))
    assert (Ice({}).nearest(GRID) == -1).all()
    assert not Ice({}).inside(GRID).any()
    assert not Ice({}).distance_to_margin(GRID).any()


def test_the_digest_tells_outlines_apart():
    "By their names and by their shapes."
    a, b = shapely.box(0, 0, 1, 1), shapely.box(0, 0, 1, 2)
    digests = {Ice(o).digest for o in ({"a": a}, {"b": a}, {"a": b}, {"a": a, "b": b})}
    assert len(digests) == 4
    assert Ice({"a": a}).digest == Ice({"a": shapely.box(0, 0, 1, 1)}).digest
