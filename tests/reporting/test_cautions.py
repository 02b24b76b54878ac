"""What limits the trust in maps is said, and only where it is so."""

import json
import shutil
from dataclasses import replace

import pytest
from shapely import box

from glacier_inversion import Workspace, load_experiment, open_dataset
from glacier_inversion.evaluation.metrics_file import FoldFeatures
from glacier_inversion.experiment.experiment import check_experiment
from glacier_inversion.reporting.cautions import find_cautions
from glacier_inversion.reporting.checks import OfModel
from glacier_inversion.reporting.reading import read_sources
from glacier_inversion.reporting.rows import tell_features
from glacier_inversion.reporting.skill import tell_skill
from glacier_inversion.training.model.covariogram import Covariogram
from tests.drawing.helpers import calibrate, forget_records
from tests.helpers import copy_of


def said(sources, change_rows=None):
    """Return what is to be careful about, as one text."""
    rows = tell_features(sources, "thickness")
    if change_rows:
        change_rows({row.feature: row for row in rows})
    cautions = find_cautions(sources, {"thickness": rows})
    assert all(c.what and c.meaning and c.remedy for c in cautions)
    return "\n".join(f"{c.what}: {c.meaning} {c.remedy}" for c in cautions)


def scores_of(sources):
    return sources.evaluations["crossval"].metrics.outputs["thickness"]


def test_few_features_are_no_guarantee(sources):
    "And the one on which intervals hold least is named, with its share."
    text = said(sources)
    assert "intervals of 95 % are nominal: They were fitted to 4 features" in text
    assert "no more than 80 % can be promised" in text
    assert "hold far less on " in text
    assert "west (70 %)" in text
    for words in ("not calibrated", "has changed", "large holes", "Nothing is drawn"):
        assert words not in text


def test_groups_are_not_called_features(sources):
    own = sources.calibration.outputs["thickness"]
    sources.calibration.outputs["thickness"] = replace(
        own, groups={feature: feature for feature in own.features}
    )
    text = said(sources)
    assert "They were fitted to 4 groups of features. A new glacier" in text
    assert "95 % takes 19 groups of features" in text


def test_a_model_that_was_compared_with_nothing(sources):
    sources.evaluations.clear()
    text = said(sources)  # what its calibration knows is of other features
    assert "the predictions are not checked here" in text
    assert "nobody knows" not in text
    sources.calibration = None
    assert "nobody knows how good the predictions are" in said(sources)


@pytest.mark.parametrize("split", ["validation", "train", "all"])
def test_errors_on_features_that_were_seen(sources, split):
    known = sources.evaluations.pop("crossval")
    sources.evaluations = {split: known}
    assert "not those of glaciers that were never seen" in said(sources)


def test_a_check_of_a_few_features(sources):
    scores_of(sources).n_features = 3
    assert "checked on 3 features only" in said(sources)


def test_a_check_of_a_few_groups(sources):
    "They give no intervals either, however many features they have."
    scores = scores_of(sources)
    scores.n_features, scores.n_groups = 8, 3
    text = said(sources)
    assert "checked on 8 features in 3 groups only" in text
    assert "Run 'ginv crossval' by a column of more groups, or by none." in text
    scores.n_groups = 4
    assert "checked on" not in said(sources)


def test_pixels_that_could_not_be_predicted(sources):
    scores = scores_of(sources)
    scores.n_known = scores.n_predicted + 7
    text = said(sources)
    assert "7 known pixels could not be predicted" in text
    assert "A larger buffer_distance, inputs that cover more, or a lower" in text
    sources.holes[0] |= {"lacking_slope": "9"}
    text = said(sources)
    assert "Mostly since the input slope is not known there." in text
    assert "Inputs that cover more, or a lower min_valid. What inputs cover" in text
    assert "buffer_distance" not in text


def test_a_check_of_another_ensemble(sources):
    sources.evaluations["crossval"].metrics.seeds = [0, 1, 2]
    assert "The check 'crossval' is of 3 networks: The model has 2" in said(sources)


@pytest.mark.parametrize(
    ("skill", "interval", "what"),
    [
        (0.2, (0.1, 0.3), None),
        (0.2, (-0.1, 0.3), "not shown to be better than a simple method"),
        (-0.2, (-0.3, 0.1), "no better than a simple method"),
        (-0.2, (-0.3, -0.1), "worse than a simple method"),
    ],
)
def test_a_model_that_is_not_better_than_something_simple(
    sources, skill, interval, what
):
    "Worse is not about as much; the sentence is that of the summary."
    best = scores_of(sources).best_baseline
    best.skill, best.interval = skill, interval
    text = said(sources)
    told = f"thickness: {what}: {tell_skill(scores_of(sources)).sentence}"
    assert ("a simple method:" in text) == (what is not None)
    assert what is None or told in text
    assert ("errs 20 % more" in text) == (skill < 0)


