"""Samples in batches: shuffled patches, and crops that give the same as patches."""

import pytest
import torch

from glacier_inversion.errors import ExperimentError
from glacier_inversion.patches.symmetries import TURNS, turn_vectors
from glacier_inversion.training.batch import Crops, Patches
from glacier_inversion.training.batches import make_batches
from glacier_inversion.training.data import prepare
from glacier_inversion.training.engine import check_network
from glacier_inversion.training.epoch_log import Tally
from glacier_inversion.training.member import build_member, validate
from glacier_inversion.training.network.network import Network
from tests.training.helpers import (
    experiment,
    made_up_tiles,
    noisy_tiles,
    run_member,
    some_tiles,
    translation_invariant,
)


def numbered(samples):
    """Give every point its number as target, by which batches show what they hold."""
    samples.targets = torch.arange(len(samples.targets), dtype=torch.float32)[:, None]


def dense_and_data(**keys):
    """Return an experiment with crops of 5 x 5 cells, and what it is trained with."""
    sampling = {"spacing": 100.0, "dense": 5}
    checked = translation_invariant(sampling=sampling, **keys)
    parts = [noisy_tiles(1, "train"), noisy_tiles(2, "train")]
    data = prepare(
        checked, {"train": parts, "validation": [noisy_tiles(3, "validation")]}
    )
    return checked, data


@pytest.mark.parametrize("turn", [None, *range(len(TURNS))])
def test_crops_give_the_loss_and_gradient_of_the_same_points_as_patches(
    turn, monkeypatch
):
    "In one pass, for images, coarse images, vectors, scalars, and every turn."
    vectors = [["east", "north"]]
    augmentation = {"flips": True, "rotations": True, "vectors": vectors}
    checked, data = dense_and_data(
        batch_size=60, augmentation=None if turn is None else augmentation
    )
    network = build_member(checked, 0, data.train, data.starts)
    if turn is not None:
        allowed = "glacier_inversion.training.batches.allowed_turns"
        monkeypatch.setattr(allowed, lambda augmentation: torch.tensor([turn]))
    batches = make_batches(checked, network)
    known = data.train.targets.clone()
    numbered(data.train)
    seen = []
    for batch in batches.drawn(data.train, torch.Generator().manual_seed(5)):
        assert isinstance(batch, Crops)
        index = batch.targets[:, 0].long()
        seen += index.tolist()
        turns = None if turn is None else torch.full((len(index),), turn)
        inputs = data.train.source.gather(data.train.points[index], turns)
        if turns is not None:
            turn_vectors(inputs, vectors, turns)
        results = []
        for way in (batch, Patches(inputs, batch.targets)):
            predictions = way.predict(network)
            loss = Tally(checked, data.scales.outputs).add(predictions, known[index])
            network.zero_grad()
            loss.backward()
            gradients = [w.grad.clone() for w in network.parameters()]
            outputs = predictions["thickness"].detach(), loss.detach()
            results.append([*outputs, *gradients])
        for ours, expected in zip(*results, strict=True):
            largest = expected.abs().max()
            assert largest > 0
            torch.testing.assert_close(
                ours, expected, rtol=0, atol=2e-5 * float(largest)
            )
    assert len(set(seen)) == len(seen) == len(data.train)


def test_batches_are_made_of_whole_crops_that_lie_elsewhere_in_each_epoch():
    "About batch_size samples each, every cell's once; the crops' order is drawn."
    checked, data = dense_and_data(batch_size=60)
    batches = make_batches(checked, Network(checked))
    numbered(data.train)
    generator = torch.Generator().manual_seed(0)
    epochs = [list(batches.drawn(data.train, generator)) for _ in range(2)]
    for epoch in epochs:
        sizes = [len(batch.targets) for batch in epoch]
        assert sum(sizes) == len(data.train)
        assert max(sizes) < 60 + 6**2
        assert min(sizes[:-1]) > 60 - 6**2
    orders = [torch.cat([b.targets for b in epoch]).flatten() for epoch in epochs]
    assert not torch.equal(*orders)
    # crops are 5 cells of 2 points, and as many as blocks of the network need
    places = torch.cat([torch.cat([b.row, b.col]) for b in epochs[0]])
    assert (int(places.min()), int(places.max())) == (0, 12 - 1)
    for batch in epochs[0]:
        _, counts = torch.unique(batch.crop, return_counts=True)
        assert int(counts.max()) <= 6**2


def test_validation_is_the_same_in_crops_and_in_patches():
    "At the nominal points; another batch size and other sums."
    checked, data = dense_and_data()
    network = build_member(checked, 0, data.train, data.starts)
    patchwise = checked.model_copy(
        update={"sampling": checked.sampling.model_copy(update={"dense": None})}
    )
    logs = [
        validate(
            e, network, data.validation, make_batches(e, network), data.scales.outputs
        ).log("")
        for e in (checked, patchwise)
    ]
    assert logs[0] == pytest.approx(logs[1], rel=1e-5)
    without = checked.model_copy(update={"criterion": "loss"})
    nothing = prepare(without, {"train": [noisy_tiles(1, "train")], "validation": []})
    assert list(make_batches(checked, network).nominal(nothing.validation, 8)) == []


