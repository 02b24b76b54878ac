"""The relief above pixels."""

import numpy as np
from scipy.ndimage import generic_filter

from tests.dataset.derivations.helpers import computed, field


def test_it_is_that_of_a_cone():
    "The radius times the steepness, where the top is farther away."
    row, col = np.mgrid[:41, :41] - 20
    elevation = -0.5 * 50 * np.hypot(row, col)
    relief = computed({"name": "relief", "radius": 250.0}, elevation)
    np.testing.assert_allclose(relief[20, :10][5:], 125.0)
    np.testing.assert_allclose(relief[18:23, 18:23], -elevation[18:23, 18:23])


def test_it_is_scipys_greatest_of_a_circle():
    "Unknown pixels have no part in it, and are unknown."
    elevation = field()[:25, :30]
    row, col = np.mgrid[-3:4, -3:4]
    highest = generic_filter(
        np.nan_to_num(elevation, nan=-1.0),
        np.max,
        footprint=row**2 + col**2 <= 3.4**2,
        mode="constant",
        cval=-1.0,
    )
    relief = computed({"name": "relief", "radius": 170.0}, elevation)
    np.testing.assert_allclose(relief, highest - elevation)
