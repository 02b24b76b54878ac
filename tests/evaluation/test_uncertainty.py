"""Uncertainty with noise: closed cases of Gaussian ensembles whose noise is known."""

import numpy as np
import pytest

from glacier_inversion.evaluation.coverage_table import list_coverage
from glacier_inversion.evaluation.pixels import KnownPixels
from glacier_inversion.evaluation.uncertainty import (
    calibrate_output,
    mean_and_spread,
    score_calibration,
)

N_FEATURES, N_EACH = 8, 400


def gaussian_ensemble(n_members=40, says_noise=True):
    """Return pixels of which an ensemble says exactly how far they may be."""
    rng = np.random.default_rng(5)
    n = N_FEATURES * N_EACH
    truth, sigma = rng.gamma(4.0, 25.0, n), rng.uniform(2, 30, n)
    apart = sigma / 3
    members = truth + apart * rng.normal(size=(n_members, n))
    # as far from the centre as one more member is, and noise on top
    observed = truth + apart * rng.normal(size=n) + sigma * rng.normal(size=n)
    feature = np.repeat(np.arange(N_FEATURES), N_EACH)
    names = [f"g{i:02d}" for i in range(N_FEATURES)]
    place = np.arange(n, dtype=float)
    noise = sigma**2 if says_noise else np.full(n, np.nan)
    pixels = KnownPixels(names, feature, place, place, observed, {}, members, noise)
    return pixels, np.hypot(sigma, apart)


@pytest.fixture(scope="module")
def calibrated():
    """By whether the members say their noise: calibration and scores."""
    return {
        says: calibrate_output("h", gaussian_ensemble(says_noise=says)[0], None, None)
        for says in (True, False)
    }


def within_chance(share, level, n=N_FEATURES * N_EACH):
    """Tell whether a share of n pixels is the level's, within 3 binomial std."""
    return abs(share - level) < 3 * np.sqrt(level * (1 - level) / n)


def test_variances_add_up():
    "The mean variance, and the variance of the means; one member has a spread, too."
    pixels, _ = gaussian_ensemble(n_members=3)
    pixels.noise[7] = np.nan
    mean, spread = mean_and_spread(pixels)
    expected = np.sqrt(pixels.members.var(axis=0, ddof=1) + pixels.noise)
    expected[7] = pixels.members[:, 7].std(ddof=1)
    np.testing.assert_allclose(spread, expected, rtol=1e-12)
    np.testing.assert_allclose(mean, pixels.members.mean(axis=0), rtol=1e-12)
    _, of_one = mean_and_spread(pixels.of_members([0]))
    np.testing.assert_allclose(of_one, np.sqrt(pixels.noise), rtol=1e-12)


def test_a_gaussian_ensemble_of_known_noise_is_honest(calibrated):
    "It covers 68 and 95 %, with the CRPS of normal errors: sigma / sqrt(pi)."
    sigma = gaussian_ensemble()[1]
    calibration, scores = calibrated[True]
    assert scores["counts_noise"]
    assert calibration.counts_noise
    assert calibration.b == pytest.approx(1, abs=0.06)
    assert calibration.a < 1.5
    for way in ("spread", "calibrated"):
        levels = scores[way]["levels"]
        for level in (50, 68, 80, 95):
            assert within_chance(levels[str(level)]["coverage"], level / 100), way
        # its std over the pixels is about 0.6 sigma, here 0.2 on average
        assert scores[way]["crps"] == pytest.approx(
            sigma.mean() / np.sqrt(np.pi), abs=0.4
        )
        assert np.ptp(scores[way]["pit"]) < 0.05
    assert scores["constant"]["crps"] > 1.02 * scores["spread"]["crps"]


def test_the_members_alone_are_not(calibrated):
    "They differ by a third of the noise, and cover as little."
    calibration, scores = calibrated[False]
    assert not scores["counts_noise"]
    assert not calibration.counts_noise
    assert calibration.b > 2.5
    assert scores["spread"]["levels"]["68"]["coverage"] < 0.3


@pytest.mark.parametrize("says_noise", [True, False])
def test_a_calibration_is_scored_with_the_spread_that_it_was_fitted_to(
    calibrated, says_noise
):
    "One of an earlier version had no noise in it, and must not be given any."
    pixels, _ = gaussian_ensemble()
    scores = score_calibration(pixels, calibrated[says_noise][0])
    assert scores["counts_noise"]
    for level in ("68", "95"):
        share = scores["calibrated"]["levels"][level]["coverage"]
        # factors are fitted to these very pixels
        assert share == pytest.approx(int(level) / 100, abs=0.002)


@pytest.mark.parametrize("says_noise", [True, False])
def test_the_table_says_what_the_spread_is(says_noise):
    "The members alone, or with the noise."
    pixels, _ = gaussian_ensemble(says_noise=says_noise)
    rows = list_coverage(score_calibration(pixels, None), lambda error: f"{error:.1f}")
    called = [row[0] for row in rows if row]
    own = "as members spread, with noise" if says_noise else "as the members spread"
    assert called.count(own) == 2
