"""Training: from the seed alone, every setting with its effect, nothing lost."""

import csv
import errno
import json
import os
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from glacier_inversion.errors import (
    DatasetError,
    ModelError,
    StoppedError,
    TrainingError,
    WorkspaceError,
)
from glacier_inversion.experiment.experiment import check_experiment
from glacier_inversion.files import locked
from glacier_inversion.grid import Grid
from glacier_inversion.patches.scale import Scale
from glacier_inversion.patches.tiles import Tiles
from glacier_inversion.training import member as member_module
from glacier_inversion.training.batches import make_batches
from glacier_inversion.training.checkpoint import read_checkpoint, write_checkpoint
from glacier_inversion.training.curves import draw_training_curves
from glacier_inversion.training.data import prepare
from glacier_inversion.training.member import build_member
from glacier_inversion.training.model.model import (
    finished_seeds,
    read_member,
    read_model,
)
from glacier_inversion.training.network.network import Network
from glacier_inversion.training.plateau import Plateau
from glacier_inversion.training.stacked import train_together
from glacier_inversion.training.status import read_status
from glacier_inversion.training.train import train
from glacier_inversion.workspace import Workspace
from tests import synthetic
from tests.children import AS_NOBODY, hand_over, read_all, run_code


def made_up_tiles(seed, split, n_px=24):
    """Noise, smoothed, and as target a function of the centre's neighbourhood."""
    rng = np.random.default_rng(seed)
    grid = Grid(0.0, 50.0 * n_px, 50.0, n_px, n_px)
    slope = rng.normal(size=(n_px + 2, n_px + 2))
    slope = (
        sum(slope[i : i + n_px, j : j + n_px] for i in range(3) for j in range(3)) / 3
    )
    slope = (20 + 5 * slope).astype("f4")
    speed = slope.reshape(n_px // 2, 2, n_px // 2, 2).mean(axis=(1, 3))
    target = 10 + 3 * slope
    return Tiles(
        f"{split}{seed}",
        split,
        grid,
        {"slope": slope, "speed": speed},
        {"thickness": target},
    )


def some_tiles():
    """Return two features to train and one to validate."""
    return {
        "train": [made_up_tiles(1, "train"), made_up_tiles(2, "train")],
        "validation": [made_up_tiles(3, "validation")],
    }


def experiment(**keys):
    """Return the region's experiment with some keys changed."""
    return check_experiment(synthetic.experiment() | keys, "exp")


def read_log(folder: Path) -> list[dict[str, float]]:
    """Read log.csv."""
    with (folder / "log.csv").open() as file:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]


class FailedError(Exception):
    """A member could not be trained."""


class Hearing:
    """Hears of members, and does something at each epoch."""

    def __init__(self, on_epoch=lambda log, seconds: None):
        self.at_epoch, self.ended = on_epoch, {}

    def on_begin(self, seed):
        """Do nothing."""

    def on_epoch(self, seed, log, seconds):
        """Do it."""
        self.at_epoch(log, seconds)

    def on_end(self, seed, failure):
        """Keep how it ended."""
        assert seed not in self.ended
        self.ended[seed] = failure


def train_member(checked, data, seed, folder, on_epoch, stop=None):
    """Train one member alone; raise what it fails of."""
    hearing, stop = Hearing(on_epoch), stop or threading.Event()
    train_together(checked, data, {seed: folder}, 1, stop, hearing)
    if hearing.ended[seed] is not None:
        raise FailedError(hearing.ended[seed])


