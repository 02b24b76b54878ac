"""
How much more than its trainings a cross-validation takes.

Trains the members of every fold in this warm process, one after the other on one thread,
and then runs `ginv crossval --leave-one-out --all`, the start of all its processes, tables
and files included. Prints both times, by the clock and of the processor, and the ratio of
the latter, which what else the machine does changes little.

    python -m tests.benchmarks.crossval EXPERIMENT DATA [--epochs 60] [--jobs 2]
"""

import argparse
import json
import logging
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch

from glacier_inversion.dataset.build import build_dataset
from glacier_inversion.dataset.opened import open_dataset
from glacier_inversion.dataset.training_tiles import read_training_tiles
from glacier_inversion.experiment.experiment import load_experiment
from glacier_inversion.machine.cores import available_cores
from glacier_inversion.machine.interrupts import Flag
from glacier_inversion.training.data import prepare
from glacier_inversion.training.stacked import train_stacked
from glacier_inversion.workspace import Workspace, member_path


class _Silent:
    def on_begin(self, seed: int) -> None: ...

    def on_epoch(self, seed: int, log: object, seconds: float) -> None: ...

    def on_end(self, seed: int, failure: str | None) -> None: ...


def main() -> None:
    """Print the ratio."""
    parser = argparse.ArgumentParser()
    parser.add_argument("experiment", type=Path)
    parser.add_argument(
        "data", type=Path, help="the folder of its rasters and outlines"
    )
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--jobs", type=int, default=available_cores())
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        place = Workspace(Path(folder) / "workspace")
        place.root.mkdir()
        (place.root / "data").symlink_to(options.data.resolve())
        raw = json.loads(options.experiment.read_text(encoding="utf-8"))
        raw["epochs"] = options.epochs or raw["epochs"]
        file = Path(folder) / "experiment.json"
        file.write_text(json.dumps(raw), encoding="utf-8")
        experiment = load_experiment(file)
        build_dataset(experiment, place)
        dataset = open_dataset(experiment, place)
        plain = plain_cpu = 0.0
        for fold in dataset.rows:
            splits = dict.fromkeys(dataset.rows, "train") | {fold: "test"}
            own = replace(dataset, splits=splits)
            data = prepare(experiment, read_training_tiles(own, experiment))
            scratch = Path(folder) / "plain" / fold
            members = {
                seed: member_path(scratch, seed)
                for seed in range(experiment.seeds_number)
            }
            begin, begin_cpu = time.perf_counter(), time.process_time()
            train_stacked(experiment, data, members, 1, Flag(), _Silent())
            plain += time.perf_counter() - begin
            plain_cpu += time.process_time() - begin_cpu
        command = [sys.executable, "-m", "glacier_inversion", "crossval", str(file)]
        command += ["--leave-one-out", "--all", "--workspace", str(place.root), "-q"]
        command += ["--jobs", str(options.jobs)]
        begin = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        whole = time.perf_counter() - begin
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        whole_cpu = used.ru_utime + used.ru_stime
    n_members = len(dataset.rows) * experiment.seeds_number
    print(f"{n_members} members alone: {plain:.0f} s, {plain_cpu:.0f} s of a core")
    print(f"crossval, {options.jobs} jobs: {whole:.0f} s, {whole_cpu:.0f} s of a core")
    print(f"ratio of the latter: {whole_cpu / plain_cpu:.2f}")


if __name__ == "__main__":
    main()
