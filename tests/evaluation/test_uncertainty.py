"""The uncertainty of an output, fitted to the errors at its known pixels."""

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
    calibration, _ = calibrate_output("ice", known(noise), None, "softplus")
    assert calibration.counts_noise == noise
    found = calibration.covariogram
    assert found.nugget == pytest.approx(1, abs=0.2)
    assert found.plateau == pytest.approx(0, abs=0.02)
    assert found.plateau >= found.common


def test_features_that_belong_together_are_one():
    "Pairs of their pixels count, across their borders."
    pixels = known(noise=False)
    groups = {name: f"range {i // 2}" for i, name in enumerate(pixels.features)}
    grouped, _ = calibrate_output("ice", pixels, groups, "softplus")
    alone, _ = calibrate_output("ice", pixels, None, "softplus")
    assert grouped.n_features == 6
    assert grouped.covariogram != alone.covariogram
