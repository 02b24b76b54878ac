"""
What an epoch costs besides the arithmetic of the network.

In one run, alternating: the steps of an epoch on one batch that is already in memory
(the arithmetic), ours with patches gathered from tiles in memory, and a torch DataLoader
that reads each patch from the tiles' files with rasterio, as is usual. Prints medians of
ratios; absolute times mean nothing on a shared machine.

    python -m tests.benchmarks.epoch
"""

import logging
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import rasterio
import torch
from rasterio.windows import Window
from torch.utils.data import DataLoader, Dataset

from glacier_inversion.built_dataset import open_dataset, read_training_tiles
from glacier_inversion.dataset import build_dataset
from glacier_inversion.experiment import Experiment, check_experiment
from glacier_inversion.training.ensemble import prepare
from glacier_inversion.training.member import TrainingData, build_member
from glacier_inversion.training.threads import one_thread
from glacier_inversion.workspace import Workspace
from tests import synthetic

Batch = dict[str, torch.Tensor]


class FilePatches(Dataset):
    """One sample a call, each input read from its tile's file."""

    def __init__(self, experiment: Experiment, root: Path, data: TrainingData) -> None:
        self.experiment, self.data = experiment, data
        dataset = open_dataset(experiment, Workspace(root))
        self.folders = [
            dataset.folder / "train" / feature for feature in dataset.features("train")
        ]

    def __len__(self) -> int:
        return len(self.data.train.points)

    def __getitem__(self, index: int) -> tuple[Batch, torch.Tensor]:
        feature, row, col = self.data.train.points[index].tolist()
        sample = {}
        for variable in self.experiment.inputs:
            factor = self.experiment.factor(variable)
            side = self.experiment.window_px // factor
            path = self.folders[feature] / f"{variable.name}.tif"
            with rasterio.open(path) as src:
                window = Window(col // factor, row // factor, side, side)
                image = torch.from_numpy(src.read(1, window=window))[None]
            scale = self.data.scales[variable.name]
            sample[variable.name] = ((image - scale.mean) / scale.std).nan_to_num(0.0)
        return sample, self.data.train.targets[index]


def epochs(root: Path, batch_size: int) -> dict[str, Callable[[], float]]:
    """Return functions that run as many steps in each way and return seconds a step."""
    raw = synthetic.write_region(root)
    raw["sampling"] = {"spacing": 50.0}
    raw["batch_size"] = batch_size
    experiment = check_experiment(raw, "benchmark")
    build_dataset(experiment, Workspace(root))
    dataset = open_dataset(experiment, Workspace(root))
    data = prepare(experiment, read_training_tiles(dataset, experiment))
    network = build_member(experiment, 0, data.train)
    optimizer = torch.optim.Adam(network.parameters())
    ((_, still, targets), *_) = data.train.batches(data.train.nominal(), batch_size)

    def seconds_a_step(batches: Iterator[tuple[Batch, torch.Tensor]]) -> float:
        start = time.perf_counter()
        n_steps = 0
        for batch, known in batches:
            loss = (network(batch)["thickness"] - known).abs().mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            n_steps += 1
        return (time.perf_counter() - start) / n_steps

    def ours() -> Iterator[tuple[Batch, torch.Tensor]]:
        chosen = data.train.draw(torch.Generator().manual_seed(0))
        for _, batch, known in data.train.batches(chosen, batch_size):
            yield batch, known

    loader = DataLoader(FilePatches(experiment, root, data), batch_size, shuffle=True)
    return {
        "arithmetic": lambda: seconds_a_step((still, targets) for _ in range(30)),
        "ours": lambda: seconds_a_step(ours()),
        "files": lambda: seconds_a_step(
            b for b, _ in zip(loader, range(5), strict=False)
        ),
    }


def main() -> None:
    """Print the ratios for a small and a large batch."""
    logging.disable(logging.WARNING)
    for batch_size in (32, 256):
        with tempfile.TemporaryDirectory() as folder, one_thread():
            ways = epochs(Path(folder), batch_size)
            rounds = [{name: way() for name, way in ways.items()} for _ in range(7)]
        share = median(r["arithmetic"] / r["ours"] for r in rounds)
        faster = median(r["files"] / r["ours"] for r in rounds)
        print(
            f"batch {batch_size}: {share:.2f} of the speed of the arithmetic alone; "
            f"{faster:.1f} times as fast as patches read from files (medians of 7)"
        )


if __name__ == "__main__":
    main()
