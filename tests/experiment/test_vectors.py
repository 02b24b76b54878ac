"""The vectors of a dataset: named rightly, and turned with the patches."""

import copy

import pytest

from glacier_inversion.errors import ExperimentError
from glacier_inversion.experiment.experiment import check_experiment
from tests import synthetic


def experiment(vectors, augmentation=None, inputs=("vx", "vy"), **of_vy):
    """Return an experiment on two components."""
    raw = copy.deepcopy(synthetic.experiment())
    description = raw["dataset_description"]
    vy = {"name": "vy", "resolution": 50.0, "file": "vy.tif", **of_vy}
    description["rasters"] += [{"name": "vx", "resolution": 50.0, "file": "vx.tif"}, vy]
    description["vectors"] = vectors
    names = {"vx": 50.0, "vy": vy["resolution"], "slope": 50.0}
    raw["inputs"] = [{"name": n, "resolution": names[n]} for n in inputs]
    raw["model_description"]["inputs"] = {n: {"operations": []} for n in inputs}
    if augmentation is not None:
        raw["augmentation"] = augmentation
    return raw


TURNING = {"flips": True, "rotations": True}
PAIR = ["vx", "vy"]


def test_patches_turn_with_the_vectors_of_the_dataset():
    "Those that the network reads; augmentation need not name them again."
    checked = check_experiment(experiment([PAIR], TURNING), "exp")
    assert checked.augmentation.vectors == [PAIR]
    again = check_experiment(checked.model_dump(by_alias=True), "exp")
    assert again == checked
    named = check_experiment(experiment([PAIR], {**TURNING, "vectors": [PAIR]}), "exp")
    assert named == checked


def test_vectors_that_are_not_read_are_not_turned():
    "They may serve derived rasters alone."
    raw = experiment([PAIR], TURNING, inputs=["slope"])
    checked = check_experiment(raw, "exp")
    assert checked.augmentation.vectors == []
    assert check_experiment(checked.model_dump(by_alias=True), "exp") == checked


def test_without_augmentation_nothing_is_turned():
    "A dataset has vectors whatever is trained on it."
    assert check_experiment(experiment([PAIR]), "exp").augmentation is None
    still = {"flips": False}
    checked = check_experiment(experiment([PAIR], still, inputs=["vx"]), "exp")
    assert checked.augmentation.vectors == []


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (
            experiment([["vx", "vz"]]),
            r"dataset_description\.vectors\[0\]: 'vz' is not described",
        ),
        (
            experiment([PAIR, ["vy", "slope"]]),
            r"vectors\[1\]: component 'vy' is named twice",
        ),
        (experiment([["vx"]]), r"vectors\[0\]: .* 2"),
        (experiment([["vx", 3]]), r"vectors\[0\]"),
        (experiment("vx"), r"dataset_description\.vectors"),
        (
            experiment([PAIR], resolution=100.0),
            r"vectors\[0\]: .* differ in resolution, or one is derived",
        ),
        (
            experiment([PAIR], file=None, derive={"name": "log", "of": "vx"}),
            r"vectors\[0\]: .* differ in resolution, or one is derived",
        ),
        (
            experiment([PAIR], {**TURNING, "vectors": [["vy", "vx"]]}),
            r"augmentation\.vectors: \[\['vy', 'vx'\]\] are not the vectors .*"
            r"\[\['vx', 'vy'\]\]",
        ),
        (
            experiment([PAIR], {**TURNING, "vectors": []}),
            r"augmentation\.vectors: \[\] are not the vectors",
        ),
        (
            experiment([PAIR], TURNING, inputs=["vx"]),
            r"augmentation: turns patches of 'vx', a component of .* the other is no",
        ),
    ],
)
def test_wrong_vectors_are_named(raw, message):
    "With their place."
    with pytest.raises(ExperimentError, match=message):
        check_experiment(raw, "exp")


def test_a_vector_that_is_none_is_told_at_its_own_place():
    "Not at those of the augmentation, which would turn it."
    with pytest.raises(ExperimentError) as caught:
        check_experiment(experiment([["vx"]], TURNING), "exp")
    (line,) = str(caught.value).splitlines()
    assert line.startswith("exp: dataset_description.vectors[0]: ")


def test_components_that_are_read_in_different_ways_are_refused():
    "Where they would be turned together."
    raw = experiment([PAIR], TURNING)
    raw["inputs"][1]["scalar"] = True
    raw["inputs"].append({"name": "slope", "resolution": 50.0})
    raw["model_description"]["inputs"]["slope"] = {"operations": []}
    with pytest.raises(ExperimentError, match=r"differ in resolution or scalar"):
        check_experiment(raw, "exp")