@pytest.mark.parametrize(
    ("skill", "interval", "what"),
    [
        (0.2, (-0.1, 0.3), "not shown to be better than a published map"),
        (-0.2, (-0.3, -0.1), "worse than a published map"),
    ],
)
def test_a_published_map_is_no_simple_method(sources, skill, interval, what):
    "It may know the measurements, so that it errs less says little."
    best = scores_of(sources).best_baseline
    best.method, best.description = "published consensus", "consensus"
    best.skill, best.interval = skill, interval
    fitted = scores_of(sources).baselines
    for method, of_method in zip(fitted, (0.31, 0.25), strict=False):
        method.skill, method.skill_interval = of_method, (0.1, 0.4)
    text = said(sources)
    assert f"thickness: {what}: The ensemble errs 20 % " in text
    least = min(fitted, key=lambda method: method.skill)
    assert (
        f"It errs {round(100 * least.skill)} % less (95 % interval 10 to 40 %) than the "
        f"best simple method, {least.description}."
    ) in text
    assert "than the published map consensus, the best of the other methods." in text
    assert "The map may have been made with these very measurements." in text
    assert ("the ensemble is better than this says" in text) == (skill > 0)
    assert ("Find out what the published map was made from" in text) == (skill < 0)
    assert "a simple method" not in text


def test_a_spread_that_is_no_error(sources):
    sources.calibration = None
    assert "the uncertainty is not calibrated" in said(sources)


def test_a_probability_needs_no_calibration(sources):
    "Which is known from its loss, where nothing was checked."
    sources.calibration = None
    sources.evaluations.clear()
    assert "the uncertainty is not calibrated" in said(sources)
    own = sources.model.experiment.model_copy(
        update={"losses_name": {"thickness": "nan_binary_crossentropy"}}
    )
    sources.model = replace(sources.model, experiment=own)
    assert "calibrated" not in said(sources)


@pytest.mark.parametrize("criterion", ["loss", "val_loss"])
def test_a_calibration_by_validation(sources, criterion):
    "It is said whether these features chose the epoch."
    own = sources.model.experiment.model_copy(update={"criterion": criterion})
    sources.model = replace(sources.model, experiment=own)
    sources.calibration = replace(sources.calibration, source="validation")
    text = said(sources)
    assert "calibrated by the validation features alone" in text
    decided = "they decided which epoch of each network was kept" in text
    assert decided == (criterion == "val_loss")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"of_model": OfModel.NO}, "The errors of the check 'test' are of an earlier"),
        ({"of_model": OfModel.UNKNOWN}, "'test' does not say of which model it is"),
    ],
)
def test_errors_of_an_earlier_model_are_the_gravest_caution(sources, change, what):
    sources.evaluations["test"] = replace(sources.evaluations["test"], **change)
    rows = tell_features(sources, "thickness")
    first = find_cautions(sources, {"thickness": rows})[0]
    assert what in first.what
    assert first.remedy == "Run 'ginv evaluate' again."


def test_errors_of_this_model_come_before_better_ones_of_an_earlier_one(
    reported, tmp_path
):
    "Where it is not known which model they are of, they may be of this one."
    run = copy_of(reported, tmp_path)
    experiment, workspace = load_experiment(run.file), Workspace(run.root)
    path = workspace.evaluations("small", "crossval") / "metrics.json"
    text = path.read_text()
    for identity, best in (("other", "test"), (None, "crossval")):
        path.write_text(json.dumps({**json.loads(text), "model_identity": identity}))
        dataset = open_dataset(experiment, workspace)
        read = read_sources(experiment, workspace, dataset, "small")
        assert read.best("thickness") == best


def test_thick_ice_that_comes_out_thin(sources):
    "With the limits of the classes and the unit."
    first, *_, last = scores_of(sources).ensemble.classes
    first.metrics["bias"], last.metrics["bias"] = 90.0, -50.0
    first.high, last.low = 50.0, 400.0
    text = said(sources)
    assert "By +90.0 m on average below 50 m, and by -50.0 m from 400 m on" in text
    last.metrics["bias"] = 90.0
    assert "come out too high, and high ones too low" not in said(sources)