def run_member(checked, folder, seed=0, tiles=None):
    """Train one member and return its log."""
    data = prepare(checked, tiles or some_tiles())
    train_member(checked, data, seed, folder, lambda *_: None)
    return read_log(folder)


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
def test_a_member_that_is_stopped_goes_on_within_the_epoch(tmp_path, stopped_at):
    "No step is taken twice, none is left out; log and weights are the same bytes."
    checked = experiment(
        epochs=3, batch_size=16, augmentation={"flips": True, "rotations": True}
    )
    data = prepare(checked, some_tiles())
    train_member(checked, data, 0, tmp_path / "whole", lambda *_: None)

    class Stop(threading.Event):
        n_asked = 0

        def is_set(self):
            self.n_asked += 1
            return self.n_asked == stopped_at

    steps = -(-len(data.train) // 16)
    stop = Stop()
    with pytest.raises(StoppedError, match="Run it again"):
        train_member(checked, data, 0, tmp_path / "cut", lambda *_: None, stop)
    assert stop.n_asked == stopped_at
    train_member(checked, data, 0, tmp_path / "cut", lambda *_: None, stop)
    assert stop.n_asked == 3 * steps
    for file in ("best.safetensors", "log.csv"):
        whole, cut = ((tmp_path / n / file).read_bytes() for n in ("whole", "cut"))
        assert whole == cut


@pytest.fixture
def stopped_member(tmp_path):
    """Return an experiment, its data, and a member that was stopped in epoch 1."""
    checked = experiment(epochs=3)
    data = prepare(checked, some_tiles())

    def stop(log, seconds):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_member(checked, data, 0, tmp_path, stop)
    return checked, data, tmp_path


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"PK\x03\x04 broken"])
def test_a_broken_checkpoint_is_named(stopped_member, content):
    "It is never executed, and the message says how to go on."
    checked, data, folder = stopped_member
    (folder / "checkpoint.pt").write_bytes(content)
    with pytest.raises(FailedError, match=r"checkpoint\.pt: cannot be us.*Remove it"):
        train_member(checked, data, 0, folder, lambda *_: None)


