"""The distance to the margin of ice."""

import numpy as np
import shapely
from scipy.ndimage import distance_transform_edt

from tests.dataset.derivations.helpers import GRID, computed

HERE = {"name": "distance_to_margin"}


def test_a_rectangle_has_its_distances():
    "To the nearest of four sides, and 0 outside."
    distance = computed(HERE, grid=GRID, outlines=[shapely.box(1210, 1330, 3010, 2770)])
    x, y = GRID.centres()
    sides = np.minimum.reduce([x - 1210, 3010 - x, y - 1330, 2770 - y])
    np.testing.assert_allclose(distance, np.maximum(sides, 0), atol=1e-6)


def test_it_is_that_of_scipy_within_a_pixel():
    "Which counts from pixel to pixel; round ice with a nunatak."
    ice = shapely.Point(2400, 2000).buffer(900)
    ice = shapely.difference(ice, shapely.Point(2500, 2100).buffer(200))
    distance = computed(HERE, grid=GRID, outlines=[ice])
    inside = distance > 0
    by_pixels = distance_transform_edt(inside, sampling=GRID.resolution)
    assert np.abs(by_pixels - distance)[inside].max() <= GRID.resolution
    assert inside.sum() > 800
