"""A workspace before and after each command that writes, of a region made to be quick."""

from __future__ import annotations

import shutil
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests import synthetic
from tests.helpers import new_run, read_all
from tests.warm import Ended, Warm

COMMANDS = {
    "build-dataset": ["--jobs", "1"],
    "train": ["--jobs", "1"],
    "evaluate": [],
    "draw": [],
    "crossval": ["--jobs", "1"],
    "calibrate": [],
    "report": [],
}
NOT_THE_SAME = {"status.json"}
"""Files that say how long something took."""
# whole, but of a moment: of an epoch, and of an evaluation before its calibration
UNDER_WAY = {"best.safetensors", "log.csv", "checkpoint.pt", "training_curves.png"}
UNDER_WAY |= {"metrics.csv", "metrics.json"}
_SAMPLES = {"samples", "train", "validation"}


@dataclass
class Stage:
    """A command, the workspace before it, what it leaves, and how long it takes."""

    warm: Warm
    words: list[str]
    before: Path
    after: dict[str, bytes]
    seconds: float

    def restore(self, root: Path) -> None:
        """Make a workspace in which the command has its work before it."""
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(self.before, root)

    def arguments(self, root: Path) -> list[object]:
        """Return the command's arguments in a workspace."""
        command, file, *options = self.words
        return [command, root / file, "--workspace", root, *options]

    def start(self, root: Path, before: str = "") -> int:
        """Start the command; return its process."""
        return self.warm.start(*self.arguments(root), before=before)

    def run(self, root: Path, before: str = "") -> Ended:
        """Run the command to its end."""
        return self.warm.run(*self.arguments(root), before=before)

    def stop(self, root: Path, seconds: float, number: int) -> Ended:
        """Run the command, and send it a signal after so long."""
        return self.warm.stop(seconds, number, *self.arguments(root))

    def moments(self, name: str, n: int) -> NDArray[np.float64]:
        """Return random moments of the command, the last ones after its end."""
        return chance(name).uniform(0, 1.05 * self.seconds, n)

    def check_whole(self, root: Path, before: dict[str, bytes]) -> None:
        """Check that each file is that of before, or that of after, the data's own."""
        now = kept(root)
        for name, content in now.items():
            path = Path(name)
            # what members are trained on lies in a folder for the time of a training
            is_whole = path.name not in UNDER_WAY and path.parent.name not in _SAMPLES
            if is_whole and ".part" not in name:
                assert content in (before.get(name), self.after.get(name)), name
        data = {name for name in before if name.startswith("data/") or "/" not in name}
        assert {name: now.get(name) for name in data} == {n: before[n] for n in data}

    def check_done(self, root: Path) -> None:
        """Run the command; check that nobody can see what went before."""
        done = self.run(root)
        assert done.returncode == 0, done.stderr
        assert kept(root) == self.after


def chance(name: str) -> np.random.Generator:
    """Return a generator that is the same in every run."""
    return np.random.default_rng(zlib.crc32(name.encode()))


def kept(root: Path) -> dict[str, bytes]:
    """Return the bytes of what must be the same after each run."""
    files = read_all(root)
    return {
        name: content
        for name, content in files.items()
        # calibrate evaluates first: with the calibration that was there before it
        if Path(name).name not in NOT_THE_SAME
        and not name.startswith("evaluations/wide/validation/metrics.")
    }


def make_stages(folder: Path, warm: Warm) -> dict[str, Stage]:
    """Run all commands, and keep the workspace before each."""
    run = new_run(folder / "whole")
    run.raw.update(epochs=3)
    run.write()
    # calibrated by its validation features, of which there must be four
    wide = run.raw | {"model_name": "wide"}
    wide["dataset_description"] = run.raw["dataset_description"] | {
        "dataset_name": "wide",
        "split": {"fractions": [0.2, 0.8, 0.0], "seed": 0},
    }
    wide["drawing_description"] = {"features": [], "models": ["wide"]}
    synthetic.write_json(run.root / "wide.json", wide)
    stages = {}
    warm.run("--help")  # until it is warm
    for command, options in COMMANDS.items():
        file = "wide.json" if command == "calibrate" else "exp.json"
        if command == "calibrate":
            for needed in ("build-dataset", "train"):
                words = [needed, run.root / file, "--workspace", run.root]
                done = warm.run(*words, "--jobs", 1)
                assert done.returncode == 0, done.stderr
        before = folder / command
        shutil.copytree(run.root, before)
        stage = Stage(warm, [command, file, *options], before, {}, 0.0)
        begun = time.monotonic()
        done = stage.run(run.root)
        assert done.returncode == 0, done.stderr
        stage.seconds = time.monotonic() - begun
        stage.after = kept(run.root)
        stages[command] = stage
    return stages
