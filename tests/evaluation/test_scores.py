"""Scores of an output: what their intervals are drawn from."""

import numpy as np
import pytest

from glacier_inversion.evaluation.baselines import Method
from glacier_inversion.evaluation.bootstrap import compare, find_intervals
from glacier_inversion.evaluation.metrics import REGRESSION
from glacier_inversion.evaluation.pixels import KnownPixels
from glacier_inversion.evaluation.scores import score_output

FEATURES = [f"f{number}" for number in range(12)]


@pytest.fixture(scope="module")
def pixels():
    """Pixels of twelve features whose biases go together in threes."""
    rng = np.random.default_rng(2)
    feature = np.repeat(np.arange(12), 30)
    bias = np.repeat(rng.normal(0, 20.0, 4), 3)[feature]
    observed = rng.uniform(20.0, 200.0, len(feature))
    members = observed + bias + rng.normal(0, 5.0, (3, len(feature)))
    x = np.arange(float(len(feature)))
    noise = np.full(len(x), np.nan)
    return KnownPixels(FEATURES, feature, x, x, observed, {}, members, noise)


def test_intervals_are_drawn_over_groups(pixels):
    "Those of errors and of skill; what is told by feature stays so."
    groups = {name: f"g{i // 3}" for i, name in enumerate(FEATURES)}
    constant = np.full(len(pixels.observed), 110.0)
    methods = [Method("mean", "mean", {"mean": 110.0}, constant)]
    alone, grouped = (
        score_output(REGRESSION, pixels, [0, 1, 2], methods, None, "m", of)
        for of in (None, groups)
    )
    assert (alone["n_groups"], grouped["n_groups"]) == (None, 4)
    assert alone["n_features"] == grouped["n_features"] == 12
    mean, group = pixels.members.mean(axis=0), pixels.feature // 3
    for found, drawn in ((alone, pixels.feature), (grouped, group)):
        expected = find_intervals(REGRESSION, pixels.observed, mean, drawn)
        assert found["ensemble"]["intervals"] == expected
        _, limits = compare(REGRESSION, pixels.observed, mean, constant, drawn)
        assert found["baselines"][0]["skill_interval"] == limits
    assert grouped["ensemble"]["features"] == alone["ensemble"]["features"]

    def width(scores):
        low, high = scores["ensemble"]["intervals"]["bias"]
        return high - low

    # fewer are independent than there are features
    assert width(grouped) > 1.3 * width(alone)
