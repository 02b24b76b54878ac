"""Members that take each step together: what each would have become alone."""

from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch

from glacier_inversion.errors import DeviceMemoryError, StoppedError
from glacier_inversion.experiment.experiment import check_experiment
from glacier_inversion.machine.interrupts import Flag
from glacier_inversion.training.batch import Patches, predict_stacked
from glacier_inversion.training.batches import make_batches
from glacier_inversion.training.data import prepare
from glacier_inversion.training.engine import train_members
from glacier_inversion.training.epoch_log import Tally
from glacier_inversion.training.member import build_member
from glacier_inversion.training.network.devices import open_device
from glacier_inversion.training.network.network import Network
from glacier_inversion.training.stacked import train_stacked
from glacier_inversion.workspace import Workspace
from tests.benchmarks.draw import NETWORKS, describe
from tests.stand_in_gpu import StandInGpu
from tests.training.helpers import (
    Hearing,
    compare_members,
    experiment,
    noisy_tiles,
    some_tiles,
    translation_invariant,
)


@pytest.mark.parametrize("name", NETWORKS)
def test_stacked_networks_give_each_its_own_outputs_and_gradients(name):
    "As one by one, but for rounding, for networks of the published kinds."
    checked = check_experiment(describe(name, [64]), "exp")
    networks, batches = [], []
    for seed in range(3):
        torch.manual_seed(seed)
        networks.append(Network(checked))
        networks[-1].start_at({"thickness": 0.5 * seed})
        images = {
            v.name: torch.rand(5, 1, *(2 * [round(400 / v.resolution)]))
            for v in checked.inputs
        }
        batches.append(Patches(images, torch.rand(5, 1)))
    results = []
    for together in (False, True):
        if together:
            outputs = predict_stacked(networks, batches)
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
        train_stacked(checked, data, members, n, Flag(), hearing)
        assert hearing.ended == dict.fromkeys(range(5))
    for seed in range(5):
        compare_members(tmp_path / f"1/{seed}", tmp_path / f"3/{seed}")


def test_a_group_that_is_stopped_goes_on(tmp_path):
    "Within the epoch, in another grouping."
    checked = experiment(epochs=3, batch_size=16)
    data = prepare(checked, some_tiles())
    members = {seed: tmp_path / f"cut/{seed}" for seed in range(3)}
    stop = Flag()

    def stop_in_second_epoch(log, seconds):
        stop.set()

    with pytest.raises(StoppedError):
        train_stacked(checked, data, members, 3, stop, Hearing(stop_in_second_epoch))
    train_stacked(checked, data, members, 2, Flag(), Hearing())
    alone = {seed: tmp_path / f"alone/{seed}" for seed in range(3)}
    train_stacked(checked, data, alone, 1, Flag(), Hearing())
    for seed in range(3):
        compare_members(alone[seed], members[seed])


def test_crops_may_be_trained_together(tmp_path):
    "They differ in number and are evaluated one member after the other."
    checked = translation_invariant(
        sampling={"spacing": 100.0, "dense": 4}, batch_size=40
    )
    data = prepare(
        checked,
        {"train": [noisy_tiles(1, "train")], "validation": [noisy_tiles(3, "v")]},
    )
    networks = [
        build_member(checked, seed, data.train, data.starts) for seed in range(2)
    ]
    batches = make_batches(checked, networks[0])
    drawn = [
        next(batches.drawn(data.train, torch.Generator().manual_seed(seed)))
        for seed in range(2)
    ]
    outputs = predict_stacked(networks, drawn)
    for network, batch, output in zip(networks, drawn, outputs, strict=True):
        expected = batch.predict(network)["thickness"]
        assert torch.equal(output["thickness"], expected)
        Tally(checked, data.scales.outputs).add(output, batch.targets).backward()


def two_outputs(**keys):
    """Return an experiment with a scalar, vectors, and a mean with its variance."""
    raw = translation_invariant(**keys).model_dump(mode="json", by_alias=True)
    raw["outputs"].append({"name": "bed", "resolution": 50.0, "scalar": True})
    raw["losses_name"]["bed"] = "gaussian_nll"
    raw["metrics_name"]["bed"] = ["rmse"]
    raw["criterion"] = "val_bed_rmse"
    raw["weight_decay"] = 0.001
    own = {"name": "denses", "filters": [4, 2], "last_activation": "linear"}
    raw["model_description"]["outputs"]["bed"] = {"operations": [own]}
    rasters = raw["dataset_description"]["rasters"]
    rasters.append({"name": "bed", "resolution": 50.0, "file": "bed.tif"})
    return check_experiment(raw, "exp")


