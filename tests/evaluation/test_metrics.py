"""Metrics: as another library has them, and the bootstrap as a plain loop."""

import numpy as np
import pytest
from scipy import stats

from glacier_inversion.evaluation.metrics import (
    CLASSIFICATION,
    LEAST_FEATURES,
    REGRESSION,
    compare,
    find_intervals,
    interval,
    measure,
    nmad,
    reliability,
    resample,
    sum_by_feature,
)


@pytest.fixture
def pixels():
    """Observed and predicted thickness of 300 pixels, and the number of a feature."""
    rng = np.random.default_rng(7)
    observed = rng.gamma(2.0, 80.0, 300)
    feature = rng.integers(0, 6, 300) * 3  # features need not all have pixels
    predicted = 0.7 * observed + 20 + 5 * feature + rng.normal(0, 25, 300)
    return observed, predicted, feature


@pytest.fixture
def classes():
    """Observed 0 and 1, predicted probabilities, and the number of a feature."""
    rng = np.random.default_rng(8)
    predicted = rng.uniform(0, 1, 400)
    observed = (rng.uniform(0, 1, 400) < predicted**2).astype(float)
    return observed, predicted, rng.integers(0, 9, 400)


def test_errors_are_those_of_their_formulas(pixels):
    "Each written out; the slope is that of scipy."
    observed, predicted, _ = pixels
    error = predicted - observed
    found = measure(REGRESSION, observed, predicted)
    expected = {
        "rmse": np.sqrt(np.mean(error**2)),
        "mae": np.mean(np.abs(error)),
        "bias": np.mean(error),
        "nmad": stats.median_abs_deviation(error, scale="normal"),
        "r2": 1 - np.sum(error**2) / np.sum((observed - observed.mean()) ** 2),
        "slope": stats.linregress(observed, predicted).slope,
    }
    assert list(found) == list(expected)
    # 1.4826 is rounded
    np.testing.assert_allclose(
        [*found.values()], [*expected.values()], rtol=3e-6, atol=1e-12
    )


def test_errors_are_those_of_scikit_learn(pixels, classes):
    "Of both kinds of output."
    sklearn = pytest.importorskip("sklearn.metrics")
    observed, predicted, _ = pixels
    found = measure(REGRESSION, observed, predicted)
    assert found["rmse"] ** 2 == pytest.approx(
        sklearn.mean_squared_error(observed, predicted)
    )
    assert found["mae"] == pytest.approx(
        sklearn.mean_absolute_error(observed, predicted)
    )
    assert found["r2"] == pytest.approx(sklearn.r2_score(observed, predicted))
    observed, predicted, _ = classes
    found = measure(CLASSIFICATION, observed, predicted)
    said = predicted >= 0.5
    expected = {
        "accuracy": sklearn.accuracy_score(observed, said),
        "precision": sklearn.precision_score(observed, said),
        "recall": sklearn.recall_score(observed, said),
        "iou": sklearn.jaccard_score(observed, said),
        "brier": sklearn.brier_score_loss(observed, predicted),
    }
    assert found == pytest.approx(expected)


def test_classes_are_counted_as_by_hand():
    "Three right of five: one 1 missed, one 0 taken for 1; 0.5 says 1."
    observed = np.array([1.0, 1.0, 0.0, 0.0, 1.0])
    predicted = np.array([0.5, 0.2, 0.7, 0.1, 1.0])
    found = measure(CLASSIFICATION, observed, predicted)
    brier = (0.25 + 0.64 + 0.49 + 0.01 + 0) / 5
    expected = {
        "accuracy": 0.6,
        "precision": 2 / 3,
        "recall": 2 / 3,
        "iou": 0.5,
        "brier": brier,
    }
    assert found == pytest.approx(expected)
    said = measure(CLASSIFICATION, np.zeros(3), np.zeros(3))
    assert said["accuracy"] == 1
    assert np.isnan([said["precision"], said["recall"], said["iou"]]).all()


def test_what_says_nothing_is_nan():
    "The slope and R2 of equal observations; everything of no pixels."
    equal = measure(REGRESSION, np.full(5, 170.1), np.arange(5.0))
    assert np.isnan([equal["r2"], equal["slope"]]).all()
    assert np.isfinite([equal[name] for name in ("rmse", "mae", "bias", "nmad")]).all()
    nothing = measure(REGRESSION, np.empty(0), np.empty(0))
    assert np.isnan([*nothing.values()]).all()
    assert np.isnan(nmad(np.empty(0)))
    assert np.isnan([*measure(CLASSIFICATION, np.empty(0), np.empty(0)).values()]).all()


def test_large_numbers_leave_small_differences():
    "Elevations of beds: R2 and slope from sums are those of the deviations."
    rng = np.random.default_rng(3)
    observed = 4e6 + rng.normal(0, 1, 500)
    predicted = observed + rng.normal(0, 0.1, 500)
    found = measure(REGRESSION, observed, predicted)
    assert found["slope"] == pytest.approx(
        stats.linregress(observed - 4e6, predicted - 4e6).slope, rel=1e-6
    )
    assert found["r2"] == pytest.approx(0.99, abs=0.005)


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
    monkeypatch.setattr("glacier_inversion.evaluation.metrics._MOST_COUNTS", 100)
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


def test_reliability_is_a_plain_loop(classes):
    "Bin by bin; 1 is in the last, and empty ones are left out."
    observed, predicted, _ = classes
    predicted = np.append(predicted[predicted > 0.2], 1.0)
    observed = np.append(observed[-len(predicted) + 1 :], 1.0)
    found = reliability(observed, predicted)
    assert [b["from"] for b in found] == pytest.approx(np.arange(2, 10) / 10)
    assert sum(b["n"] for b in found) == len(predicted)
    for own in found:
        within = [
            i
            for i, p in enumerate(predicted)
            if own["from"] <= p < own["to"] or (own["to"] == p == 1)
        ]
        assert own["n"] == len(within)
        assert own["predicted"] == pytest.approx(np.mean(predicted[within]))
        assert own["observed"] == pytest.approx(np.mean(observed[within]))
