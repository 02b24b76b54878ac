"""The bootstrap: a plain loop over features, whose intervals hold the truth."""

import numpy as np
import pytest

from glacier_inversion.evaluation.bootstrap import (
    LEAST_FEATURES,
    compare,
    find_intervals,
    interval,
    resample,
    sum_by_feature,
)
from glacier_inversion.evaluation.metrics import CLASSIFICATION, REGRESSION, measure


@pytest.mark.parametrize("kind", [REGRESSION, CLASSIFICATION], ids=lambda k: k.name)
def test_the_bootstrap_is_a_plain_loop_over_features(kind, pixels, classes):
    "Features are drawn, all their pixels are put together, and measured anew."
    observed, predicted, feature = pixels if kind is REGRESSION else classes
    by_feature = sum_by_feature(kind.sums(observed, predicted), feature)
    present = np.unique(feature)
    n_features = len(present)
    found = kind.of_sums(resample(by_feature, 50))
    draws = np.random.default_rng(0).multinomial(
        n_features, np.full(n_features, 1 / n_features), 50
    )
    for i, draw in enumerate(draws):
        chosen = np.concatenate(
            [np.flatnonzero(feature == f) for f in np.repeat(present, draw)]
        )
        expected = measure(kind, observed[chosen], predicted[chosen])
        for name, values in found.items():
            assert values[i] == pytest.approx(expected[name], rel=1e-9)


def test_resamples_do_not_depend_on_memory(monkeypatch, pixels):
    "Drawn some at a time, they are the same."
    observed, predicted, feature = pixels
    by_feature = sum_by_feature(REGRESSION.sums(observed, predicted), feature)
    whole = resample(by_feature)
    monkeypatch.setattr("glacier_inversion.evaluation.bootstrap._MOST_COUNTS", 100)
    np.testing.assert_allclose(resample(by_feature), whole)


def test_intervals_hold_the_truth_of_many_features():
    "The bias of 40 features, each off by a number of its own: 95 % of 300 intervals."
    rng = np.random.default_rng(5)
    held = 0
    for _ in range(300):
        error = np.repeat(rng.normal(3.0, 10.0, 40), 5)
        observed = rng.uniform(0, 100, 200)
        feature = np.repeat(np.arange(40), 5)
        limits = find_intervals(REGRESSION, observed, observed + error, feature)
        low, high = limits["bias"]
        held += low <= 3.0 <= high
    assert 0.90 <= held / 300 <= 0.98


def test_few_features_have_no_interval(pixels):
    "One fewer than give one; the number itself stays."
    observed, predicted, feature = pixels
    fewer = feature < 3 * (LEAST_FEATURES - 1)
    values = observed[fewer], predicted[fewer]
    assert find_intervals(REGRESSION, *values, feature[fewer]) is None
    skill, limits = compare(
        REGRESSION, *values, np.full(fewer.sum(), 100.0), feature[fewer]
    )
    assert skill > 0
    assert limits is None
    enough = feature < 3 * LEAST_FEATURES
    limits = find_intervals(
        REGRESSION, observed[enough], predicted[enough], feature[enough]
    )
    assert limits.keys() == {"rmse", "mae", "bias", "r2", "slope"}
    for low, high in limits.values():
        assert low < high


def test_a_metric_that_most_resamples_lack_has_no_interval():
    "Precision where hardly a feature has a 1, for example."
    assert interval(np.array([1.0, np.nan, np.nan, 2.0])) is None
    assert interval(np.linspace(0, 1, 2001)) == pytest.approx([0.025, 0.975])


def test_skill_compares_at_the_same_draws(pixels):
    "Against itself it is 0 without any width; against twice the error 0.5."
    observed, predicted, feature = pixels
    skill, limits = compare(REGRESSION, observed, predicted, predicted, feature)
    assert (skill, limits) == (0.0, [0.0, 0.0])
    twice = observed + 2 * (predicted - observed)
    skill, limits = compare(REGRESSION, observed, predicted, twice, feature)
    assert skill == pytest.approx(0.5)
    assert limits == pytest.approx([0.5, 0.5])
