"""Advice that can be followed: commands that have features enough for them."""

from dataclasses import replace

import pytest

from glacier_inversion.experiment.application import Application
from glacier_inversion.reporting.advice import (
    advise_calibrating,
    advise_checking,
    advise_more,
    find_crossval,
)
from glacier_inversion.reporting.checks import OfModel
from glacier_inversion.workspace import SPLITS


def split(sources, **splits):
    """Let features be of other splits, and the rest of none."""
    of_features = {f: name for name, features in splits.items() for f in features}
    sources.dataset = replace(sources.dataset, splits=of_features)


@pytest.mark.parametrize(
    ("splits", "said"),
    [
        (
            {"train": ["west", "east"], "test": ["south"]},
            "Run 'ginv crossval', or 'ginv evaluate' for the test features.",
        ),
        ({"train": ["west"], "validation": ["east"]}, "Run 'ginv crossval'."),
        (
            {"train": ["west"], "test": ["south"]},
            "Run 'ginv crossval --all', or 'ginv evaluate' for the test features.",
        ),
        (
            {"test": ["south"]},
            "Run 'ginv evaluate' for the test features.",
        ),
        (
            {"train": ["west"]},
            "Measure more glaciers: a cross-validation takes 2 features at least.",
        ),
    ],
)
def test_a_check_takes_two_features(sources, splits, said):
    sources.evaluations.clear()
    own = sources.model.experiment.model_copy(update={"criterion": "loss"})
    sources.model = replace(sources.model, experiment=own)
    split(sources, **splits)
    assert advise_checking(sources) == said


def test_a_check_of_test_features_is_not_advised_again(sources):
    "It says little where networks may have seen them; but that of another model is."
    split(sources, train=["west", "east", "north-1"], test=["south"])
    found = sources.evaluations["test"]
    assert advise_checking(sources) == "Run 'ginv crossval'."
    sources.evaluations["test"] = replace(found, of_model=OfModel.NO)
    assert "ginv evaluate" in advise_checking(sources)


def test_a_criterion_of_validation_takes_another(sources):
    "As each fold is validated by another one."
    split(sources, train=["west", "east"])
    for criterion, command in (("loss", "ginv crossval"), ("val_loss", None)):
        own = sources.model.experiment.model_copy(update={"criterion": criterion})
        sources.model = replace(sources.model, experiment=own)
        assert find_crossval(sources) == command
    assert "takes 3 features at least" in advise_checking(sources)


def test_features_without_measurements_do_not_count(sources):
    split(sources, train=["west", "east", "south", "north-1"])
    assert find_crossval(sources, 4) == "ginv crossval"
    for row in sources.summary.features[:2]:
        row.rasters["thickness"].valid = 0.0
    assert find_crossval(sources, 4) is None


def test_a_model_that_kept_no_splits_may_have_enough(sources):
    "It is only applied here, and an earlier version has trained it."
    sources.experiment = Application.model_construct()
    sources.model = replace(sources.model, splits=None)
    sources.evaluations.clear()
    assert advise_checking(sources).endswith(
        "with its experiment, run 'ginv crossval'."
    )
    sources.model = replace(sources.model, splits={key: ["west"] for key in SPLITS})
    assert "ginv evaluate" in advise_checking(sources)
    sources.model = replace(sources.model, splits={key: [] for key in SPLITS})
    assert advise_checking(sources).startswith("Measure more glaciers")


def test_a_calibration_takes_four_features(sources):
    split(sources, train=["west", "east", "south"])
    assert advise_calibrating(sources, "thickness") == (
        "Measure more glaciers: a calibration takes 4 features at least."
    )
    split(sources, train=["west", "east", "south"], test=["north-1"])
    assert advise_calibrating(sources, "thickness") == (
        "Run 'ginv crossval --all', and draw the statistic 'uncertainty'."
    )


def test_a_check_of_all_features_is_not_advised_again(sources):
    "Another one may have more features; a cross-validation those of the test alone."
    of_all = sources.evaluations["crossval"].metrics
    for check, features, said in (
        ("crossval", of_all.features, "Measure more glaciers."),
        ("crossval", ["west", "east"], "Run 'ginv crossval --all', which checks more"),
        ("test", ["south"], "Run 'ginv crossval', which checks more of the measured"),
        ("all", of_all.features, "Measure more glaciers."),
    ):
        sources.evaluations[check].metrics.features = features
        assert advise_more(sources, "thickness", check).startswith(said)
