"""The answers in plain sentences."""

import math
from dataclasses import replace

from glacier_inversion.evaluation.metrics_file import FoldFeatures
from glacier_inversion.experiment.sections import ExtraTraining
from glacier_inversion.reporting.checks import OfModel
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
    ensemble.metrics |= {"rmse": 64.56, "bias": -8.452}
    ensemble.intervals = None
    said = answers(sources)["How good is it?"]
    assert (
        "by 64.6 m, as the root mean square (RMSE); on average they are 8.5 m too low"
        in (said)
    )
    ensemble.metrics["bias"] = 8.0
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
        (-0.2, None, "errs 20 % more than the best simple method, plasticity. That"),
        (-0.2, (-0.3, -0.1), "20 % more (95 % interval 10 to 30 %) than the best"),
        (-0.2, (-0.3, 0.1), "method, plasticity. That may be chance."),
    ):
        best.skill, best.interval = skill, interval
        said = answers(sources)["How good is it?"]
        assert expected in said
        is_sure = interval is not None and interval[0] * interval[1] > 0
        assert ("chance" in said) != is_sure


def test_one_network_has_no_mean(sources):
    question = "What was predicted?"
    several = answers(sources)[question]
    assert "2 neural networks that have learnt" in several
    assert "the mean of the networks" in several
    sources.states.pop(sources.seeds[0])
    one = answers(sources)[question]
    assert "1 neural network that has learnt" in one
    assert "mean" not in one


def test_what_was_mixed_in_is_told(sources):
    "Whoever reads the map is to know that it learnt from other ground, too."
    extra = ExtraTraining(dataset="synthetic", share=0.5)
    experiment = sources.model.experiment.model_copy(update={"extra_training": extra})
    mixed = replace(sources.model, experiment=experiment, extra_features=["G01", "G02"])
    said = answers(replace(sources, model=mixed))["What was predicted?"]
    assert "glaciers or parts of them, and 2 features of synthetic. " in said


def test_intervals_of_a_calibration_that_is_gone_are_said_to_be(sources):
    question, gone = "Is the uncertainty honest?", "is not there any more"
    assert gone not in answers(sources)[question]
    sources.calibration = None
    assert "Calibrated intervals" in answers(sources)[question]
    assert gone in answers(sources)[question]


def test_what_is_not_calibrated_is_no_uncertainty(sources):
    "And what a check does not tell is not made up."
    question = "Is the uncertainty honest?"
    assert "Calibrated intervals" in answers(sources)[question]
    scores_of(sources).uncertainty.features_calibrated = ["west"]
    assert "which flatters" in answers(sources)[question]
    scores_of(sources).uncertainty.calibrated = None
    assert "this check does not tell" in answers(sources)[question]
    sources.calibration = None
    said = answers(sources)[question]
    assert "only what the networks say themselves, which is no error" in said
    assert "Uncalibrated ones, as the members spread, held" in said
    scores_of(sources).uncertainty.counts_noise = True
    said = answers(sources)[question]
    assert "Uncalibrated ones, as members spread, with noise, held" in said


def test_a_group_is_not_called_a_feature(sources):
    scores = scores_of(sources)
    held = scores.uncertainty.calibrated.levels[95]
    held.least, held.coverage = 0.5, 0.9
    question = "Is the uncertainty honest?"
    assert f"; on {held.least_feature}, where" in answers(sources)[question]
    scores.n_groups = 2
    assert f"; on the group {held.least_feature}, where" in answers(sources)[question]


def test_groups_of_a_calibration_are_told_with_their_features(sources):
    "Where nothing was checked but where the model was trained."
    sources.evaluations.clear()
    question, own = "Is the uncertainty honest?", sources.calibrated("thickness")
    said = answers(sources)[question]
    assert "was trained, on 4 features: there, intervals" in said
    assert "pixels of a feature held 95.0 %, each fitted to the other features" in said
    groups = dict(zip(own.features, "aabb", strict=True))
    n_errors = {"a": 200, "b": 200}
    own = replace(own, groups=groups, n_errors=n_errors)
    sources.calibration = replace(sources.calibration, outputs={"thickness": own})
    said = answers(sources)[question]
    assert "was trained, on 2 groups of 4 features: there, intervals" in said
    assert "pixels of a group held 95.0 %, each fitted to the other groups" in said


