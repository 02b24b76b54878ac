"""The thickness of ice by its speed and slope."""

import numpy as np

from tests.dataset.derivations.helpers import computed

HERE = {"name": "velocity_slope"}
YEAR = 365.25 * 86400


def test_it_inverts_the_flow_law():
    "The speed of a slab, summed over its depth, gives back its thickness."
    thickness, slope = 237.0, 11.0
    depth = (np.arange(200_000) + 0.5) / 200_000 * thickness
    stress = 0.8 * 900 * 9.81 * depth * np.sin(np.radians(slope))
    rate = 2 * 3.24e-24 * stress**3  # du/dz
    deforming = rate.mean() * thickness * YEAR
    found = computed(HERE, [[deforming / 0.75]], [[slope]])
    np.testing.assert_allclose(found, thickness, rtol=1e-8)


def test_it_is_the_formula_of_its_paper():
    "Which has 1.5 times the surface's speed, a quarter of it being sliding."
    speed, slope = 80.0, 6.0
    stress = 0.8 * 900 * 9.81 * np.sin(np.radians(slope))
    expected = (1.5 * speed / YEAR / (3.24e-24 * stress**3)) ** 0.25
    np.testing.assert_allclose(computed(HERE, [[speed]], [[slope]]), expected)


def test_what_is_slow_flat_or_unknown():
    "No speed gives no ice, flat ice counts as two degrees, and NaN stays."
    speed = [[0.0, -1.0, 50.0], [50.0, np.nan, 50.0]]
    slope = [[5.0, 5.0, 0.0], [2.0, 5.0, np.nan]]
    thickness = computed(HERE, speed, slope)
    assert thickness[0, 0] == thickness[0, 1] == 0
    assert thickness[0, 2] == thickness[1, 0] > 0
    assert np.isnan(thickness[1, 1:]).all()
