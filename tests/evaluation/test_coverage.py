"""Scores of intervals: closed cases, and as other libraries have them."""

import numpy as np
import pytest
import scoringrules
from scipy import stats

from glacier_inversion.evaluation.coverage import (
    crps_normal,
    crps_normal_slope,
    interval_score,
    normal_half_widths,
    score_intervals,
    score_sigma,
)
from glacier_inversion.training.model.calibration import LEVELS

N = 40_000


@pytest.fixture(scope="module")
def calibrated():
    """Normal errors whose standard deviation is known, and features of pixels."""
    rng = np.random.default_rng(11)
    sigma = rng.uniform(5.0, 40.0, N)
    return rng.normal(0, sigma), sigma, rng.integers(0, 12, N) * 2


def test_known_errors_give_known_scores(calibrated):
    "Coverage within four binomial standard deviations, CRPS sigma / sqrt(pi)."
    residual, sigma, feature = calibrated
    scores = score_intervals(residual, normal_half_widths(sigma), feature)
    for level in LEVELS:
        share, found = level / 100, scores[str(level)]
        std = np.sqrt(share * (1 - share) / N)
        assert found["coverage"] == pytest.approx(share, abs=4 * std)
        assert found["interval"][0] < found["coverage"] < found["interval"][1]
        assert found["std"] == pytest.approx(std * np.sqrt(12), rel=0.6)
        alpha = 1 - share
        z = stats.norm.ppf(1 - alpha / 2)
        assert found["mean_width"] == pytest.approx(2 * z * sigma.mean())
        # the mean of the score of normal errors, in closed form
        expected = 2 * stats.norm.pdf(z) * 2 / alpha * sigma.mean()
        assert found["interval_score"] == pytest.approx(expected, rel=0.02)
    of_sigma = score_sigma(residual, sigma)
    expected = (sigma / np.sqrt(np.pi)).mean()
    assert of_sigma["crps"] == pytest.approx(expected, rel=0.02)
    np.testing.assert_allclose(of_sigma["pit"], 0.1, atol=4 * np.sqrt(0.09 / N))


def test_crps_of_normals_is_that_of_another_library(calibrated):
    residual, sigma, _ = calibrated
    observed, mean = -residual + 7, np.full(N, 7.0)
    expected = scoringrules.crps_normal(observed, mean, sigma)
    np.testing.assert_allclose(crps_normal(residual, sigma), expected, rtol=1e-9)


def test_crps_of_no_width_is_the_error():
    "And its limit is: far off, nothing overflows."
    residual = np.array([0.0, -3.0, 5.0])
    np.testing.assert_array_equal(crps_normal(residual, np.zeros(3)), [0, 3, 5])
    found = crps_normal(residual, np.full(3, 1e-300))
    np.testing.assert_allclose(found, [0, 3, 5], atol=1e-300)


def test_slope_of_the_crps_is_that_of_differences(calibrated):
    residual, sigma, _ = calibrated
    step = 1e-5
    differences = crps_normal(residual, sigma + step) - crps_normal(
        residual, sigma - step
    )
    slope = crps_normal_slope(residual, sigma)
    np.testing.assert_allclose(slope, differences / (2 * step), atol=1e-8)


@pytest.mark.parametrize("level", LEVELS)
def test_interval_score_is_that_of_another_library(calibrated, level):
    residual, sigma, _ = calibrated
    found = interval_score(residual, sigma, level)
    expected = scoringrules.interval_score(-residual, -sigma, sigma, 1 - level / 100)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_coverage_of_features_is_that_of_a_plain_loop(calibrated):
    "Unknown pixels are left out; the least covered feature is named by its number."
    residual, sigma, feature = (values[:300].copy() for values in calibrated)
    residual[feature == 6] *= 4
    residual[:10], sigma[20:25] = np.nan, np.nan
    found = score_intervals(residual, {68: sigma}, feature)["68"]
    shares = {}
    for number in np.unique(feature):
        inside = [
            abs(r) <= s
            for r, s, f in zip(residual, sigma, feature, strict=True)
            if f == number and np.isfinite(r + s)
        ]
        shares[number] = sum(inside) / len(inside)
    assert found["least_feature"] == min(shares, key=shares.get) == 6
    assert found["least"] == shares[6]
    assert found["std"] == pytest.approx(np.std(list(shares.values()), ddof=1))
    known = np.isfinite(residual + sigma)
    assert found["coverage"] == (abs(residual) <= sigma)[known].mean()


def test_few_features_have_no_interval_of_coverage(calibrated):
    residual, sigma, _ = (values[:9] for values in calibrated)
    found = score_intervals(residual, {68: sigma}, np.zeros(9, dtype=int))["68"]
    assert (found["interval"], found["std"]) == (None, None)
    three = score_intervals(residual, {68: sigma}, np.arange(9) % 3)["68"]
    assert three["interval"] is None
    assert three["std"] is not None


def test_correlations_are_those_of_scipy(calibrated):
    residual, sigma, _ = calibrated
    error, found = abs(residual), score_sigma(residual, sigma)
    assert found["pearson"] == pytest.approx(stats.pearsonr(error, sigma).statistic)
    assert found["spearman"] == pytest.approx(stats.spearmanr(error, sigma).statistic)
    constant = score_sigma(residual, np.full(N, 20.0))
    assert constant["pearson"] is constant["spearman"] is None


def test_pit_tells_where_the_observed_lies():
    "Predicted too high, it lies low; all beyond a sigma of 0 lie at the ends."
    residual = np.array([100.0, 1.0, 0.0, -50.0])
    pit = score_sigma(residual, np.array([1.0, 10.0, 0.0, 0.0]))["pit"]
    assert pit == [0.25, 0, 0, 0, 0.25, 0.25, 0, 0, 0, 0.25]


def test_nothing_known_has_no_scores():
    nothing = np.full(3, np.nan)
    assert score_sigma(nothing, np.ones(3)) == {}
    assert score_intervals(nothing, {68: np.ones(3)}, np.arange(3)) == {}
