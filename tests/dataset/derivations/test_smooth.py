"""Smoothed rasters, as scipy has them and as plain loops have them."""

import numpy as np
import shapely
from scipy.ndimage import gaussian_filter

from tests.dataset.derivations.helpers import GRID, computed, field


def plainly(values, known, sigma_px):
    """Average each pixel's surroundings, one after the other."""
    reach = int(4 * sigma_px + 0.5)
    mean = np.full(values.shape, np.nan)
    for row, col in np.ndindex(values.shape):
        total = weight = 0.0
        for r in range(max(row - reach, 0), min(row + reach + 1, values.shape[0])):
            for c in range(max(col - reach, 0), min(col + reach + 1, values.shape[1])):
                if known[r, c]:
                    w = np.exp(-((r - row) ** 2 + (c - col) ** 2) / (2 * sigma_px**2))
                    total, weight = total + w * values[r, c], weight + w
        if weight > 0:
            mean[row, col] = total / weight
    return mean


def test_it_is_scipys_where_all_is_known():
    "Away from the sides, which scipy mirrors."
    values = np.random.default_rng(0).random(GRID.shape)
    smooth = computed({"name": "smooth", "sigma": 100.0}, values)
    expected = gaussian_filter(values, 2.0, truncate=4.0)
    np.testing.assert_allclose(smooth[8:-8, 8:-8], expected[8:-8, 8:-8], rtol=1e-12)


def test_unknown_pixels_have_no_weight():
    "And are filled as far as known ones reach; the rest stays unknown."
    values = field()[:20, :30]
    values[:, 11:] = np.nan
    smooth = computed({"name": "smooth", "sigma": 60.0}, values)
    expected = plainly(values, np.isfinite(values), 60.0 / 50.0)
    np.testing.assert_allclose(smooth, expected, rtol=1e-10)
    assert np.isfinite(smooth[:, :16]).all()
    assert np.isnan(smooth[:, 16:]).all()


def test_ice_alone_is_averaged():
    "The mean of it, however different the rock beside it is."
    ice = shapely.box(1000, 1000, 2000, 3000)
    values = np.where(GRID.centres()[0] < 2000, 10.0, 500.0)
    given = {"name": "smooth", "sigma": 100.0}
    smooth = computed(given | {"within": "ice"}, values, outlines=[ice])
    np.testing.assert_allclose(smooth[:, :28], 10.0, rtol=1e-12)
    assert np.isnan(smooth[:, 28:]).all()
    everywhere = computed(given | {"within": "everywhere"}, values, outlines=[ice])
    assert everywhere[:, 19].min() > 200
