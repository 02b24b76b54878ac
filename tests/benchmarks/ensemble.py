"""
How much sooner an ensemble is trained by several processes, or together on a GPU.

Alternating in one run: members one after the other on one thread, and as many side by side
as there are cores; or, where torch finds a GPU, one after the other on it, and all of them
together. Prints the median ratio of the times, the start of processes included.

    python -m tests.benchmarks.ensemble [--members 4] [--epochs 100] [--rounds 3]
"""

import argparse
import logging
import tempfile
import time
from pathlib import Path
from statistics import median

import torch

from glacier_inversion.dataset.build import build_dataset
from glacier_inversion.dataset.opened import open_dataset
from glacier_inversion.dataset.training_tiles import read_training_tiles
from glacier_inversion.experiment.experiment import check_experiment
from glacier_inversion.machine.cores import available_cores
from glacier_inversion.training.engine import train_members
from glacier_inversion.training.network.devices import open_device
from glacier_inversion.workspace import Workspace
from tests import synthetic


def main() -> None:
    """Print the ratio."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--members", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    device = open_device("auto")
    on_gpu = device.is_gpu
    n_jobs = options.members if on_gpu else min(available_cores(), options.members)
    with tempfile.TemporaryDirectory() as folder:
        place = Workspace(Path(folder))
        raw = synthetic.write_region(place.root) | {
            "sampling": {"spacing": 50.0},
            "epochs": options.epochs,
            "seeds_number": options.members,
        }
        experiment = check_experiment(raw, "benchmark")
        build_dataset(experiment, place)
        tiles = read_training_tiles(open_dataset(experiment, place), experiment)

        def seconds(jobs: int) -> float:
            begin = time.perf_counter()
            train_members(
                experiment, tiles, place, overwrite=True, jobs=jobs, device=device
            )
            return time.perf_counter() - begin

        rounds = [(seconds(1), seconds(n_jobs)) for _ in range(options.rounds)]
    ratio = median(one / several for one, several in rounds)
    taken = median(one for one, _ in rounds)
    print(
        f"{device}: {options.members} members, {n_jobs} at a time: {ratio:.2f} times as fast as "
        f"one after the other, which takes {taken:.0f} s (median of {options.rounds})"
    )


if __name__ == "__main__":
    main()