def two_targets():
    """Return its tiles: one target has gaps, the other has none."""
    parts = {"train": [noisy_tiles(1, "train"), noisy_tiles(2, "train")]}
    parts["validation"] = [noisy_tiles(3, "validation")]
    return {
        split: [
            replace(t, targets=t.targets | {"bed": t.inputs["height"] + 1})
            for t in part
        ]
        for split, part in parts.items()
    }


ALL_TURNS = {"flips": True, "rotations": True, "vectors": [["east", "north"]]}
TRAINED_ON_A_GPU = {
    "patches": lambda: (
        experiment(epochs=3, seeds_number=3, augmentation={"flips": True}),
        some_tiles(),
    ),
    "two outputs": lambda: (
        two_outputs(epochs=2, seeds_number=2, augmentation=ALL_TURNS),
        two_targets(),
    ),
    "crops": lambda: (
        two_outputs(
            epochs=2,
            seeds_number=2,
            augmentation=ALL_TURNS,
            sampling={"spacing": 100.0, "dense": 4},
        ),
        two_targets(),
    ),
    "nominal crops": lambda: (
        two_outputs(
            epochs=2,
            seeds_number=2,
            optimizer_name="nadam",
            sampling={"spacing": 100.0, "dense": 4, "jitter": False},
        ),
        two_targets(),
    ),
}


@pytest.mark.parametrize("kind", TRAINED_ON_A_GPU)
@pytest.mark.parametrize("n_at_once", [1, 3])
def test_what_trains_on_a_gpu_never_mixes_devices(tmp_path, kind, n_at_once):
    "One at a time, and all: the processor's members within the tolerance."
    checked, parts = TRAINED_ON_A_GPU[kind]()
    data, members = prepare(checked, parts), {}

    def run(name, data, n):
        seeds, hearing = range(checked.seeds_number), Hearing()
        members[name] = {seed: tmp_path / f"{name}/{seed}" for seed in seeds}
        train_stacked(checked, data, members[name], n, Flag(), hearing)
        assert hearing.ended == dict.fromkeys(seeds)

    run("cpu", data, 1)
    with StandInGpu() as gpu:
        run("gpu", data.to(torch.device("cuda")), n_at_once)
        assert gpu.peak > data.train.nbytes + data.validation.nbytes
    for seed, folder in members["cpu"].items():
        compare_members(folder, members["gpu"][seed])


def test_all_that_training_does_is_done_on_a_gpu(tmp_path):
    "As the command does it: how many at a time is estimated, curves are drawn."
    checked, parts = TRAINED_ON_A_GPU["crops"]()
    with StandInGpu():
        place = Workspace(tmp_path)
        folders = train_members(
            checked, parts, place.model("small"), device=open_device("auto"), jobs=None
        )
    assert [folder.name for folder in folders] == ["seed_000", "seed_001"]
    assert (place.model("small") / "training_curves.png").exists()


@pytest.mark.parametrize("first", ["cpu", "cuda"])
@pytest.mark.parametrize(
    ("kind", "optimizer"),
    [
        ("patches", "adam"),
        ("patches", "nadam"),
        ("two outputs", "rmsprop"),
        ("crops", "adamw"),
        ("crops", "sgd"),
    ],
)
def test_a_checkpoint_goes_on_on_the_other_device(tmp_path, kind, optimizer, first):
    "Written within an epoch; the rest is trained elsewhere."
    checked, parts = TRAINED_ON_A_GPU[kind]()
    keys = {"optimizer_name": optimizer, "learning_rate": 1e-3}
    checked = checked.model_copy(update=keys)
    data = prepare(checked, parts)
    alone = {0: tmp_path / "alone"}
    train_stacked(checked, data, alone, 1, Flag(), Hearing())
    cut, stop = {0: tmp_path / "cut"}, Flag()

    def run(device):
        with StandInGpu() if device == "cuda" else nullcontext():
            own = data.to(torch.device(device))
            train_stacked(checked, own, cut, 1, stop, hearing)

    hearing = Hearing(lambda log, seconds: stop.set())
    with pytest.raises(StoppedError):
        run(first)
    hearing, stop = Hearing(), Flag()
    run("cuda" if first == "cpu" else "cpu")
    assert hearing.ended == {0: None}
    compare_members(alone[0], cut[0])


