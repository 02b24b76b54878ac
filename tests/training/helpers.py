"""Made-up tiles and small experiments to train members with."""

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from glacier_inversion.experiment.experiment import check_experiment
from glacier_inversion.grid import Grid
from glacier_inversion.machine.interrupts import Flag
from glacier_inversion.patches.tiles import Tiles
from glacier_inversion.training.data import prepare
from glacier_inversion.training.engine import train_members
from glacier_inversion.training.stacked import train_stacked
from glacier_inversion.workspace import Workspace
from tests import synthetic

# Of weights after some epochs, and of logs: sums are rounded in another order, and
# optimizers carry that on.
TOLERANCE = 2e-3


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
    hearing, stop = Hearing(on_epoch), stop or Flag()
    train_stacked(checked, data, {seed: folder}, 1, stop, hearing)
    if hearing.ended[seed] is not None:
        raise FailedError(hearing.ended[seed])


def run_member(checked, folder, seed=0, tiles=None):
    """Train one member and return its log."""
    data = prepare(checked, tiles or some_tiles())
    train_member(checked, data, seed, folder, lambda *_: None)
    return read_log(folder)


def train_all(checked, root, tiles=None, **options):
    """Train an ensemble."""
    folder = Workspace(root).model(checked.model_name)
    return train_members(checked, tiles or some_tiles(), folder, **options)


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


VALID = {"padding": "valid"}


def translation_invariant(**keys):
    """Return an experiment with two images, a coarse one, and a scalar."""
    raw = synthetic.experiment() | keys
    conv = {"name": "convolutions", **VALID}
    raw["inputs"] = [
        {"name": "height", "resolution": 50.0, "scalar": True},
        {"name": "east", "resolution": 50.0},
        {"name": "north", "resolution": 50.0},
        {"name": "speed", "resolution": 100.0},
    ]
    branch = [conv | {"filters": [4, 4]}, {"name": "downsample"}]
    joined = [
        {"name": "concatenation"},
        conv | {"filters": [8]},
        {"name": "downsample"},
    ]
    last = {"name": "denses", "filters": [8, 1], "last_activation": "linear"}
    raw["model_description"] = {
        "inputs": {
            "east": {"operations": branch},
            "north": {"operations": branch},
            "speed": {"operations": [conv | {"filters": [4]}]},
        },
        "main": {"operations": joined},
        "outputs": {"thickness": {"operations": [last]}},
    }
    raw["area_size"] = 600.0
    names = {"height": 50.0, "east": 50.0, "north": 50.0, "speed": 100.0}
    raw["dataset_description"]["rasters"] = [
        {"name": name, "resolution": r, "file": f"{name}.tif"}
        for name, r in {**names, "thickness": 50.0}.items()
    ]
    return check_experiment(raw, "exp")


def noisy_tiles(seed, split):
    """Return noise for its inputs, and targets at most points."""
    part = made_up_tiles(seed, split, n_px=26)
    torch.manual_seed(seed)
    noise = {name: torch.randn(26, 26).numpy() for name in ("height", "east", "north")}
    target = part.targets["thickness"].copy()
    target[:, 10:12] = float("nan")
    return replace(part, inputs=part.inputs | noise, targets={"thickness": target})


class Stopping:
    """Raises at the n-th epoch, as a kill does."""

    def __init__(self, n):
        self.n = n

    def start(self, stage, total, unit):
        """Do nothing."""

    def advance(self, note=""):
        """Count down."""
        self.n -= 1
        if self.n == 0:
            raise KeyboardInterrupt


def compare_members(one, together):
    """Compare the logs and weights of two members, within the tolerance."""
    logs = read_log(one), read_log(together)
    for a, b in zip(*logs, strict=True):
        assert a == pytest.approx(b, rel=TOLERANCE, abs=TOLERANCE)
    first, second = (load_file(f / "best.safetensors") for f in (one, together))
    for name, weight in first.items():
        scale = float(weight.abs().max()) or 1.0
        torch.testing.assert_close(second[name], weight, rtol=0, atol=TOLERANCE * scale)
