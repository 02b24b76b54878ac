"""Where ice is."""

import numpy as np
import shapely

from tests.dataset.derivations.helpers import GRID, computed


def test_it_is_that_of_pixel_centres():
    "In any outline, holes of which are outside."
    hole = shapely.box(1500, 1500, 1740, 1760)
    outlines = [
        shapely.difference(shapely.box(1111, 1222, 2333, 2444), hole),
        shapely.Point(3000, 2500).buffer(700),
    ]
    inside = computed({"name": "inside"}, grid=GRID, outlines=outlines)
    x, y = GRID.centres()
    expected = shapely.contains_xy(shapely.union_all(outlines), x, y)
    np.testing.assert_array_equal(inside, expected.astype("f8"))


def test_there_is_none_without_outlines():
    "0 everywhere."
    assert not computed({"name": "inside"}, grid=GRID).any()
