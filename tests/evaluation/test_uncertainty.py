"""The uncertainty of an output, fitted to the errors at its known pixels."""

from dataclasses import replace

import numpy as np
import pytest

from glacier_inversion.evaluation.pixels import KnownPixels
from glacier_inversion.evaluation.uncertainty import calibrate_output


def known(noise, seed=0, n_features=12, n=150):
    """Pixels whose errors are noise of a known variance, and nothing else."""
    rng = np.random.default_rng(seed)
    total = n_features * n
    variance = rng.uniform(100, 900, total)
    observed = rng.gamma(4.0, 30.0, total)
    errors = rng.normal(0, np.sqrt(variance))
    members = observed + errors + rng.normal(0, 0.1, (3, total))
    return KnownPixels(
        [f"glacier {i}" for i in range(n_features)],
        np.repeat(np.arange(n_features), n),
        rng.uniform(0, 4000, total),
        rng.uniform(0, 2000, total),
        observed,
        {},
        members,
        variance if noise else np.full(total, np.nan),
    )


@pytest.mark.parametrize("noise", [True, False])
def test_errors_of_independent_noise_are_all_nugget(noise):
    "In units of tau, which has the noise in it where the calibration counts it."
    calibration, _ = calibrate_output("ice", known(noise), None, True)
    assert calibration.counts_noise == noise
    found = calibration.covariogram
    assert found.nugget == pytest.approx(1, abs=0.2)
    assert found.plateau == pytest.approx(0, abs=0.02)
    assert found.plateau >= found.common


def test_features_that_belong_together_are_one():
    "Pairs of their pixels count, across their borders."
    pixels = known(noise=False)
    groups = {name: f"range {i // 2}" for i, name in enumerate(pixels.features)}
    grouped, _ = calibrate_output("ice", pixels, groups, True)
    alone, _ = calibrate_output("ice", pixels, None, True)
    assert grouped.n_features == 6
    assert grouped.covariogram != alone.covariogram


def test_groups_are_no_features_even_under_their_names():
    "What is known of a group is not said of a feature that is called like it."
    pixels = known(noise=False)
    groups = {name: f"glacier {i // 3}" for i, name in enumerate(pixels.features)}
    far = pixels.feature == 7  # in "glacier 2", whose namesake is in "glacier 0"
    observed = np.where(far, pixels.observed + 1e6, pixels.observed)
    pixels = replace(pixels, observed=observed)
    calibration, scores = calibrate_output("ice", pixels, groups, True)
    assert scores["of_groups"]
    assert calibration.of_groups
    assert calibration.groups == groups
    assert calibration.n_errors == {f"glacier {i}": 450 for i in range(4)}
    for level, own in calibration.levels.items():
        shares = own.coverage_by_feature
        assert list(shares) == pixels.features
        # of intervals that were fitted without the group of each
        assert shares["glacier 7"] == 0
        assert shares["glacier 2"] > 0
        assert own.coverage == pytest.approx(np.mean([*shares.values()]))
        least = scores["calibrated"]["levels"][str(level)]
        assert least["least_feature"] == "glacier 2"
        assert least["least"] == pytest.approx(
            np.mean([shares[f"glacier {i}"] for i in (6, 7, 8)])
        )
