"""
What training in crops gains over training on patches, and whether it costs anything.

For the demonstration's mountains, with the true thickness as target at every pixel, and
a network of the size of the published ones that pads nothing. Prints, measured in one
run on one thread:

- samples a second of both ways, alternating, as the median of their ratios;
- the RMSE on the validation glaciers after so many samples, as a mean over members, and
  in the end how many times that of the member on patches that began with the same
  weights (mean and standard deviation). The learning rate falls to a tenth for the last
  quarter.

The samples of a crop resemble each other, so a batch of crops says less than as many
patches: crops are trained in batches as large as those of patches, and half as large.

    python -m tests.benchmarks.crops [--dense 6] [--samples 400000] [--seeds 3]
"""

import argparse
import json
import logging
import tempfile
import time
from pathlib import Path
from statistics import mean, median, pstdev

import torch

from glacier_inversion.dataset.build import build_dataset
from glacier_inversion.dataset.opened import open_dataset
from glacier_inversion.dataset.training_tiles import read_training_tiles
from glacier_inversion.demo.demo import write_demo
from glacier_inversion.experiment.experiment import Experiment, check_experiment
from glacier_inversion.training.batches import make_batches
from glacier_inversion.training.data import TrainingData, prepare
from glacier_inversion.training.epoch_log import Tally
from glacier_inversion.training.member import build_member, validate
from glacier_inversion.training.network.threads import one_thread
from glacier_inversion.workspace import Workspace
from tests.benchmarks.draw import NETWORKS

BATCH_SIZE = 1024
N_MARKS = 8


def describe(demo: Path, dense: int | None, batch_size: int) -> Experiment:
    """Return the experiment, on patches or in crops."""
    raw = json.loads(demo.read_text(encoding="utf-8"))
    architecture, inputs, main, output = NETWORKS["valid resnet"]
    raw |= {"model_architecture": architecture, "area_size": 1600.0}
    raw["model_description"] = {
        "inputs": {name: {"operations": o} for name, o in inputs.items()},
        "main": {"operations": main},
        "outputs": {
            "thickness": {
                "operations": [*output[:-1], output[-1] | {"last_activation": "linear"}]
            }
        },
    }
    raw["dataset_description"]["buffer_distance"] = 1000.0
    raw["dataset_description"]["rasters"][2]["file"] = "thickness_true.tif"
    raw |= {"batch_size": batch_size, "sampling": {"spacing": 100.0, "dense": dense}}
    return check_experiment(raw, "benchmark")


class Way:
    """A member that is trained in one of the two ways."""

    def __init__(self, experiment: Experiment, data: TrainingData, seed: int) -> None:
        self.experiment, self.data = experiment, data
        self.network = build_member(experiment, seed, data.train, data.starts)
        self.batches = make_batches(experiment, self.network)
        self.optimizer = torch.optim.Adam(self.network.parameters())
        self.generator = torch.Generator().manual_seed(seed)
        self.epochs = self._forever()

    def _forever(self):
        while True:
            yield from self.batches.drawn(self.data.train, self.generator)

    def train(self, n_samples: int) -> float:
        """Train on at least so many samples; return seconds a sample."""
        begin, n = time.perf_counter(), 0
        tally = Tally(self.experiment, self.data.scales.outputs)
        for batch in self.epochs:
            loss = tally.add(batch.predict(self.network), batch.targets)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
            n += len(batch.targets)
            if n >= n_samples:
                break
        return (time.perf_counter() - begin) / n

    def rmse(self) -> float:
        """Return the error on glaciers that are not trained on."""
        log = validate(
            self.experiment,
            self.network,
            self.data.validation,
            self.batches,
            self.data.scales.outputs,
        ).log("")
        return log["thickness_nan_rmse"]


def train_curve(way: Way, n_samples: int) -> list[float]:
    """Train on so many samples, the last quarter slowly; return the RMSE at marks."""
    curve = []
    for mark in range(N_MARKS):
        if mark == N_MARKS * 3 // 4:
            for group in way.optimizer.param_groups:
                group["lr"] /= 10
        way.train(n_samples // N_MARKS)
        curve.append(way.rmse())
    return curve


def main() -> None:
    """Print both comparisons."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--dense", type=int, default=6)
    parser.add_argument("--samples", type=int, default=400_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder, one_thread():
        place = Workspace(Path(folder))
        demo = write_demo(Path(folder))
        patches = describe(demo, None, BATCH_SIZE)
        build_dataset(patches, place)
        data = prepare(
            patches, read_training_tiles(open_dataset(patches, place), patches)
        )
        crops = describe(demo, chosen.dense, BATCH_SIZE)
        halves = describe(demo, chosen.dense, BATCH_SIZE // 2)

        pair = [Way(experiment, data, 0) for experiment in (patches, halves)]
        ratios = []
        for _ in range(chosen.rounds):
            slow, fast = pair[0].train(2048), pair[1].train(16_384)
            ratios.append(slow / fast)
        print(
            f"crops of {chosen.dense} x {chosen.dense} samples: {median(ratios):.1f} times "
            f"the samples a second of patches (median of {chosen.rounds}, "
            f"{min(ratios):.1f} to {max(ratios):.1f})"
        )
        marks = [chosen.samples * (i + 1) // N_MARKS for i in range(N_MARKS)]
        print("RMSE (m) after samples:", *marks)
        ends: dict[str, list[float]] = {}
        for name, experiment in {
            f"patches, batches of {BATCH_SIZE}": patches,
            f"crops, batches of {BATCH_SIZE}": crops,
            f"crops, batches of {BATCH_SIZE // 2}": halves,
        }.items():
            curves = [
                train_curve(Way(experiment, data, seed), chosen.samples)
                for seed in range(chosen.seeds)
            ]
            ends[name] = [curve[-1] for curve in curves]
            baseline = next(iter(ends.values()))
            times = [a / b for a, b in zip(ends[name], baseline, strict=True)]
            print(
                f"{name:24}",
                *(f"{mean(c):.1f}" for c in zip(*curves, strict=True)),
                f" {mean(times):.2f} +- {pstdev(times):.2f} times the patches'",
                flush=True,
            )


if __name__ == "__main__":
    main()
