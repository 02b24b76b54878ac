"""The answers in plain sentences."""

from glacier_inversion.reporting.rows import tell_features
from glacier_inversion.reporting.summary import summarise


def answers(sources, change=None):
    """Return the answers by question."""
    rows = tell_features(sources, "thickness")
    if change:
        change(rows)
    return {a.question: a.answer for a in summarise(sources, "thickness", rows)}


def scores_of(sources):
    return sources.evaluations["crossval"].metrics.outputs["thickness"]


def test_the_side_of_the_bias_is_said_in_words(sources):
    ensemble = scores_of(sources).ensemble
    ensemble.rmse, ensemble.bias, ensemble.intervals = 64.56, -8.452, None
    said = answers(sources)["How good is it?"]
    assert (
        "by 64.6 m, as the root mean square (RMSE); on average they are 8.5 m too low"
        in (said)
    )
    ensemble.bias = 8.0
    assert "8.0 m too high" in answers(sources)["How good is it?"]


def test_what_may_be_chance_is_said_to_be(sources):
    "Of the skill, by its interval."
    best = scores_of(sources).best_baseline
    best.description = "plasticity"
    for skill, interval, expected in (
        (
            0.12,
            (0.058, 0.18),
            "errs 12 % less (95 % interval 5.8 to 18 %) than the best",
        ),
        (0.12, (-0.05, 0.18), "method, plasticity. That may be chance."),
        (-0.2, None, "is no better than, and errs 20 % more than, the best"),
        (-0.2, (-0.3, -0.1), "20 % more (95 % interval 10 to 30 %) than, the"),
    ):
        best.skill, best.interval = skill, interval
        said = answers(sources)["How good is it?"]
        assert expected in said
        assert ("chance" in said) == ("chance" in expected)


def test_what_is_not_calibrated_is_no_uncertainty(sources):
    "And what a check does not tell is not made up."
    question = "Is the uncertainty honest?"
    assert "Calibrated intervals" in answers(sources)[question]
    scores_of(sources).uncertainty.features_calibrated = ["west"]
    assert "which flatters" in answers(sources)[question]
    scores_of(sources).uncertainty.calibrated = None
    assert "this check does not tell" in answers(sources)[question]
    sources.calibration = None
    assert (
        "only the spread of the networks, which is no error"
        in (answers(sources)[question])
    )


def test_a_group_is_not_called_a_feature(sources):
    scores = scores_of(sources)
    held = scores.uncertainty.calibrated.levels[95]
    held.least, held.coverage = 0.5, 0.9
    question = "Is the uncertainty honest?"
    assert f"; on {held.least_feature}, where" in answers(sources)[question]
    scores.n_groups = 2
    assert f"; on the group {held.least_feature}, where" in answers(sources)[question]


def test_probabilities_have_scores_of_their_own(sources):
    scores = scores_of(sources)
    scores.kind = "classification"
    scores.ensemble.accuracy, scores.ensemble.brier = 0.913, 0.0612
    said = answers(sources)
    assert (
        "91.3 % are classified as measured; the Brier score is 0.0612"
        in (said["How good is it?"])
    )
    assert "Is the uncertainty honest?" not in said


def test_areas_that_are_unlike_training_are_weighed(sources):
    def change(rows):
        for row in rows:
            row.applies_not, row.area_km2 = 0.0, 1.0
        rows[0].applies_not, rows[0].area_km2 = 0.5, 4.0

    assert answers(sources, change)["Where does the model apply?"] == (
        "75 % of the drawn area resembles what the networks were trained on; 25 % does "
        "not, and predictions there are guesses."
    )
