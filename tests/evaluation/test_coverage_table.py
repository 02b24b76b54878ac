"""Tables of uncertainty: the numbers of metrics.json, and words that are true of them."""

import numpy as np
import pytest

from glacier_inversion.evaluation.coverage import (
    normal_half_widths,
    score_intervals,
    score_sigma,
)
from glacier_inversion.evaluation.coverage_table import (
    COLUMNS,
    list_coverage,
    list_pit,
    list_scores,
    tell_calibration,
)


def scores_of(sigma, feature):
    """Score standard errors of errors whose size is 10."""
    residual = np.random.default_rng(3).normal(0, 10.0, len(feature))
    levels = score_intervals(residual, normal_half_widths(sigma), feature)
    for level in levels.values():
        level["least_feature"] = "a"
    return {"levels": levels, **score_sigma(residual, sigma)}


@pytest.fixture(scope="module")
def uncertainty():
    """A spread that is too small, a calibrated one that is right, and one size."""
    feature = np.arange(600) % 6
    size = np.random.default_rng(4).uniform(0.5, 1.5, 600)
    return {
        "n_features": 8,
        "of_groups": False,
        "counts_noise": False,
        "spread": scores_of(2 * size, feature),
        "calibrated": scores_of(10 * size, feature),
        "constant": scores_of(np.full(600, 10.0), feature),
    }


def test_the_table_holds_every_score(uncertainty):
    "Shares with their intervals, widths, interval scores, CRPS, correlations."
    rows = list_coverage(uncertainty, lambda error: f"{error:.1f}")
    titles = [row[0] for row in rows if row]
    ways = ["as the members spread", "calibrated", "of one size everywhere"]
    assert titles == [
        "% of known pixels inside intervals of",
        "as the members spread",
        "  bootstrap",
        "  worst feature",
        "calibrated",
        "  bootstrap",
        "  worst feature",
        "of one size everywhere",
        "mean width of intervals of",
        *ways,
        "interval score (less is better) of",
        *ways,
        "CRPS, and correlation with |error|",
        *ways,
    ]
    spread = uncertainty["spread"]["levels"]
    expected = [f"{100 * spread[k]['coverage']:.1f}" for k in ("50", "68", "80", "95")]
    assert rows[1][1:] == expected
    low, high = spread["95"]["interval"]
    assert rows[2][4] == f"{100 * low:.0f} to {100 * high:.0f}"
    width, score, sigma = ([r for r in rows if r[:1] == ["calibrated"]])[1:]
    of_level = uncertainty["calibrated"]["levels"]["95"]
    assert width[4] == f"{of_level['mean_width']:.1f}"
    assert score[4] == f"{of_level['interval_score']:.1f}"
    assert sigma[1] == f"{uncertainty['calibrated']['crps']:.1f}"
    assert sigma[3] == f"{uncertainty['calibrated']['spearman']:.2f}"
    assert list_coverage({**uncertainty, "counts_noise": True}, str)[1][0] == (
        "as members spread, with noise"
    )
    assert len(rows[-1]) == 2  # one size has no correlation
    assert list_coverage(uncertainty, str, "group")[3][0] == "  worst group"


def test_the_pit_histogram_is_in_percent(uncertainty):
    "Most at the ends where standard errors are too small."
    title, spread, calibrated, _ = list_pit(uncertainty)
    assert title[1:] == [str(number) for number in range(1, 11)]
    assert int(spread[1]) > 30 < int(spread[10])
    shares = [int(share) for share in calibrated[1:]]
    assert sum(shares) == pytest.approx(100, abs=5)  # each is rounded
    assert max(shares) < 20


def test_one_member_has_no_table():
    "As it has no spread: nothing is scored."
    nothing = {"spread": {"levels": {}}}
    assert list_coverage(nothing, str) == list_pit(nothing) == []
    assert [*list_scores(nothing)] == []


def test_rows_for_programs_hold_the_same(uncertainty):
    rows = [*list_scores(uncertainty)]
    assert len(rows) == 3 * (1 + 4)
    for _, _, _, values in rows:
        assert values.keys() <= {"n", *COLUMNS}
        assert values["n"] == 600
    way, pixels, of, values = rows[4]
    assert (way, pixels, of) == ("spread", "level", "95")
    level = uncertainty["spread"]["levels"]["95"]
    assert values["coverage"] == level["coverage"]
    assert [values["coverage_low"], values["coverage_high"]] == level["interval"]
    assert values["least_coverage"] == level["least"]
    _, pixels, _, values = rows[5]
    assert pixels == "all"
    assert values["crps"] == uncertainty["calibrated"]["crps"]
    assert [values[f"pit_{i}"] for i in range(1, 11)] == uncertainty["calibrated"][
        "pit"
    ]


@pytest.mark.parametrize(
    ("n_features", "of_groups", "words"),
    [
        (8, False, "From K = 8 features no more than 88.9 % can be promised for a new one."),
        (19, False, "From K = 19 features no more than 95.0 % can be promised for a new one."),
        (4, True, "From K = 4 groups no more than 80.0 % can"),
    ],
)  # fmt: skip
def test_what_few_features_can_guarantee_is_said(
    uncertainty, n_features, of_groups, words
):
    "In a check by cross-validation, and on features of a test."
    told = {**uncertainty, "n_features": n_features, "of_groups": of_groups}
    fitted, knew, promised = tell_calibration(told, of_folds=True)
    one = "group" if of_groups else "feature"
    assert fitted == (
        f"calibrated: the intervals of each {one} were fitted to the errors on the "
        f"other {one}s."
    )
    assert f"trained on the {one} itself, so the check is not fully independent" in knew
    assert "nominal" in promised
    assert words in promised
    # no network was trained on validation features
    assert tell_calibration(told, of_folds=False) == [fitted, promised]
    told = {**told, "features_calibrated": []}
    assert tell_calibration(told, of_folds=False) == [promised]
    of_some = tell_calibration({**told, "features_calibrated": ["a"]}, of_folds=False)
    assert "no test of it" in of_some[0]


def test_a_spread_alone_is_called_no_error(uncertainty):
    (said,) = tell_calibration({"spread": uncertainty["spread"]}, of_folds=True)
    assert said.startswith("Not calibrated: the spread of the members is no error.")
    assert tell_calibration({}, of_folds=True) == []
