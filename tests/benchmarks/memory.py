"""
The memory that training needs, for members, epochs and pixels.

Each training is a process of its own, on one made-up square tile with two inputs and a
target at every pixel, which is the worst; what counts is the peak of its resident memory. What grows
with the pixels is stated for a million of the tile's finest ones.

    python -m tests.benchmarks.memory
"""

import logging
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from glacier_inversion.dataset.build import build_dataset
from glacier_inversion.dataset.opened import open_dataset, read_training_tiles
from glacier_inversion.experiment.experiment import check_experiment
from glacier_inversion.training.engine import train_members
from glacier_inversion.workspace import Workspace
from tests.benchmarks.draw import describe, write_data

SMALL, LARGE = 1000, 3000  # px
FEW, MANY = (1, 2), (8, 16)  # members, epochs


def train_once(root: Path, n_px: int, n_members: int, n_epochs: int) -> None:
    """Train, and print the peak memory in bytes."""
    logging.disable(logging.WARNING)
    raw = describe("valid resnet", [n_px])
    output = raw["model_description"]["outputs"]["thickness"]["operations"]
    output[-1]["last_activation"] = "linear"
    raw |= {"model_name": f"of_{n_members}_{n_epochs}", "criterion": "loss"}
    raw |= {"seeds_number": n_members, "epochs": n_epochs}
    raw["sampling"] = {"spacing": 25 * n_px / SMALL * 20}  # as many samples for all
    experiment, place = check_experiment(raw, "benchmark"), Workspace(root)
    build_dataset(experiment, place)
    tiles = read_training_tiles(open_dataset(experiment, place), experiment)
    train_members(experiment, tiles, place)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def peak(root: Path, n_px: int, n_members: int, n_epochs: int) -> int:
    """Return the peak memory of a training in a process of its own."""
    numbers = map(str, (n_px, n_members, n_epochs))
    command = [sys.executable, "-m", "tests.benchmarks.memory", str(root), *numbers]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(result.stdout.split()[-1])


def main() -> None:
    """Print what grows with what."""
    peaks = {}
    for n_px in (SMALL, LARGE):
        with tempfile.TemporaryDirectory() as folder:
            write_data(Path(folder), [n_px])
            peak(Path(folder), n_px, 1, 1)  # builds the dataset
            for n_members, n_epochs in (FEW, (MANY[0], FEW[1]), (FEW[0], MANY[1])):
                peaks[n_px, n_members, n_epochs] = n = peak(
                    Path(folder), n_px, n_members, n_epochs
                )
                print(
                    f"{n_px} x {n_px} pixels, {n_members} members, {n_epochs} epochs: "
                    f"{n / 2**20:.0f} MiB"
                )
    grown = peaks[(LARGE, *FEW)] - peaks[(SMALL, *FEW)]
    n_pixels = (LARGE**2 - SMALL**2) / 1e6
    print(f"for a million pixels: {grown / n_pixels / 2**20:.0f} MiB")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        train_once(Path(sys.argv[1]), *map(int, sys.argv[2:]))
    else:
        main()
