"""What members are trained with: samples there are, of every output."""

import itertools

import numpy as np
import pytest

from glacier_inversion.errors import DatasetError
from glacier_inversion.experiment.experiment import check_experiment
from glacier_inversion.training.data import prepare
from tests import synthetic
from tests.training.helpers import experiment, made_up_tiles, some_tiles


def test_no_samples_are_an_error():
    "In training always, in validation if the criterion needs it."
    tiles = some_tiles()
    with pytest.raises(
        DatasetError, match=r"the training features \(0\) hold no samples"
    ):
        prepare(experiment(), {**tiles, "train": []})
    with pytest.raises(
        DatasetError, match=r"the validation features \(0\) hold no samples"
    ):
        prepare(experiment(), {**tiles, "validation": []})
    prepare(experiment(criterion="loss"), {**tiles, "validation": []})


def test_another_dataset_does_not_move_the_normalisation():
    "Nor what the model is compared by, but for what is told of it."
    tiles = some_tiles()
    other = made_up_tiles(8, "train")
    other.inputs["slope"] *= 10
    other.targets["thickness"] *= 10
    mixing = experiment(extra_training={"dataset": "other", "share": 0.5})
    alone, both = prepare(mixing, tiles), prepare(mixing, {**tiles, "extra": [other]})
    assert both.scales == alone.scales
    assert both.extra_features == ["train8"]
    assert both.splits == alone.splits
    assert both.contents.items() > alone.contents.items()
    more = {key for key in both.contents if key not in alone.contents}
    assert more == {
        "extra_training.inputs.slope",
        "extra_training.inputs.speed",
        "extra_training.targets.thickness",
    }
    assert both.model(mixing).identity != alone.model(mixing).identity
    scale = alone.scales.inputs["slope"]
    images = both.extra.source.gather(both.extra.points[:])["slope"]
    assert float(images.mean()) == pytest.approx(
        (200 - scale.mean) / scale.std, rel=0.1
    )


def test_another_dataset_must_give_samples():
    "The message names it."
    other = made_up_tiles(8, "train")
    other.targets["thickness"][:] = np.nan
    mixing = experiment(extra_training={"dataset": "other", "share": 0.5})
    with pytest.raises(
        DatasetError, match=r"the 1 training features of 'other' hold no samples"
    ):
        prepare(mixing, {**some_tiles(), "extra": [other]})


def test_plain_losses_need_every_target_of_another_dataset():
    "As they do of the main one, which has them."
    raw = synthetic.experiment() | {"metrics_name": {}}
    raw["extra_training"] = {"dataset": "other", "share": 0.5}
    raw["outputs"].append({"name": "slope", "resolution": 50.0, "scalar": True})
    raw["losses_name"] = {"thickness": "mse", "slope": "mse"}
    outputs = raw["model_description"]["outputs"]
    outputs["slope"] = outputs["thickness"]
    mixing, other = check_experiment(raw, "exp"), made_up_tiles(8, "train")
    tiles = {**some_tiles(), "extra": [other]}
    for part in itertools.chain.from_iterable(tiles.values()):
        part.targets["slope"] = part.inputs["slope"].copy()
    prepare(mixing, tiles)
    other.targets["slope"][:, 10:12] = np.nan  # else corners still know it
    with pytest.raises(
        DatasetError, match=r"'mse' needs every target, .* extra points"
    ):
        prepare(mixing, tiles)


def test_an_output_without_training_targets_is_refused():
    "Its maps would come from an untrained branch."
    tiles = some_tiles()
    raw = synthetic.experiment()
    raw["outputs"].append({"name": "slope", "resolution": 50.0, "scalar": True})
    raw["losses_name"]["slope"] = "nan_mae"
    outputs = raw["model_description"]["outputs"]
    outputs["slope"] = outputs["thickness"]
    for part in tiles["train"] + tiles["validation"]:
        part.targets["slope"] = np.full_like(part.inputs["slope"], np.nan)
    with pytest.raises(DatasetError, match="slope: no training point has a target"):
        prepare(check_experiment(raw, "exp"), tiles)
