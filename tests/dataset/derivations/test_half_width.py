"""The half width of glaciers."""

import numpy as np
import shapely

from tests.dataset.derivations.helpers import GRID, computed


def test_it_is_that_of_a_straight_valley():
    "Wherever the middle is within the radius; 0 outside."
    valley = shapely.box(-1e5, 1500, 1e5, 2500)
    distance = computed({"name": "distance_to_margin"}, grid=GRID, outlines=[valley])
    half_width = computed({"name": "half_width", "radius": 500.0}, distance)
    # pixels lie half a pixel beside the middle
    np.testing.assert_allclose(half_width[distance > 0], 500 - 25, atol=1e-6)
    assert not half_width[distance == 0].any()


def test_it_is_less_than_half_the_width_where_the_middle_is_far():
    "The distance that lies at the end of the radius."
    valley = shapely.box(-1e5, 1500, 1e5, 2500)
    distance = computed({"name": "distance_to_margin"}, grid=GRID, outlines=[valley])
    half_width = computed({"name": "half_width", "radius": 200.0}, distance)
    middle = (distance > 0) & (distance < 250)
    np.testing.assert_allclose(half_width[middle], distance[middle] + 200, atol=1e-6)
