"""Logarithms."""

import math

import numpy as np

from tests.dataset.derivations.helpers import computed


def test_it_is_natural_above_the_floor():
    "What is below, negative too, is raised to it; the unknown stays unknown."
    values = [[math.e, 1.0, 0.5], [0.0, -3.0, np.nan]]
    expected = [[1.0, 0.0, math.log(0.5)], [math.log(0.1), math.log(0.1), np.nan]]
    log = computed({"name": "log", "floor": 0.1}, values)
    np.testing.assert_allclose(log, expected, atol=1e-15)
