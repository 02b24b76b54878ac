"""A workspace before and after each command that writes, of a region made to be quick."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

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

    def run(self, root: Path, before: str = "") -> Ended:
        """Run the command to its end."""
        return self.warm.run(*self.arguments(root), before=before)

    def stop(self, root: Path, seconds: float, number: int) -> Ended:
        """Run the command, and send it a signal after so long."""
        return self.warm.stop(seconds, number, *self.arguments(root))

    def check_done(self, root: Path) -> None:
        """Run the command; check that nobody can see what went before."""
        done = self.run(root)
        assert done.returncode == 0, done.stderr
        assert kept(root) == self.after


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


def make_stages(folder: Path) -> tuple[Warm, dict[str, Stage]]:
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
    (folder / "streams").mkdir()
    warm, stages = Warm(folder / "streams"), {}
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
    return warm, stages
