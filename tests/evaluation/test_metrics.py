"""Metrics: by their formulas, by hand, and as other libraries have them."""

import numpy as np
import pytest
from scipy import stats

from glacier_inversion.evaluation.metrics import (
    CLASSIFICATION,
    REGRESSION,
    measure,
    nmad,
    reliability,
)


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