def test_holes_and_their_cause(sources):
    "Of these features, not of others; what does not help is not advised."
    for row in sources.holes:
        if row["feature"] == "west":
            row |= {"pixels": "100", "drawn": "60", "lacking_slope": "9999"}
    text = said(sources)
    assert "1 feature with large holes" in text
    assert "west (60 % drawn). Mostly since the input slope is not known" in text
    assert "buffer_distance" not in text
    sources.holes[0] |= {"beyond_tile": "99999", "lacking_speed": "no number"}
    assert "what a network looks at reaches beyond the tile" not in said(sources)
    for row in sources.holes:
        if row["feature"] == "west":
            row |= {"beyond_tile": "99999"}
    text = said(sources)
    assert "what a network looks at reaches beyond the tile" in text
    assert "A larger buffer_distance, inputs that cover more, or a lower" in text


def test_maps_without_any_pixel_are_not_to_be_drawn_again(sources):
    "They are there; that nothing of them is drawn is said with its cause."
    facts = sources.facts["thickness"]
    for feature, own in facts.items():
        facts[feature] = replace(own, is_empty=True)
    for row in sources.holes:
        row |= {"drawn": "0", "lacking_slope": row["pixels"]}
    text = said(sources)
    assert "Nothing is drawn" not in text
    assert "5 features with large holes" in text


def test_maps_of_a_model_that_was_there_before(sources):
    def change(rows):
        rows["east"].drawn_by = "other"

    assert "drawn by another model" not in said(sources)
    text = said(sources, change)
    assert "1 feature drawn by another model" in text
    for own in (None, ""):  # not drawn; drawn by nobody knows whom
        text_of = said(
            sources, lambda rows, own=own: vars(rows["east"]).update(drawn_by=own)
        )
        assert ("drawn by another model" in text_of) == (own == "")
    assert "since these maps were drawn: east." in text


@pytest.mark.parametrize("version", ["this one", "earlier"])
@pytest.mark.parametrize("statistics", [["mean", "uncertainty"], ["mean", "std"]])
def test_maps_and_volumes_of_an_earlier_calibration(
    reported, tmp_path, version, statistics
):
    "After another cross-validation, say; volumes follow from it without such maps."
    run = copy_of(reported, tmp_path / "calibrated")
    shutil.rmtree(run.root / "drawings")  # maps of other statistics would stay
    covariogram = Covariogram(0.1, 0.8, 150.0, 0.1, 0.05)
    calibrate(run, covariogram=covariogram)
    run.raw["drawing_description"]["statistics"] = statistics
    run.write()
    assert run("draw").exit_code == 0

    def read():
        experiment, workspace = load_experiment(run.file), Workspace(run.root)
        dataset = open_dataset(experiment, workspace)
        return read_sources(experiment, workspace, dataset, "small")

    assert "uncertainty of an earlier calibration" not in said(read())
    calibrate(run, covariogram=covariogram, a=40.0)
    if version == "earlier":
        forget_records(run)
    text = said(read())
    is_known = version == "this one" or "uncertainty" in statistics
    assert ("5 features with the uncertainty of an earlier" in text) == is_known
    run.raw["drawing_description"]["features"] = ["west"]
    run.write()
    assert run("draw").exit_code == 0
    text = said(read())
    assert ("4 features with the uncertainty of an earlier" in text) == is_known
    assert "nor of their volumes: north-1, north-2" in text or not is_known
    run.raw["drawing_description"] |= {"features": "all", "statistics": ["mean"]}
    run.write()
    assert run("draw").exit_code == 0  # the volumes, not the uncertainty
    is_left = "uncertainty" in statistics
    assert ("4 features with the uncertainty of an earlier" in said(read())) == is_left


def test_a_check_beside_a_calibration_by_validation_has_its_own(sources):
    "So what it says of intervals is not of what is drawn."
    text = "What the check crossval says of intervals is not of these"
    assert text not in said(sources)
    sources.calibration = replace(sources.calibration, source="validation")
    assert text in said(sources)
    del sources.evaluations["crossval"]
    assert text not in said(sources)


def test_a_check_of_an_earlier_calibration(sources):
    "Its errors are told as they are; its intervals are not those of the maps."
    own = sources.evaluations["crossval"]
    sources.evaluations["test"] = replace(own, metrics=own.metrics.model_copy())
    metrics, text = sources.evaluations["test"].metrics, "intervals of an earlier"
    for digest, is_said in (
        (None, False),
        (sources.calibration.digest, False),
        ("0f" * 32, True),
    ):
        metrics.calibration_sha256 = digest
        assert (text in said(sources)) == is_said
    assert "The check 'test' is of intervals of an earlier" in said(sources)
    assert "Run 'ginv evaluate' again." in said(sources)
    sources.calibration = None
    assert text not in said(sources)


