"""Members that take each step together: what each would have become alone."""

import threading

import pytest
import torch
from safetensors.torch import load_file

from glacier_inversion.errors import StoppedError
from glacier_inversion.experiment import check_experiment
from glacier_inversion.training.batches import Patches, make_batches, predict_together
from glacier_inversion.training.devices import open_device
from glacier_inversion.training.ensemble import prepare, train
from glacier_inversion.training.member import build_member
from glacier_inversion.training.network import Network
from glacier_inversion.training.tally import Tally
from glacier_inversion.training.together import train_together
from glacier_inversion.workspace import Workspace
from tests.benchmarks.draw import NETWORKS, describe
from tests.test_batches import tiles, translation_invariant
from tests.test_training import Hearing, experiment, read_log, some_tiles

# Of weights after some epochs, and of logs: sums are rounded in another order, and
# optimizers carry that on.
TOLERANCE = 2e-3


@pytest.mark.parametrize("name", NETWORKS)
def test_stacked_networks_give_each_its_own_outputs_and_gradients(name):
    "As one by one, but for rounding, for networks of the published kinds."
    checked = check_experiment(describe(name, [64]), "exp")
    networks, batches = [], []
    for seed in range(3):
        torch.manual_seed(seed)
        networks.append(Network(checked))
        images = {
            v.name: torch.rand(5, 1, *(2 * [round(400 / v.resolution)]))
            for v in checked.inputs
        }
        batches.append(Patches(images, torch.rand(5, 1)))
    results = []
    for together in (False, True):
        if together:
            outputs = predict_together(networks, batches)
        else:
            pairs = zip(networks, batches, strict=True)
            outputs = [batch.predict(network) for network, batch in pairs]
        outputs = [output["thickness"] for output in outputs]
        for network in networks:
            network.zero_grad()
        sum(output.square().sum() for output in outputs).backward()
        gradients = [w.grad.clone() for n in networks for w in n.parameters()]
        results.append([*(output.detach() for output in outputs), *gradients])
    for one, stacked in zip(*results, strict=True):
        largest = max(float(one.abs().max()), 1e-6)
        torch.testing.assert_close(stacked, one, rtol=0, atol=2e-5 * largest)


def compare(one, together):
    """Compare the logs and weights of two members, within the tolerance."""
    logs = read_log(one), read_log(together)
    for a, b in zip(*logs, strict=True):
        assert a == pytest.approx(b, rel=TOLERANCE, abs=TOLERANCE)
    first, second = (load_file(f / "best.safetensors") for f in (one, together))
    for name, weight in first.items():
        scale = float(weight.abs().max()) or 1.0
        torch.testing.assert_close(second[name], weight, rtol=0, atol=TOLERANCE * scale)


def test_members_trained_together_are_those_trained_alone(tmp_path):
    "Five of them, three at a time: each with its samples, rate, log and end."
    checked = experiment(
        epochs=6,
        patience=1,
        early_stopping=2,
        augmentation={"flips": True, "rotations": True},
    )
    data = prepare(checked, some_tiles())
    for n in (1, 3):
        hearing = Hearing()
        members = {seed: tmp_path / f"{n}/{seed}" for seed in range(5)}
        train_together(checked, data, members, n, threading.Event(), hearing)
        assert hearing.ended == dict.fromkeys(range(5))
    for seed in range(5):
        compare(tmp_path / f"1/{seed}", tmp_path / f"3/{seed}")


def test_a_group_that_is_stopped_goes_on(tmp_path):
    "Within the epoch, in another grouping."
    checked = experiment(epochs=3, batch_size=16)
    data = prepare(checked, some_tiles())
    members = {seed: tmp_path / f"cut/{seed}" for seed in range(3)}
    stop = threading.Event()

    def stop_in_second_epoch(log, seconds):
        stop.set()

    with pytest.raises(StoppedError):
        train_together(checked, data, members, 3, stop, Hearing(stop_in_second_epoch))
    stop.clear()
    train_together(checked, data, members, 2, stop, Hearing())
    alone = {seed: tmp_path / f"alone/{seed}" for seed in range(3)}
    train_together(checked, data, alone, 1, stop, Hearing())
    for seed in range(3):
        compare(alone[seed], members[seed])


def test_crops_may_be_trained_together(tmp_path):
    "They differ in number and are evaluated one member after the other."
    checked = translation_invariant(
        sampling={"spacing": 100.0, "dense": 4}, batch_size=40
    )
    data = prepare(
        checked, {"train": [tiles(1, "train")], "validation": [tiles(3, "v")]}
    )
    networks = [build_member(checked, seed, data.train) for seed in range(2)]
    batches = make_batches(checked, networks[0])
    drawn = [
        next(batches.drawn(data.train, torch.Generator().manual_seed(seed)))
        for seed in range(2)
    ]
    outputs = predict_together(networks, drawn)
    for network, batch, output in zip(networks, drawn, outputs, strict=True):
        expected = batch.predict(network)["thickness"]
        assert torch.equal(output["thickness"], expected)
        Tally(checked, data.scales.outputs).add(output, batch.targets).backward()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_trains_the_same_members(tmp_path):
    "Within the tolerance, all at a time."
    checked = experiment(epochs=3, seeds_number=3, augmentation={"flips": True})
    device = open_device("cuda")
    train(checked, some_tiles(), Workspace(tmp_path / "gpu"), device=device, jobs=None)
    train(checked, some_tiles(), Workspace(tmp_path / "cpu"))
    for seed in range(3):
        one, other = (
            Workspace(tmp_path / name).member("small", seed) for name in ("cpu", "gpu")
        )
        compare(one, other)