def test_a_checkpoint_of_which_a_bit_is_wrong_is_not_used(stopped_member):
    "Anywhere in the file: wrong weights are worse than none."
    checked, data, folder = stopped_member
    path = folder / "checkpoint.pt"
    whole = path.read_bytes()
    for place in range(7, len(whole), len(whole) // 20):
        damaged = bytearray(whole)
        damaged[place] ^= 4
        path.write_bytes(damaged)
        with pytest.raises(FailedError, match="it is damaged"):
            train_member(checked, data, 0, folder, lambda *_: None)


def test_a_checkpoint_of_another_version_is_named(stopped_member):
    "What it lacks is not guessed."
    checked, data, folder = stopped_member
    state = read_checkpoint(folder / "checkpoint.pt")
    write_checkpoint(folder / "checkpoint.pt", state | {"plateau": {"a": 1}})
    with pytest.raises(FailedError, match="of another version"):
        train_member(checked, data, 0, folder, lambda *_: None)


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
    network = member_module.build_member(checked, 0, data.train)
    weights = safetensors.torch.load_file(tmp_path / "best.safetensors")
    network.load_state_dict(weights)
    batches = make_batches(checked, network)
    again = member_module.evaluate(
        checked, network, data.validation, batches, data.scales.outputs
    ).log("val_")
    assert abs(again["val_thickness_nan_bias"]) == pytest.approx(min(biases), rel=1e-5)


@pytest.mark.parametrize(
    ("values", "rates"),
    [
        ([5, 4, 3, 2, 1], [1.0] * 5),
        ([5, 6, 6, 6, 6, 6], [1.0, 1.0, 0.5, 0.5, 0.25, 0.25]),
        ([5, 6, 4, 6, 6], [1.0, 1.0, 1.0, 1.0, 0.5]),
        ([5] + [6] * 20, None),
    ],
)
def test_patience_factor_and_minimum_of_the_learning_rate(values, rates):
    "Documented settings that had no effect in the original."
    plateau = Plateau(1.0, 0.5, 0.2, 2, None)
    found = []
    for value in values:
        plateau.improves(value)
        found.append(plateau.rate)
    if rates is not None:
        assert found == rates
    else:
        assert found[-1] == 0.2


def test_learning_rate_settings_act_on_a_real_run(tmp_path):
    "The logged rate falls by the factor, to the minimum."
    checked = experiment(
        epochs=8, patience=1, learning_rate=0.3, learning_rate_factor=0.1, min_learning_rate=0.004,
        optimizer_name="sgd", criterion="loss",
    )  # fmt: skip
    rates = {row["learning_rate"] for row in run_member(checked, tmp_path)}
    assert rates <= {0.3, 0.03, 0.004} or rates <= {0.3, 0.03, 0.003, 0.004}
    assert min(rates) == pytest.approx(0.004)


def test_early_stopping_ends_training(tmp_path):
    "After that many epochs without improvement."
    checked = experiment(
        epochs=30,
        early_stopping=2,
        learning_rate=1e-9,
        min_learning_rate=0.0,
        criterion="val_nan_bias",
        optimizer_name="sgd",
    )
    log = run_member(checked, tmp_path)
    assert len(log) < 30


def test_weight_decay_shrinks_kernels_of_convolutions_alone(tmp_path):
    "The L2 penalty is on them, not on dense layers or biases."
    norms = {}
    for decay in (0.0, 1.0):
        folder = tmp_path / str(decay)
        run_member(
            experiment(epochs=3, weight_decay=decay, optimizer_name="sgd"), folder
        )
        weights = safetensors.torch.load_file(folder / "best.safetensors")
        norms[decay] = {key: float(value.norm()) for key, value in weights.items()}
    kernels = [k for k in norms[0.0] if k.endswith("weight") and "main" in k]
    assert kernels
    for key in kernels:
        assert norms[1.0][key] < 0.99 * norms[0.0][key]


def test_sgd_step_equals_the_gradient_of_loss_and_penalty(tmp_path):
    "One step, against autograd on loss + weight_decay * sum of squares."
    checked = experiment(
        epochs=1, batch_size=10_000, weight_decay=0.03, optimizer_name="sgd",
        criterion="loss", sampling={"spacing": 100.0, "jitter": False},
    )  # fmt: skip
    data = prepare(checked, some_tiles())
    network = build_member(checked, 0, data.train)
    ((_, batch, targets),) = data.train.batches(data.train.nominal(), 10_000)
    std = data.scales.outputs["thickness"].std
    loss = (network(batch)["thickness"][:, 0] - targets[:, 0] / std).abs().mean()
    loss = loss + 0.03 * sum(kernel.square().sum() for kernel in network.kernels())
    loss.backward()
    expected = {
        name: parameter - 3e-3 * parameter.grad
        for name, parameter in network.named_parameters()
    }
    train_member(checked, data, 0, tmp_path, lambda *_: None)
    weights = safetensors.torch.load_file(tmp_path / "best.safetensors")
    for name, value in expected.items():  # float32; another order of the samples
        torch.testing.assert_close(weights[name], value.detach(), rtol=1e-4, atol=1e-6)


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
        fresh = member_module.Network(checked)
        n_dead += not member_module._is_alive(fresh, data.train)
        member = build_member(checked, seed, data.train)
        (_, batch, _), *_ = data.train.batches(data.train.nominal(), 1000)
        assert float(member(batch)["thickness"].detach().std()) > 0
        twin = build_member(checked, seed, data.train)
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
    with pytest.raises(TrainingError, match="dead from birth"):
        build_member(checked, 0, prepare(checked, tiles).train)


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


def test_inputs_and_targets_are_normalised_by_training_pixels_alone():
    "Inputs to mean 0 and std 1, targets by their std, not shifted, NaN as the mean."
    tiles = some_tiles()
    tiles["train"][0].inputs["slope"][:4, :4] = np.nan
    checked = experiment(min_valid=0.0)
    data = prepare(checked, tiles)
    values = np.concatenate([t.inputs["slope"].ravel() for t in tiles["train"]])
    assert data.scales.inputs["slope"].mean == pytest.approx(
        np.nanmean(values), rel=1e-6
    )
    assert data.scales.inputs["slope"].std == pytest.approx(np.nanstd(values), rel=1e-6)
    targets = data.train.targets[:, 0].numpy()
    assert data.scales.outputs["thickness"].mean == 0
    assert data.scales.outputs["thickness"].std == pytest.approx(
        targets.std(), rel=1e-5
    )
    flat = data.train.source._flat["slope"].numpy()
    assert (flat == 0).sum() == 16
    assert flat.mean() == pytest.approx(0, abs=0.01)
    assert flat.std() == pytest.approx(1, abs=0.02)
    tiles["validation"][0].inputs["slope"][:] += 100
    assert prepare(checked, tiles).scales == data.scales
    raw = prepare(experiment(normalization="none"), some_tiles())
    both = [*raw.scales.inputs.values(), *raw.scales.outputs.values()]
    assert {(scale.mean, scale.std) for scale in both} == {(0.0, 1.0)}


def test_components_of_a_vector_share_their_scale():
    "So that a turned vector is normalised as any other."
    raw = synthetic.experiment()
    raw["inputs"][1]["resolution"] = 50.0
    raw["dataset_description"]["rasters"][1]["resolution"] = 50.0
    raw["model_description"]["inputs"]["speed"] = raw["model_description"]["inputs"][
        "slope"
    ]
    raw["augmentation"] = {"rotations": True, "vectors": [["slope", "speed"]]}
    checked = check_experiment(raw, "exp")
    tiles = some_tiles()
    for part in tiles["train"] + tiles["validation"]:
        part.inputs["speed"] = 2 * part.inputs["slope"]
    scales = prepare(checked, tiles).scales.inputs
    assert scales["slope"] == scales["speed"]
    values = np.concatenate([t.inputs["slope"].ravel() for t in tiles["train"]])
    expected = np.sqrt((np.square(values) + np.square(2 * values)).mean() / 2)
    assert scales["slope"].mean == 0
    assert scales["slope"].std == pytest.approx(expected, rel=1e-5)


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


# --- ensembles


def train_all(checked, root, tiles=None, **options):
    """Train an ensemble."""
    return train(checked, tiles or some_tiles(), Workspace(root), **options)


def test_finished_members_are_kept_and_others_added(tmp_path):
    "A re-run trains what is missing; seeds_number may grow."
    train_all(experiment(epochs=1), tmp_path, seeds=[1])
    first = tmp_path / "models/small/seed_001/best.safetensors"
    time = first.stat().st_mtime_ns
    folders = train_all(experiment(epochs=1, seeds_number=3), tmp_path)
    assert [folder.name for folder in folders] == ["seed_000", "seed_001", "seed_002"]
    assert first.stat().st_mtime_ns == time
    assert all((folder / "best.safetensors").exists() for folder in folders)


def test_a_changed_experiment_or_dataset_is_refused_with_its_keys(tmp_path):
    "--overwrite starts anew."
    train_all(experiment(epochs=1), tmp_path, seeds=[0])
    weights = tmp_path / "models/small/seed_000/best.safetensors"
    before = weights.read_bytes()
    changed = experiment(epochs=2, batch_size=16)
    with pytest.raises(ModelError, match="other values of: batch_size, epochs"):
        train_all(changed, tmp_path)
    tiles = some_tiles()
    tiles["train"][1].inputs["slope"][0, 0] += 1
    with pytest.raises(
        ModelError,
        match=r"other values of: dataset\.inputs\.slope, normalization\.inputs\.slope",
    ):
        train_all(experiment(epochs=1), tmp_path, tiles)
    assert weights.read_bytes() == before
    train_all(changed, tmp_path, overwrite=True, seeds=[1])
    assert not weights.exists()
    assert (
        json.loads((tmp_path / "models/small/model.json").read_text())["experiment"][
            "batch_size"
        ]
        == 16
    )


def test_what_does_not_matter_may_change(tmp_path):
    "What is drawn, and losses of outputs that are not there."
    train_all(experiment(epochs=1), tmp_path, seeds=[0])
    raw = synthetic.experiment() | {"epochs": 1}
    raw["drawing_description"]["features"] = "all"
    raw["losses_name"]["other"] = "mae"
    train_all(check_experiment(raw, "exp"), tmp_path, seeds=[0])


def test_members_without_a_model_file_are_refused(tmp_path):
    "Nobody can say what they were trained from."
    train_all(experiment(epochs=1), tmp_path, seeds=[0])
    (tmp_path / "models/small/model.json").unlink()
    with pytest.raises(ModelError, match=r"holds members but no model\.json"):
        train_all(experiment(epochs=1), tmp_path)


@pytest.mark.parametrize("jobs", [1, 2])
def test_members_that_cannot_be_trained_do_not_stop_the_others(tmp_path, caplog, jobs):
    "A file where the folder should be; the same with any number of jobs."
    blocked = tmp_path / "models" / "small" / "seed_000"
    checked = experiment(epochs=1, seeds_number=3)
    train_all(checked, tmp_path, seeds=[1])
    blocked.write_text("")
    with pytest.raises(TrainingError, match="1 of 3 members could not be trained"):
        train_all(checked, tmp_path, jobs=jobs)
    assert "seed_000" in caplog.text
    assert (tmp_path / "models/small/seed_002/best.safetensors").exists()
    blocked.unlink()
    assert len(train_all(checked, tmp_path)) == 3


def test_members_that_do_not_learn_are_kept_out_with_a_warning(
    tmp_path, caplog, monkeypatch
):
    "They are not trained again, and not drawn; the others are the ensemble."
    original = member_module.build_member

    def build(checked, seed, samples):
        network = original(checked, seed, samples)
        if seed == 1:
            for weight in network.parameters():
                weight.data.fill_(float("nan"))
        return network

    monkeypatch.setattr(member_module, "build_member", build)
    checked = experiment(epochs=1, seeds_number=3)
    folders = train_all(checked, tmp_path)
    assert [folder.name for folder in folders] == ["seed_000", "seed_002"]
    assert "1 of 3 members are no part of the ensemble: seeds [1]" in caplog.text
    failed = tmp_path / "models/small/seed_001"
    names = sorted(path.name for path in failed.iterdir())
    assert names == ["failure.txt", "log.csv"]
    monkeypatch.undo()
    caplog.clear()
    train_all(checked, tmp_path)
    assert "seed 1 failed in an earlier run" in caplog.text
    assert "loss nan" in caplog.text
    assert finished_seeds(Workspace(tmp_path), "small") == [0, 2]
    assert len(train_all(checked, tmp_path, overwrite=True)) == 3


def test_an_ensemble_that_does_not_learn_is_an_error(tmp_path):
    "There is nothing to draw with."
    checked = experiment(epochs=3, learning_rate=1e8, optimizer_name="sgd")
    with pytest.raises(
        TrainingError, match=r"none of the members learns: seeds \[0, 1"
    ):
        train_all(checked, tmp_path)


@pytest.mark.parametrize(
    "content", ["", "epoch,loss\n0,abc\n", "epoch,loss\n0,1\n", "x" * 200_000]
)
def test_a_log_that_cannot_be_read_is_left_out_of_the_picture(
    tmp_path, caplog, content
):
    "Pictures do not stop an ensemble; nor do folders that only look like members."
    checked = experiment(epochs=1, seeds_number=2)
    train_all(checked, tmp_path)
    folder = tmp_path / "models/small"
    (folder / "seed_000/log.csv").write_text(content)
    shutil.copytree(folder / "seed_001", folder / "seed_old")
    assert len(train_all(checked, tmp_path)) == 2
    assert "log.csv: cannot be read" in caplog.text
    assert (folder / "training_curves.png").exists()
    status = read_status(checked, Workspace(tmp_path))
    assert [member.n_epochs for member in status.members] == [0, 1]


def test_two_trainings_of_one_model_do_not_mix(tmp_path):
    "The second says so and ends."
    with (
        locked(tmp_path / "models" / "small", "training"),
        pytest.raises(WorkspaceError, match="another command is training it"),
    ):
        train_all(experiment(epochs=1), tmp_path)


@pytest.fixture(scope="module")
def two_models(tmp_path_factory):
    """Two finished members, and those of another experiment of the same shapes."""
    root = tmp_path_factory.mktemp("two")
    train_all(experiment(epochs=1, seeds_number=2), root)
    other = experiment(epochs=1, seeds_number=2, model_name="other", batch_size=16)
    train_all(other, root)
    return root


def flip_a_bit(models):
    path = models / "small/seed_000/best.safetensors"
    content = bytearray(path.read_bytes())
    content[-2] ^= 64  # of the last weight's exponent
    path.write_bytes(content)


def swap_seeds(models):
    (models / "small/seed_000").rename(models / "small/a")
    (models / "small/seed_001").rename(models / "small/seed_000")
    (models / "small/a").rename(models / "small/seed_001")


def mix_models(models):
    name = "seed_000/best.safetensors"
    shutil.copy(models / "other" / name, models / "small" / name)


BROKEN_WEIGHTS = [
    (flip_a_bit, "it is damaged"),
    (swap_seeds, "it is of seed 1"),
    (mix_models, "it is of another model"),
]


@pytest.mark.parametrize(("change", "problem"), BROKEN_WEIGHTS)
def test_weights_that_training_did_not_write_there_are_refused(
    two_models, tmp_path, change, problem
):
    "By train, which would keep them, and by whoever reads them; the file is named."
    shutil.copytree(two_models, tmp_path, dirs_exist_ok=True)
    change(tmp_path / "models")
    before = read_all(tmp_path)
    message = rf"seed_000/best\.safetensors: cannot be loaded \({problem}"
    checked = experiment(epochs=1, seeds_number=3)
    with pytest.raises(ModelError, match=message + ".*train the seed again"):
        train_all(checked, tmp_path)
    after = read_all(tmp_path)
    assert {n: c for n, c in after.items() if "model.json" not in n} == {
        n: c for n, c in before.items() if "model.json" not in n
    }
    place = Workspace(tmp_path)
    model = read_model(place.model("small"))
    with pytest.raises(ModelError, match=message):
        read_member(Network(model.experiment), place, "small", 0, model.identity)


def test_weights_of_earlier_versions_are_read(two_models, tmp_path):
    "They say neither whose they are nor hold a digest."
    shutil.copytree(two_models, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "models/small/seed_000/best.safetensors"
    weights = safetensors.torch.load(path.read_bytes())
    path.write_bytes(safetensors.torch.save(weights))
    assert len(train_all(experiment(epochs=1, seeds_number=2), tmp_path)) == 2
    place = Workspace(tmp_path)
    model = read_model(place.model("small"))
    network = Network(model.experiment)
    read_member(network, place, "small", 0, model.identity)
    for name, weight in network.state_dict().items():
        assert torch.equal(weight, weights[name])


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


def test_a_checkpoint_of_another_member_is_not_gone_on_with(tmp_path):
    "Seed 0 would become what seed 1 was."
    checked = experiment(epochs=3)
    data = prepare(checked, some_tiles())

    def stop(log, seconds):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_member(checked, data, 1, tmp_path, stop)
    with pytest.raises(FailedError, match="it is another member's or model's"):
        train_member(checked, data, 0, tmp_path, lambda *_: None)
    train_member(checked, data, 1, tmp_path, lambda *_: None)


def test_copies_of_members_are_no_members(two_models, tmp_path):
    "Under whatever name: they would count twice. Nor are they removed."
    shutil.copytree(two_models, tmp_path, dirs_exist_ok=True)
    folder = tmp_path / "models/small"
    for name in ("seed_1", "seed_0001", "seed_001x", "seed_١٢٣"):
        shutil.copytree(folder / "seed_001", folder / name)
    assert finished_seeds(Workspace(tmp_path), "small") == [0, 1]
    checked = experiment(epochs=1, seeds_number=2)
    train_all(checked, tmp_path, overwrite=True, seeds=[0])
    assert (folder / "seed_1/best.safetensors").exists()
    assert not (folder / "seed_001").exists()


def test_a_member_is_in_one_state(two_models, tmp_path, caplog):
    "One that failed beside its weights was counted twice, the others -1."
    shutil.copytree(two_models, tmp_path, dirs_exist_ok=True)
    folder = tmp_path / "models/small/seed_001"
    (folder / "failure.txt").write_text("It does not learn.")
    checked = experiment(epochs=1, seeds_number=2)
    assert [f.name for f in train_all(checked, tmp_path)] == ["seed_000"]
    assert "1 of 2 members are no part of the ensemble: seeds [1]" in caplog.text
    assert finished_seeds(Workspace(tmp_path), "small") == [0]
    states = [m.state for m in read_status(checked, Workspace(tmp_path)).members]
    assert states == ["finished", "failed"]


@pytest.mark.skipif(os.name == "nt", reason="permissions are others there")
def test_overwriting_finds_what_it_may_not_remove_before_it_removes(
    two_models, nobodys
):
    "All members are still there, and training says which folder it is."
    shutil.copytree(two_models, nobodys)
    hand_over(nobodys)
    closed = nobodys / "models/small/seed_001"
    before = read_all(nobodys)
    done = run_code(
        f"""
from pathlib import Path
from tests.test_training import experiment, train_all
checked = experiment(epochs=1, seeds_number=2)
train_all(checked, Path({str(nobodys.parent / "other")!r}))  # imports all it needs
{AS_NOBODY}
Path({str(closed)!r}).chmod(0o555)
train_all(checked, Path({str(nobodys)!r}), overwrite=True)
"""
    )
    closed.chmod(0o755)
    message = f"{closed}: cannot be removed, nor what is in it (Permission denied)"
    assert message in done.stderr
    assert read_all(nobodys) == before


@pytest.mark.parametrize("linked", ["models/small", "models/small/seed_001"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_members_are_not_trained_through_a_link(tmp_path, linked, overwrite):
    "Nor removed; the members of another model stay."
    checked = experiment(epochs=1, seeds_number=2)
    train_all(checked, tmp_path / "theirs")
    train_all(checked, tmp_path, seeds=[0])
    theirs, path = tmp_path / "theirs" / linked, tmp_path / linked
    shutil.rmtree(path, ignore_errors=True)
    (theirs / "seed_001/best.safetensors").unlink(missing_ok=True)
    (theirs / "best.safetensors").unlink(missing_ok=True)
    path.symlink_to(theirs, target_is_directory=True)
    before = read_all(tmp_path)
    with pytest.raises(
        (WorkspaceError, TrainingError), match=r"is a link|could not be"
    ):
        train_all(checked, tmp_path, overwrite=overwrite)
    after = read_all(tmp_path)
    keys = before.keys() if overwrite else [k for k in before if "theirs" in k]
    assert {key: after[key] for key in keys} == {key: before[key] for key in keys}


def test_no_samples_are_an_error():
    "In training always, in validation if the criterion needs it."
    tiles = some_tiles()
    with pytest.raises(DatasetError, match=r"the train features \(0\) hold no samples"):
        prepare(experiment(), {**tiles, "train": []})
    with pytest.raises(
        DatasetError, match=r"the validation features \(0\) hold no samples"
    ):
        prepare(experiment(), {**tiles, "validation": []})
    prepare(experiment(criterion="loss"), {**tiles, "validation": []})


@pytest.mark.parametrize("key", ["losses_name", "metrics_name"])
def test_plain_losses_fail_loudly_on_an_unknown_target(key):
    "Of points with a target of another output, say."
    raw = synthetic.experiment()
    raw["outputs"].append({"name": "slope", "resolution": 50.0, "scalar": True})
    raw["losses_name"] = {"thickness": "nan_mae", "slope": "nan_mae"}
    raw["model_description"]["outputs"]["slope"] = raw["model_description"]["outputs"][
        "thickness"
    ]
    raw[key]["thickness"] = "mae" if key == "losses_name" else ["mae"]
    raw["criterion"] = "val_loss"
    tiles = some_tiles()
    for part in tiles["train"] + tiles["validation"]:
        part.targets["slope"] = part.inputs["slope"].copy()
        part.targets["thickness"][:12] = np.nan
    with pytest.raises(DatasetError, match="thickness: 'mae' needs every target"):
        prepare(check_experiment(raw, "exp"), tiles)


def test_bounded_outputs_keep_their_targets():
    "A sigmoid cannot reach targets over their std, whatever the loss."
    for activation, kept in (("sigmoid", True), ("tanh", True), ("softplus", False)):
        raw = synthetic.experiment()
        tail = raw["model_description"]["outputs"]["thickness"]["operations"]
        tail[0]["last_activation"] = activation
        scales = prepare(check_experiment(raw, "exp"), some_tiles()).scales.outputs
        assert (scales["thickness"].std == 1) == kept


def test_a_criterion_without_validation_targets_is_refused():
    "Not a loss of NaN after the first epoch."
    raw = synthetic.experiment() | {"criterion": "val_slope_loss"}
    raw["outputs"].append({"name": "slope", "resolution": 50.0, "scalar": True})
    raw["losses_name"]["slope"] = "nan_mae"
    outputs = raw["model_description"]["outputs"]
    outputs["slope"] = outputs["thickness"]
    tiles = some_tiles()
    for part in tiles["train"] + tiles["validation"]:
        known = part.split == "train"
        part.targets["slope"] = np.where(known, part.inputs["slope"], np.nan)
    with pytest.raises(DatasetError, match="needs targets of 'slope'"):
        prepare(check_experiment(raw, "exp"), tiles)


def test_a_crossentropy_of_metres_is_warned_of(caplog):
    "It is for targets of 0 to 1."
    raw = synthetic.experiment()
    raw["losses_name"] = {"thickness": "nan_binary_crossentropy"}
    raw["metrics_name"] = {}
    tail = raw["model_description"]["outputs"]["thickness"]["operations"]
    tail[0]["last_activation"] = "sigmoid"
    prepare(check_experiment(raw, "exp"), some_tiles())
    assert "is for targets of 0 to 1, and those of train are" in caplog.text


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


def test_curves_show_every_member_and_its_best_epoch(tmp_path, monkeypatch):
    "Those that stopped early, too; the picture lies beside the members."
    drawn = {}

    def watch(path, model, logs, criterion, best):
        drawn.update(model=model, logs=logs, criterion=criterion, best=best)
        draw_training_curves(path, model, logs, criterion, best)

    name = "glacier_inversion.training.train.draw_training_curves"
    monkeypatch.setattr(name, watch)
    checked = experiment(
        epochs=6, seeds_number=3, early_stopping=1, criterion="val_nan_bias"
    )
    train_all(checked, tmp_path)
    folder = tmp_path / "models/small"
    assert (folder / "training_curves.png").read_bytes().startswith(b"\x89PNG")
    assert drawn["criterion"] == "val_thickness_nan_bias"
    assert set(drawn["best"]) == set(drawn["logs"]) == {0, 1, 2}
    for seed, epoch in drawn["best"].items():
        rows = read_log(folder / f"seed_{seed:03d}")
        bias = [abs(row["val_thickness_nan_bias"]) for row in rows]
        assert epoch == int(np.argmin(bias))
        assert len(drawn["logs"][seed]["loss"]) == len(rows)
