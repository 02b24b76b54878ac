"""A model and what it was trained from."""

from dataclasses import replace

import pytest

from glacier_inversion.errors import ModelError
from glacier_inversion.patches.scale import Scale
from glacier_inversion.training.model.model import (
    read_model,
)
from glacier_inversion.workspace import Workspace
from tests.training.helpers import experiment


def test_a_model_is_known_by_what_it_was_trained_from(two_models):
    "Not by its name, by what is drawn, by more seeds, or by defaults written out."
    place = Workspace(two_models)
    model = read_model(place.model("small"))
    other = read_model(place.model("other"))
    identity = model.identity
    assert other.identity != identity
    written_out = model.experiment.model_dump(mode="json", by_alias=True)
    drawn = dict(written_out["drawing_description"], features="all")
    for keys in (
        written_out,
        {"model_name": "renamed"},
        {"drawing_description": drawn},
        {"seeds_number": 9},
        {"sampling": {"spacing": 100.0, "jitter": True, "dense": None}},
        {"optimizer_name": "adam"},
    ):
        same = experiment(**{"epochs": 1, **keys})
        assert replace(model, experiment=same).identity == identity
    inputs = {**model.scales.inputs, "slope": Scale(1.0, 2.0)}
    scales = replace(model.scales, inputs=inputs)
    for different in (
        replace(model, experiment=experiment(epochs=2)),
        replace(model, scales=scales),
        replace(model, contents={**model.contents, "dataset.inputs.slope": "0"}),
    ):
        assert different.identity != identity


@pytest.mark.parametrize(
    ("place", "remedy"),
    [("models/small", "Train it first."), ("folds/a", "Run 'ginv crossval' again.")],
)
def test_a_model_that_is_not_there_is_to_be_trained_by_its_command(
    tmp_path, place, remedy
):
    "No training makes a fold of a cross-validation."
    with pytest.raises(ModelError, match=remedy):
        read_model(tmp_path / place)