def test_features_unlike_those_of_training(sources, tmp_path):
    "A map shows where, if there is one."

    def change(rows):
        rows["east"].applies_not = 0.25
        rows["west"].applies_not = 0.01

    assert "Large parts of 1 feature unlike all training" in said(sources, change)
    assert "east (25 %)" in said(sources, change)
    assert "'ginv draw' of the statistic 'applicability' shows them" in said(
        sources, change
    )
    sources.workspace = Workspace(tmp_path)
    path = sources.workspace.drawing("small", "east", "thickness", "applicability")
    path.parent.mkdir(parents=True)
    path.touch()
    assert "their map shows them" in said(sources, change)

    def change_both(rows):
        rows["east"].applies_not = rows["west"].applies_not = 0.25

    assert "their map shows them" not in said(sources, change_both)


def test_outlines_that_overlap_in_a_total(sources):
    "Those that are drawn, by more than slivers."
    sides = dict(zip(sources.dataset.rows, (0, 500, 1900, 3800, 4500), strict=True))
    outlines = {f: box(x, 0, x + 1000, 1000) for f, x in sides.items()}
    vars(sources.dataset)["outlines"] = outlines
    first, second, *others = outlines
    for volume, is_said in (("0.1", True), ("", False)):  # empty: not drawn
        volumes = {first: "0.1", second: volume, **dict.fromkeys(others, "0.2")}
        del volumes[others[-1]]  # it shares with the one before
        sources.volumes = [
            {"feature": feature, "output": "thickness", "volume_km3": volume}
            for feature, volume in (*volumes.items(), ("total", "0.6"))
        ]
        text = said(sources)
        assert ("counts ice twice" in text) == is_said
        assert (f"overlap: {first} and {second} by 0.5 km2." in text) == is_said


def test_features_beside_those_of_training(sources):
    "Not where neighbours are held out together: then the advice would be done."
    places = dict(zip(sources.dataset.rows, (0, 1, 2, 5, 6), strict=True))
    outlines = {f: box(x, 0, x + 1, 1) for f, x in places.items()}
    vars(sources.dataset)["outlines"] = outlines
    first, second, *others = outlines
    metrics = sources.evaluations["crossval"].metrics
    metrics.folds = [
        FoldFeatures(held_out=[f], train=[g for g in outlines if g != f])
        for f in outlines
    ]
    text = said(sources)
    assert f"{len(outlines)} features beside features of training" in text
    assert "Run 'ginv crossval --group COLUMN': features of a group" in text
    scores_of(sources).n_groups = 2
    assert "--group COLUMN', with a column whose groups hold" in said(sources)
    outlines[first] = box(1, 0, 6, 1)  # which joins all
    text = said(sources)
    assert "Measure glaciers that stand apart." in text
    assert "--group" not in text
    outlines[first] = box(0, 0, 1, 1)
    metrics.folds = [
        FoldFeatures(held_out=[first, second], train=others),
        FoldFeatures(held_out=others, train=[first, second]),
    ]
    assert "beside features of training" not in said(sources)  # two of five
    sources.evaluations.clear()
    assert "beside features of training" not in said(sources)


def test_an_experiment_that_has_changed(sources, reported):
    "What is only drawn or compared may; the keys that differ are named."
    raw = {**reported.raw, "epochs": 99, "batch_size": 7}
    sources.experiment = check_experiment(raw, "exp.json")
    text = said(sources)
    assert "These values are others now: batch_size, epochs." in text


def test_a_dataset_that_has_changed(sources):
    sources.model.contents["dataset.inputs.slope"] = "other"
    text = said(sources)
    assert "The dataset has changed since the model was trained" in text
    assert "Inputs that differ: slope." in text


def test_members_that_are_missing(sources):
    sources.states = {0: "finished", 1: "failed", 2: "interrupted"}
    text = said(sources)
    assert "2 networks not part of the ensemble: Of seed 1, 2:" in text
    assert "The ensemble is a single network" in text


def test_what_is_not_there(sources):
    sources.summary.failed = [sources.summary.features[0]]
    sources.facts = {"thickness": {}}
    sources.note("file: is broken")
    sources.note("file: is broken")
    text = said(sources)
    assert "1 feature without tiles" in text
    assert "Nothing is drawn" in text
    assert text.count("file: is broken") == 1
