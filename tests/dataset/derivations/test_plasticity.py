"""The thickness of perfectly plastic ice."""

import numpy as np

from tests import synthetic
from tests.dataset.derivations.helpers import GRID, computed

HERE = {"name": "plasticity"}


def test_it_is_the_closed_form():
    "Of the made-up glaciers, whose density is another."
    x, y = GRID.centres()
    thickness = computed(
        HERE | {"tau": 1e5, "shape_factor": 1.0}, synthetic.slope_deg(x, y)
    )
    expected = synthetic.thickness_m(x, y) * 917 / 900
    np.testing.assert_allclose(thickness, expected, rtol=1e-12)


def test_small_slopes_are_raised():
    "So flat ice is not infinitely thick; by hand 100 kPa at 30 degrees are 28.3 m."
    slope = [[30.0, 2.0, 0.0], [1.0, 90.0, np.nan]]
    thickness = computed(HERE, slope)
    np.testing.assert_allclose(thickness[0, 0], 28.31578, rtol=1e-6)
    assert thickness[0, 1] == thickness[0, 2] == thickness[1, 0]
    assert np.isnan(thickness[1, 2])