def count_mixed(checked, tiles, generator):
    """Return the targets of each batch, numbered from 1, those mixed in from -1 on."""
    data = prepare(checked, tiles)
    numbered(data.train)
    numbered(data.extra)
    data.train.targets += 1
    data.extra.targets = -1 - data.extra.targets
    batches = make_batches(checked, Network(checked))
    return [
        batch.targets.flatten().tolist()
        for batch in batches.mixed(data.train, data.extra, generator)
    ]


def test_every_batch_has_the_share_of_another_dataset():
    "Each own sample comes once; those of few others again when all have come."
    extra = {"dataset": "other", "share": 0.25}
    checked = experiment(extra_training=extra, sampling={"spacing": 50.0})
    tiles = {**some_tiles(), "extra": [made_up_tiles(7, "train", 12)]}
    first = count_mixed(checked, tiles, torch.Generator().manual_seed(3))
    assert {len(batch) for batch in first[:-1]} == {32}
    for batch in first[:-1]:
        assert sum(number < 0 for number in batch) == 8
    last = [sum(number < 0 for number in first[-1]), len(first[-1])]
    assert last[0] == round(last[1] / 4)
    own, others = (
        [int(n) for batch in first for n in batch if (n < 0) == of_others]
        for of_others in (False, True)
    )
    data = prepare(checked, tiles)
    assert sorted(own) == list(range(1, len(data.train) + 1))
    n = len(data.extra)
    assert n < len(others)
    assert sorted(others[:n]) == [*range(-n, 0)]
    again = count_mixed(checked, tiles, torch.Generator().manual_seed(3))
    assert again == first
    assert count_mixed(checked, tiles, torch.Generator().manual_seed(4)) != first


def test_crops_are_mixed_as_patches_are():
    "With the predictions of either alone, and the share, which crops have roughly."
    extra = {"dataset": "other", "share": 0.5}
    checked, data = dense_and_data(batch_size=80, extra_training=extra)
    own = {"train": [noisy_tiles(1, "train")], "validation": [noisy_tiles(3, "")]}
    data = prepare(checked, {**own, "extra": [noisy_tiles(n, "") for n in (8, 9)]})
    network = build_member(checked, 0, data.train, data.starts)
    batches = make_batches(checked, network)

    def generator():
        return torch.Generator().manual_seed(2)

    alone = batches.drawn(data.train, generator(), 40)
    seen = 0
    for batch, part in zip(
        batches.mixed(data.train, data.extra, generator()), alone, strict=True
    ):
        n = len(part.targets)
        assert isinstance(batch, Crops)
        assert len(batch.targets) == 2 * n
        mixed = batch.predict(network)["thickness"]
        assert torch.equal(batch.first(n).targets, part.targets)
        torch.testing.assert_close(mixed[:n], part.predict(network)["thickness"])
        assert not torch.equal(mixed[n:], mixed[:n])
        seen += n
    assert seen == len(data.train)


def test_a_network_that_pads_cannot_be_trained_in_crops():
    "The message names the operation, before data are read."
    checked = experiment(sampling={"spacing": 50.0, "dense": 4})
    with pytest.raises(ExperimentError, match=r"sampling\.dense: inputs\.slope\[0\] p"):
        check_network(checked)


def test_training_in_crops_learns_and_goes_on(tmp_path):
    "An epoch is as many samples; the loss falls; the log is that of patches in kind."
    checked = translation_invariant(
        epochs=6,
        sampling={"spacing": 50.0, "dense": 6},
        losses_name={"thickness": "nan_mse"},
    )
    parts = {
        "train": [noisy_tiles(1, "train")],
        "validation": [noisy_tiles(3, "validation")],
    }
    log = run_member(checked, tmp_path, tiles=parts)
    assert log[-1]["loss"] < 0.8 * log[0]["loss"]
    assert "val_thickness_nan_rmse" in log[0]


def test_samples_are_shuffled_anew_in_each_epoch_and_drawn_anew():
    "A shuffle whose result is used; jitter draws other points."
    checked = experiment(sampling={"spacing": 200.0})
    data = prepare(checked, some_tiles())
    numbered(data.train)
    generator = torch.Generator().manual_seed(0)

    def epoch(chosen):
        batches = make_batches(chosen, Network(chosen)).drawn(data.train, generator)
        return torch.cat([batch.targets for batch in batches]).flatten().tolist()

    first, second = epoch(checked), epoch(checked)
    assert first != sorted(first)
    assert sorted(first) != sorted(second)
    still = experiment(sampling={"spacing": 200.0, "jitter": False})
    third, fourth = epoch(still), epoch(still)
    assert third != fourth
    assert sorted(third) == sorted(fourth) == data.train.nominal().index.tolist()