def test_probabilities_have_scores_of_their_own(sources):
    scores = scores_of(sources)
    scores.kind = "classification"
    scores.ensemble.metrics |= {"accuracy": 0.913, "brier": 0.0612}
    said = answers(sources)
    assert (
        "91.3 % are classified as measured; the Brier score is 0.0612"
        in (said["How good is it?"])
    )
    assert "Is the uncertainty honest?" not in said


def test_pixels_that_are_unlike_training_are_counted(sources):
    "Of features with a map; each drawn pixel weighs the same, as in the log of draw."
    question = "Where does the model apply?"
    for row in sources.holes:
        row |= {"drawn": "100", "compared": "100", "unlike_training": "0"}
    assert answers(sources)[question] == (
        "All of the drawn pixels resemble what the networks were trained on."
    )
    # of a large one only some are compared: 300 pixels stand for 600, of 1,000
    sources.holes[0] |= {"drawn": "600", "compared": "20", "unlike_training": "10"}
    assert answers(sources)[question] == (
        "70 % of the drawn pixels resemble what the networks were trained on; 30 % do "
        "not, and predictions there are guesses."
    )
    del sources.facts["thickness"][sources.holes[0]["feature"]]
    assert answers(sources)[question].startswith("All of the")


def test_tables_of_some_features_are_not_taken_for_all(sources):
    "As of a run of an earlier version over some of them."
    sources.holes = sources.holes[:2]
    sources.volumes = [
        {"output": "thickness", "feature": f, "volume_km3": "1", "area_km2": "2"}
        for f in ("west", "total")
    ]
    said = answers(sources)
    assert "5 of 5 features" in said["What is drawn?"]
    assert "of the pixels inside the 2 features in holes.csv" in said["What is drawn?"]
    assert (
        "This is the total of the 1 feature in volumes.csv; 5 have a map."
        in said["How much ice is that?"]
    )


def test_a_feature_without_any_drawn_pixel_is_not_drawn(sources):
    "It failed in 'ginv draw', which another run would not change."
    facts = sources.facts["thickness"]
    facts["west"] = replace(facts["west"], mean=math.nan, is_empty=True)
    sources.volumes = [
        {"output": "thickness", "feature": f, "volume_km3": "0", "area_km2": "2"}
        for f in (*facts, "total")
        if f != "west"
    ]
    said = answers(sources)
    assert said["What is drawn?"].startswith("4 of 5 features. 100 % of the pixels ")
    assert said["What is drawn?"].endswith(
        "inside these have a value. No pixel can be drawn of west."
    )
    assert "in volumes.csv" not in said["How much ice is that?"]
    for feature in facts:
        facts[feature] = facts["west"]
    assert answers(sources)["What is drawn?"].startswith(
        "Nothing is drawn. No pixel can be drawn of "
    )


def test_errors_of_an_earlier_model_are_said_to_be(sources):
    own = sources.evaluations["crossval"]
    sources.evaluations["crossval"] = replace(own, of_model=OfModel.NO)
    said = answers(sources)["How good is it?"]
    assert said.startswith("These are errors of an earlier model, not of this one. At")


def test_a_check_without_its_points_has_its_numbers(sources):
    own = sources.evaluations["crossval"]
    sources.evaluations["crossval"] = replace(own, residuals=None)
    said = answers(sources)["How good is it?"]
    assert "as the root mean square" in said
    assert "The measured values are" not in said


def test_folds_that_learn_from_more_than_the_model_flatter(sources):
    "The model has learnt from 2 features; its folds here from 3 and 4."
    question = "How good is it?"
    assert "learnt from 3" not in answers(sources)[question]
    metrics = sources.evaluations["crossval"].metrics
    n_own = len(sources.model.splits["train"])
    for sizes, told in (
        ((n_own + 1, n_own + 2), f"learnt from {n_own + 1} to {n_own + 2} features"),
        ((n_own, n_own), None),
    ):
        metrics.folds = [FoldFeatures(train=["x"] * size) for size in sizes]
        said = answers(sources)[question]
        assert ("errors of the maps may be larger" in said) == (told is not None)
        assert told is None or f"{told}, those that draw the maps from {n_own}" in said
