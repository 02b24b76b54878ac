"""The sine of angles."""

import numpy as np

from tests.dataset.derivations.helpers import computed

ANGLES = [[0.0, 1.0, 30.0], [90.0, 45.0, np.nan]]


def test_it_is_that_of_degrees():
    "Unknown where the angle is."
    expected = [[0.0, 0.0174524064, 0.5], [1.0, 0.5**0.5, np.nan]]
    np.testing.assert_allclose(computed({"name": "sine"}, ANGLES), expected, atol=1e-10)


def test_small_angles_are_raised():
    "To the floor, in degrees."
    sine = computed({"name": "sine", "floor": 30.0}, ANGLES)
    expected = [[0.5, 0.5, 0.5], [1.0, 0.5**0.5, np.nan]]
    np.testing.assert_allclose(sine, expected)
