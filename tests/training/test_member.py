"""A member: from the seed alone, every setting with its effect, nothing lost."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from glacier_inversion.errors import StoppedError, TrainingError, WorkspaceError
from glacier_inversion.experiment.experiment import check_experiment
from glacier_inversion.experiment.extra_training import steps_per_epoch
from glacier_inversion.machine.interrupts import Flag
from glacier_inversion.training import member as member_module
from glacier_inversion.training.batches import make_batches
from glacier_inversion.training.data import prepare
from glacier_inversion.training.member import build_member
from glacier_inversion.training.network.network import Network
from tests import synthetic
from tests.training.helpers import (
    FailedError,
    experiment,
    made_up_tiles,
    read_log,
    run_member,
    some_tiles,
    train_member,
)


def test_a_network_learns_a_known_function(tmp_path):
    "The value at the centre of a smoothed input, to a fifth of its spread."
    checked = experiment(
        epochs=16,
        batch_size=64,
        area_size=200.0,
        sampling={"spacing": 50.0},
        losses_name={"thickness": "mse"},
        metrics_name={"thickness": ["rmse"]},
        learning_rate=1e-2,
    )
    tiles = {
        split: [made_up_tiles(seed, split, n_px=40) for seed in seeds]
        for split, seeds in (("train", (1, 2)), ("validation", (3,)))
    }
    log = run_member(checked, tmp_path, tiles=tiles)
    spread = prepare(checked, tiles).validation.targets.numpy().std()
    assert min(row["val_thickness_rmse"] for row in log) < 0.2 * spread


def test_the_same_seed_gives_the_same_bytes_and_another_others(tmp_path):
    "On the CPU, bit for bit, log included; torch's own generator is left alone."
    checked = experiment(epochs=2, augmentation={"flips": True, "rotations": True})
    torch.manual_seed(123)
    before = torch.get_rng_state()
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        run_member(checked, tmp_path / name, seed)
    assert torch.equal(torch.get_rng_state(), before)
    for file in ("best.safetensors", "log.csv"):
        a, b, c = ((tmp_path / name / file).read_bytes() for name in "abc")
        assert a == b
        assert a != c


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "nadam", "rmsprop", "sgd"])
@pytest.mark.parametrize("killed_after", [1, 5])
def test_a_killed_run_goes_on_to_the_same_weights(tmp_path, optimizer, killed_after):
    "Checkpoint of weights, optimizer, plateau, generator and log."
    checked = experiment(
        epochs=6, optimizer_name=optimizer, patience=1, augmentation={"flips": True}
    )
    run_member(checked, tmp_path / "whole")

    class Killed(BaseException):
        pass

    def kill(log, seconds):
        if log["epoch"] == killed_after:
            raise Killed

    data = prepare(checked, some_tiles())
    with pytest.raises(Killed):
        train_member(checked, data, 0, tmp_path / "killed", kill)
    assert not (tmp_path / "killed" / "best.safetensors").exists()
    heard = []
    train_member(
        checked, data, 0, tmp_path / "killed", lambda *epoch: heard.append(epoch)
    )
    assert [log["epoch"] for log, _ in heard] == list(range(6))
    # an epoch that was trained before takes no time
    assert [seconds > 0 for _, seconds in heard] == [
        epoch > killed_after for epoch in range(6)
    ]
    for file in ("best.safetensors", "log.csv"):
        whole, killed = (
            (tmp_path / n / file).read_bytes() for n in ("whole", "killed")
        )
        assert whole == killed
    assert sorted(p.name for p in (tmp_path / "killed").iterdir()) == [
        "best.safetensors",
        "log.csv",
    ]


@pytest.mark.parametrize("stopped_at", [1, 4, 9])
@pytest.mark.parametrize("share", [None, 0.25])
def test_a_member_that_is_stopped_goes_on_within_the_epoch(tmp_path, stopped_at, share):
    "No step is taken twice, none is left out; log and weights are the same bytes."
    checked = experiment(
        epochs=3,
        batch_size=16,
        augmentation={"flips": True, "rotations": True},
        extra_training=share and {"dataset": "other", "share": share},
    )
    tiles = some_tiles()
    if share:
        tiles["extra"] = [made_up_tiles(8, "train")]
    data = prepare(checked, tiles)
    train_member(checked, data, 0, tmp_path / "whole", lambda *_: None)

    class Stop(Flag):
        n_asked = 0

        def is_set(self):
            self.n_asked += 1
            return self.n_asked == stopped_at

    steps = steps_per_epoch(checked, len(data.train))
    stop = Stop()
    with pytest.raises(StoppedError, match="Run it again"):
        train_member(checked, data, 0, tmp_path / "cut", lambda *_: None, stop)
    assert stop.n_asked == stopped_at
    train_member(checked, data, 0, tmp_path / "cut", lambda *_: None, stop)
    assert stop.n_asked == 3 * steps
    for file in ("best.safetensors", "log.csv"):
        whole, cut = ((tmp_path / n / file).read_bytes() for n in ("whole", "cut"))
        assert whole == cut


@pytest.mark.parametrize("file", ["checkpoint.pt", "log.csv", "best.safetensors"])
def test_a_full_disk_is_a_message_and_harms_nothing(tmp_path, monkeypatch, file):
    "What was there stays; with space, training goes on to the same weights."
    checked = experiment(epochs=3)
    data = prepare(checked, some_tiles())
    train_member(checked, data, 0, tmp_path / "whole", lambda *_: None)
    original, n_written = Path.write_bytes, 0

    def write(path, content):
        nonlocal n_written
        n_written += path.name.startswith(f".{file.partition('.')[0]}")
        if n_written == (1 if file == "best.safetensors" else 2):
            original(path, content[:10])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return original(path, content)

    folder = tmp_path / "full"
    monkeypatch.setattr(Path, "write_bytes", write)
    with pytest.raises(WorkspaceError, match=f"{file}: cannot be written .No space"):
        train_member(checked, data, 0, folder, lambda *_: None)
    monkeypatch.undo()
    assert sorted(p.name for p in folder.iterdir()) == ["checkpoint.pt", "log.csv"]
    train_member(checked, data, 0, folder, lambda *_: None)
    for name in ("best.safetensors", "log.csv"):
        assert (folder / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
        assert (folder / name).stat().st_mode & 0o044  # others may read it


def test_a_kill_between_log_and_checkpoint_loses_nothing(tmp_path, monkeypatch):
    "In the last epoch, where nothing would write the log again."
    checked = experiment(epochs=3)
    run_member(checked, tmp_path / "whole")
    data = prepare(checked, some_tiles())
    original = member_module.write_checkpoint

    def killed(path, state):
        if len(state["logs"]) == 3:
            raise KeyboardInterrupt
        original(path, state)

    monkeypatch.setattr(member_module, "write_checkpoint", killed)
    with pytest.raises(KeyboardInterrupt):
        train_member(checked, data, 0, tmp_path / "killed", lambda *_: None)
    monkeypatch.undo()
    train_member(checked, data, 0, tmp_path / "killed", lambda *_: None)
    for file in ("best.safetensors", "log.csv"):
        whole, killed = (
            (tmp_path / n / file).read_bytes() for n in ("whole", "killed")
        )
        assert whole == killed


def test_best_epoch_is_kept(tmp_path):
    "The weights are those of the epoch with the best criterion, not the last."
    checked = experiment(epochs=8, criterion="val_nan_bias")
    data = prepare(checked, some_tiles())
    train_member(checked, data, 0, tmp_path, lambda *_: None)
    log = read_log(tmp_path)
    biases = [abs(row["val_thickness_nan_bias"]) for row in log]
    assert min(biases) < biases[-1]
    network = member_module.build_member(checked, 0, data.train, data.starts)
    weights = safetensors.torch.load_file(tmp_path / "best.safetensors")
    network.load_state_dict(weights)
    batches = make_batches(checked, network)
    again = member_module.validate(
        checked, network, data.validation, batches, data.scales.outputs
    ).log("val_")
    assert abs(again["val_thickness_nan_bias"]) == pytest.approx(min(biases), rel=1e-5)


def test_members_start_where_they_are_told():
    "At the mean of the targets, if so; it is kept with the weights."
    checked = experiment(start="mean")
    data = prepare(checked, some_tiles())
    member = build_member(checked, 0, data.train, data.starts)
    weights = member.state_dict()
    (name,) = (name for name in weights if name.endswith(".start"))
    assert float(weights[name]) == pytest.approx(data.starts["thickness"])
    twin = Network(checked)
    twin.load_state_dict(weights)
    (_, batch, _), *_ = data.train.batches(data.train.nominal(), 8)
    expected = member(batch)["thickness"]
    assert torch.equal(twin(batch)["thickness"], expected)
    at_zero = experiment()
    data = prepare(at_zero, some_tiles())
    assert data.starts == {}
    member = build_member(at_zero, 0, data.train, data.starts)
    assert member.state_dict().keys() == weights.keys() - {name}
    assert (member(batch)["thickness"] < expected).all()


def test_members_are_alive_from_birth():
    "A dead ReLU is drawn again from the same seed's generator."
    raw = synthetic.experiment()
    tail = raw["model_description"]["outputs"]["thickness"]["operations"]
    tail[0].update(filters=[1], last_activation="relu")
    raw["model_description"]["main"]["operations"][1]["filters"] = [1]
    checked = check_experiment(raw, "exp")
    data = prepare(checked, some_tiles())
    n_dead = 0
    for seed in range(20):
        torch.manual_seed(seed)
        (_, batch, _), *_ = data.train.batches(data.train.nominal(), 1000)
        fresh = Network(checked)
        n_dead += float(fresh(batch)["thickness"].detach().std()) == 0
        member = build_member(checked, seed, data.train, data.starts)
        assert float(member(batch)["thickness"].detach().std()) > 0
        twin = build_member(checked, seed, data.train, data.starts)
        for a, b in zip(member.parameters(), twin.parameters(), strict=True):
            assert torch.equal(a, b)
    assert n_dead > 0  # else this test would show nothing


def test_a_network_that_cannot_live_is_an_error():
    "Constant inputs, no bias in the way: nothing varies."
    tiles = some_tiles()
    for part in tiles["train"] + tiles["validation"]:
        part.inputs["slope"][:] = 1
        part.inputs["speed"][:] = 1
    checked = experiment()
    data = prepare(checked, tiles)
    with pytest.raises(TrainingError, match="dead from birth"):
        build_member(checked, 0, data.train, data.starts)


def test_a_loss_that_explodes_is_an_error_that_names_the_epoch(tmp_path):
    "Not a member of NaN."
    checked = experiment(learning_rate=9e8, optimizer_name="sgd", epochs=5)
    with pytest.raises(FailedError, match=r"seed_000: epoch \d+: val_loss is"):
        run_member(checked, tmp_path / "seed_000")
    assert not (tmp_path / "seed_000" / "best.safetensors").exists()


def test_an_output_that_stays_constant_ends_its_member(tmp_path):
    "A ReLU that a large step has killed; after three epochs, which are named."
    raw = synthetic.experiment() | {"learning_rate": 1.0, "optimizer_name": "sgd"}
    last = raw["model_description"]["outputs"]["thickness"]["operations"][0]
    last["last_activation"] = "relu"
    with pytest.raises(FailedError, match=r"epoch 2: an output has been the same"):
        run_member(check_experiment(raw, "exp"), tmp_path)
    assert not (tmp_path / "best.safetensors").exists()


def test_best_weights_that_are_constant_are_warned_of(tmp_path, caplog):
    "Too few epochs to end the member for it; one whose output varies has no warning."
    raw = synthetic.experiment() | {"epochs": 2}
    run_member(check_experiment(raw, "exp"), tmp_path / "alive")
    assert not caplog.records
    raw |= {"learning_rate": 1.0, "optimizer_name": "sgd"}
    last = raw["model_description"]["outputs"]["thickness"]["operations"][0]
    last["last_activation"] = "relu"
    run_member(check_experiment(raw, "exp"), tmp_path / "dead")
    (record,) = caplog.records
    assert "dead: the best weights give the same output" in record.getMessage()
    assert record.levelname == "WARNING"


def test_several_outputs_are_weighted_and_classes_keep_their_targets(tmp_path):
    "loss = sum of weight x loss; metrics in the targets' own units."
    raw = synthetic.experiment() | {"epochs": 2, "loss_weights": {"thickness": 0.25}}
    raw["outputs"].append({"name": "ice", "resolution": 50.0, "scalar": True})
    raw["dataset_description"]["rasters"].append(
        {"name": "ice", "resolution": 50.0, "file": "ice.tif"}
    )
    raw["losses_name"]["ice"] = "nan_binary_crossentropy"
    raw["metrics_name"]["ice"] = ["nan_binary_accuracy"]
    raw["criterion"] = "val_ice_nan_binary_accuracy"
    raw["model_description"]["outputs"]["ice"] = {
        "operations": [{"name": "denses", "filters": [1], "last_activation": "sigmoid"}]
    }
    checked = check_experiment(raw, "exp")
    tiles = some_tiles()
    for part in tiles["train"] + tiles["validation"]:
        ice = (part.inputs["slope"] > 20).astype("f4")
        ice[::2] = np.nan
        part.targets["ice"] = ice
        part.targets["thickness"][1::3] = np.nan
    data = prepare(checked, tiles)
    assert data.scales.outputs["ice"].std == 1  # a sigmoid could not reach more
    for row in run_member(checked, tmp_path, tiles=tiles):
        for prefix in ("", "val_"):
            expected = 0.25 * row[f"{prefix}thickness_loss"] + row[f"{prefix}ice_loss"]
            assert row[f"{prefix}loss"] == pytest.approx(expected)
            assert row[f"{prefix}thickness_nan_mae"] == pytest.approx(
                row[f"{prefix}thickness_loss"] * data.scales.outputs["thickness"].std,
                rel=1e-5,
            )
            assert 0 <= row[f"{prefix}ice_nan_binary_accuracy"] <= 1


def test_gaussian_likelihood_trains(tmp_path):
    "A mean and a variance from one output."
    raw = synthetic.experiment() | {
        "epochs": 6,
        "losses_name": {"thickness": "gaussian_nll"},
    }
    tail = raw["model_description"]["outputs"]["thickness"]["operations"][0]
    tail["filters"] = [16, 2]
    log = run_member(check_experiment(raw, "exp"), tmp_path)
    assert log[-1]["loss"] < log[0]["loss"]


@pytest.mark.parametrize("transform", [{"name": "log", "floor": 5.0}, {"name": "sqrt"}])
def test_a_transformed_target_is_learnt_and_measured_in_its_own_unit(
    tmp_path, transform
):
    "The loss is of what is learnt; metrics are of what that is transformed back."
    raw = synthetic.experiment() | {"epochs": 16, "batch_size": 64}
    raw |= {"area_size": 200.0, "sampling": {"spacing": 50.0}, "learning_rate": 1e-2}
    raw["outputs"][0]["transform"] = transform
    tail = raw["model_description"]["outputs"]["thickness"]["operations"]
    tail[0]["last_activation"] = "linear"
    checked = check_experiment(raw, "exp")
    tiles = some_tiles()
    data = prepare(checked, tiles)
    log = run_member(checked, tmp_path, tiles=tiles)
    targets = data.validation.targets[:, 0].double()
    assert min(row["val_thickness_nan_rmse"] for row in log) < 0.75 * targets.std()
    assert abs(log[-1]["val_thickness_nan_bias"]) < 0.2 * targets.std()

    network = Network(checked)
    network.load_state_dict(safetensors.torch.load_file(tmp_path / "best.safetensors"))
    scale = data.scales.outputs["thickness"]
    (_, batch, targets), *others = data.validation.batches(
        data.validation.nominal(), 10_000
    )
    assert not others
    with torch.no_grad():
        learnt = network.eval()(batch)["thickness"][:, 0].double()
    learnt, known = learnt * scale.std + scale.mean, targets[:, 0].double()
    if transform["name"] == "log":
        predicted, wanted = learnt.exp(), known.log()
    else:
        predicted, wanted = learnt.clamp(min=0) ** 2, known.sqrt()
    best = min(log, key=lambda row: row["val_loss"])
    assert best["val_thickness_nan_mae"] == pytest.approx(
        float((predicted - known).abs().mean()), rel=1e-4
    )
    assert best["val_loss"] == pytest.approx(
        float((learnt - wanted).abs().mean()) / scale.std, rel=1e-4
    )