def test_samples_that_a_gpu_does_not_hold_are_named(tmp_path):
    "Before anything is trained."
    place, words = Workspace(tmp_path), r"samples, 1 MB\. .* --device cpu\.$"
    with StandInGpu(capacity=10_000):
        device = open_device("cuda")
        with pytest.raises(DeviceMemoryError, match=words):
            train_members(
                experiment(), some_tiles(), place.model("small"), device=device
            )


@pytest.mark.slow
def test_members_that_a_gpu_does_not_hold_go_on_where_they_were(tmp_path):
    "The message says what to lower; fewer at a time, or the processor, go on."
    checked = experiment(epochs=2, seeds_number=3)
    place, whole = Workspace(tmp_path / "gpu"), StandInGpu()
    with whole:
        device = open_device("cuda")
        every = Workspace(tmp_path / "whole")
        train_members(
            checked, some_tiles(), every.model("small"), device=device, jobs=3
        )
    words = (
        r"does not suffice \(CUDA out of memory\. Tried to allocate \d+ bytes\)\. Must "
        r"hold the samples, 1 MB, and a step of {}\. Say {}--device cpu, and it goes on "
        r"where it was; or lower batch_size, and start anew with --overwrite\."
    )
    for n, place_of_failure, said in (
        (3, whole.n_made * 3 // 4, ("3 members", "--jobs 1 or ")),
        (1, 2000, ("one member", "")),
    ):
        with (
            StandInGpu(fail_at=place_of_failure),
            pytest.raises(DeviceMemoryError, match=words.format(*said)),
        ):
            train_members(
                checked, some_tiles(), place.model("small"), device=device, jobs=n
            )
    assert list(place.model("small").rglob("checkpoint.pt"))
    train_members(checked, some_tiles(), place.model("small"))
    for seed in range(3):
        compare_members(every.member("small", seed), place.member("small", seed))


def test_a_checkpoint_that_a_gpu_does_not_hold_is_not_called_broken(tmp_path):
    "Wherever memory ends while it is read; it still serves."
    checked, parts = TRAINED_ON_A_GPU["patches"]()
    data, members = prepare(checked, parts), {0: tmp_path}

    def stop_at_once(log, seconds):
        raise KeyboardInterrupt

    never = Flag()
    with pytest.raises(KeyboardInterrupt):
        train_stacked(checked, data, members, 1, never, Hearing(stop_at_once))

    def resume(fail_at):
        hearing, gpu = Hearing(stop_at_once), StandInGpu()
        with gpu:
            own = data.to(torch.device("cuda"))
            gpu.fail_at = gpu.n_made + fail_at
            train_stacked(checked, own, members, 1, never, hearing)

    n_refused = 0
    for place in range(1, 200, 9):
        # stopped where its first epoch is heard of: all is read by then
        with pytest.raises((torch.cuda.OutOfMemoryError, KeyboardInterrupt)) as caught:
            resume(place)
        n_refused += caught.type is not KeyboardInterrupt
    assert n_refused > 5
    hearing = Hearing()
    train_stacked(checked, data, members, 1, never, hearing)
    assert hearing.ended == {0: None}


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("kind", ["two outputs", "crops"])
def test_a_gpu_trains_every_kind_of_member(tmp_path, kind):
    "Crops and patches, all members at a time, within the tolerance."
    checked, parts = TRAINED_ON_A_GPU[kind]()
    train_members(checked, parts, Workspace(tmp_path / "cpu").model("small"))
    place, device = Workspace(tmp_path / "gpu"), open_device("cuda")
    train_members(checked, parts, place.model("small"), device=device, jobs=None)
    for seed in range(checked.seeds_number):
        one, other = (
            Workspace(tmp_path / name).member("small", seed) for name in ("cpu", "gpu")
        )
        compare_members(one, other)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_trains_the_same_members(tmp_path):
    "Within the tolerance, all at a time."
    checked = experiment(epochs=3, seeds_number=3, augmentation={"flips": True})
    device = open_device("cuda")
    train_members(
        checked,
        some_tiles(),
        Workspace(tmp_path / "gpu").model("small"),
        device=device,
        jobs=None,
    )
    train_members(checked, some_tiles(), Workspace(tmp_path / "cpu").model("small"))
    for seed in range(3):
        one, other = (
            Workspace(tmp_path / name).member("small", seed) for name in ("cpu", "gpu")
        )
        compare_members(one, other)
