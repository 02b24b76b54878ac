"""Elevations within glaciers."""

import numpy as np
import shapely

from tests.dataset.derivations.helpers import GRID, computed

OUTLINES = [shapely.box(1000, 1000, 2000, 3000), shapely.box(2500, 1000, 4000, 3000)]
HERE = {"name": "relative_elevation"}


def test_each_outline_has_its_own_range():
    "Pixels outside take the nearest one's, cut to 0 and 1."
    x, y = GRID.centres()
    elevation = 2000 + 0.5 * (y - 1000)
    ranges = [(2000.0, 3000.0), (2200.0, 2600.0)]
    relative = computed(HERE, elevation, outlines=OUTLINES, ranges=ranges)
    first = (elevation - 2000) / 1000
    second = np.clip((elevation - 2200) / 400, 0, 1)
    np.testing.assert_allclose(relative, np.where(x < 2250, first, second), atol=1e-12)


def test_flat_and_unknown_outlines():
    "0, and unknown; without any outline all is."
    elevation = np.full(GRID.shape, 2000.0)
    elevation[3, 4] = np.nan
    ranges = [(2000.0, 2000.0), (np.nan, np.nan)]
    relative = computed(HERE, elevation, outlines=OUTLINES, ranges=ranges)
    expected = np.where(GRID.centres()[0] < 2250, 0.0, np.nan)
    expected[3, 4] = np.nan
    np.testing.assert_array_equal(relative, expected)
    assert np.isnan(computed(HERE, elevation)).all()
