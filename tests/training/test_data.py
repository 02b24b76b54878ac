"""What members are trained with: samples there are, of every output."""

import itertools

import numpy as np
import pytest
import torch

from glacier_inversion.errors import DatasetError
from glacier_inversion.experiment.experiment import check_experiment
from glacier_inversion.experiment.extra_training import share_mixed_in
from glacier_inversion.training.batches import make_batches
from glacier_inversion.training.data import prepare
from glacier_inversion.training.network.network import Network
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


def weighted_moments(own, extra, share):
    """Return mean and std of values that count by their share, in plain numpy."""
    values = np.concatenate([own, extra])
    weights = np.repeat(
        [(1 - share) / own.size, share / extra.size], [own.size, extra.size]
    )
    mean = np.average(values, weights=weights)
    return mean, np.average((values - mean) ** 2, weights=weights) ** 0.5


def known(values):
    return values[np.isfinite(values)].astype("f8")


@pytest.fixture
def others():
    "Features of another region, ten times as steep and as thick."
    parts = [made_up_tiles(n, "train") for n in (8, 9, 10)]
    for part in parts:
        part.inputs["slope"] *= 10
        part.targets["thickness"] *= 10
    return parts


@pytest.mark.parametrize("normalization", ["standard", "samples"])
def test_another_dataset_counts_by_its_share_in_the_normalisation(
    normalization, others
):
    "However many pixels it has: as it does in an epoch, to whole samples."
    tiles = some_tiles()
    keys = {"normalization": normalization, "start": "mean", "batch_size": 8}
    mixing = experiment(extra_training={"dataset": "other", "share": 0.3}, **keys)
    both = prepare(mixing, {**tiles, "extra": others})
    share = pytest.approx(0.25, abs=2e-3)  # 2 of 8
    own, extra = (
        prepare(experiment(**keys), tiles | {"train": some})
        for some in (tiles["train"], others)
    )
    assert share_mixed_in(mixing, len(own.train)) == share
    share = share_mixed_in(mixing, len(own.train))
    of_targets = [known(data.train.targets.numpy()) for data in (own, extra)]
    mean, std = weighted_moments(*of_targets, share)
    assert both.scales.outputs["thickness"].std == pytest.approx(std, rel=1e-6)
    start = np.log1p(np.exp(both.starts["thickness"]))
    assert start == pytest.approx(mean / std, rel=1e-6)
    if normalization == "standard":
        of_slope = [
            np.concatenate([known(tile.inputs["slope"]) for tile in some])
            for some in (tiles["train"], others)
        ]
    else:
        of_slope = [
            known(patches_of(data.train)) * data.scales.inputs["slope"].std
            + data.scales.inputs["slope"].mean
            for data in (own, extra)
        ]
    scale = both.scales.inputs["slope"]
    expected = weighted_moments(*of_slope, share)
    assert (scale.mean, scale.std) == pytest.approx(expected, rel=1e-5)


def patches_of(samples):
    """Return the slope in the patches of all nominal samples."""
    batches = samples.batches(samples.nominal(), 256)
    return np.concatenate(
        [patches["slope"].numpy().ravel() for _, patches, _ in batches]
    )


def test_targets_that_are_known_more_often_elsewhere_count_as_often_as_they_are_met():
    "Each output's by itself: one is known at few of the own points."
    raw = synthetic.experiment() | {"start": "mean", "batch_size": 8}
    raw["extra_training"] = {"dataset": "other", "share": 0.5}
    raw["sampling"] = {"spacing": 50.0, "jitter": False}
    raw["outputs"].append({"name": "slope", "resolution": 50.0, "scalar": True})
    raw["losses_name"]["slope"] = "nan_mae"
    outputs = raw["model_description"]["outputs"]
    outputs["slope"] = outputs["thickness"]
    mixing, tiles = check_experiment(raw, "exp"), some_tiles()
    tiles["extra"] = [made_up_tiles(8, "train")]
    rng = np.random.default_rng(0)
    for split, parts in tiles.items():
        for part in parts:
            steep = part.targets["thickness"] + (600 if split == "extra" else 100)
            if split != "extra":
                steep[rng.random(steep.shape) > 0.05] = np.nan
            part.targets["slope"] = steep
    data = prepare(mixing, tiles)
    batches = make_batches(mixing, Network(mixing))
    generator = torch.Generator().manual_seed(0)
    drawn = torch.cat(
        [
            batch.targets
            for _ in range(20)
            for batch in batches.mixed(data.train, data.extra, generator)
        ]
    )
    for i, name in enumerate(("thickness", "slope")):
        met = drawn[:, i][torch.isfinite(drawn[:, i])].double()
        scale = data.scales.outputs[name]
        assert scale.std == pytest.approx(float(met.std()), rel=0.03)
        start = np.logaddexp(0, data.starts[name]) * scale.std
        assert start == pytest.approx(float(met.mean()), rel=0.01)


def test_another_dataset_is_told_of():
    "By features and digests, which tell models apart."
    tiles = some_tiles()
    other = made_up_tiles(8, "train")
    mixing = experiment(extra_training={"dataset": "other", "share": 0.5})
    alone, both = prepare(mixing, tiles), prepare(mixing, {**tiles, "extra": [other]})
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


def test_samples_of_another_dataset_are_normalised_as_the_own(others):
    "By the scale that the model keeps."
    mixing = experiment(extra_training={"dataset": "other", "share": 0.5})
    data = prepare(mixing, {**some_tiles(), "extra": others})
    alone = prepare(experiment(normalization="none"), {**some_tiles(), "train": others})
    scale = data.scales.inputs["slope"]
    expected = (patches_of(alone.train) - scale.mean) / scale.std
    assert patches_of(data.extra) == pytest.approx(expected, abs=1e-5)
    alone = prepare(experiment(normalization="none"), some_tiles())
    expected = (patches_of(alone.train) - scale.mean) / scale.std
    assert patches_of(data.train) == pytest.approx(expected, abs=1e-5)


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
