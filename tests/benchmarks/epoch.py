"""
What an epoch costs besides the arithmetic of the network.

In one run, alternating, on one thread, each with augmentation:

- arithmetic: the steps of an epoch on a batch that is already in memory;
- ours: an epoch as `ginv train` runs it, drawn, shuffled, gathered from what is mapped
  to memory, turned and logged;
- memory: the same with all samples in memory;
- files: a torch DataLoader that reads each patch from its tile's file with rasterio;
- torchgeo: its RandomBatchGeoSampler over the same tiles, if torchgeo is installed
  (``pip install -e ".[bench]"``), for experiments whose inputs have one resolution.

For a small network, one as published, and, where a workspace with its data is given,
experiments/aletsch/resnet.json. Prints medians of ratios of times for a sample;
absolute times mean nothing on a shared machine.

    python -m tests.benchmarks.epoch [--aletsch WORKSPACE] [--rounds 7]
"""

import argparse
import json
import logging
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import rasterio
import torch
from rasterio.windows import Window
from torch.utils.data import DataLoader, Dataset

from glacier_inversion.dataset.build import build_dataset
from glacier_inversion.dataset.opened import open_dataset
from glacier_inversion.dataset.training_tiles import read_training_tiles
from glacier_inversion.experiment.experiment import Experiment, check_experiment
from glacier_inversion.machine.interrupts import Flag
from glacier_inversion.training.data import TrainingData, prepare
from glacier_inversion.training.member import Training
from glacier_inversion.training.network.threads import one_thread
from glacier_inversion.training.samples_on_disk import samples_on_disk
from glacier_inversion.training.stacked import train_epoch
from glacier_inversion.workspace import Workspace
from tests import synthetic
from tests.benchmarks.draw import describe, write_data

Batch = dict[str, torch.Tensor]
Batches = Iterator[tuple[Batch, torch.Tensor]]
AUGMENTATION = {"flips": True, "rotations": True}
N_FROM_FILES = 256


class FilePatches(Dataset):
    """One sample a call, each input read from its tile's file."""

    def __init__(self, experiment: Experiment, root: Path, data: TrainingData) -> None:
        self.experiment, self.data = experiment, data
        dataset = open_dataset(experiment, Workspace(root))
        self.folders = [dataset.folder / f for f in dataset.select("train")]

    def __len__(self) -> int:
        return len(self.data.train.points)

    def __getitem__(self, index: int) -> tuple[Batch, torch.Tensor]:
        (place,) = self.data.train.points[index : index + 1].tolist()
        feature, row, col = place
        sample = {}
        for variable in self.experiment.inputs:
            factor = self.experiment.factor(variable)
            side = self.experiment.window_px // factor
            path = self.folders[feature] / f"{variable.name}.tif"
            with rasterio.open(path) as src:
                window = Window(col // factor, row // factor, side, side)
                image = torch.from_numpy(src.read(1, window=window))[None]
            scale = self.data.scales.inputs[variable.name]
            sample[variable.name] = ((image - scale.mean) / scale.std).nan_to_num(0.0)
        return sample, self.data.train.targets[index]


def geo_batches(experiment: Experiment, root: Path, data: TrainingData) -> Batches:
    """Iterate over batches as torchgeo reads them, targets made up."""
    from torchgeo.datasets import RasterDataset, stack_samples  # noqa: PLC0415
    from torchgeo.samplers import RandomBatchGeoSampler  # noqa: PLC0415

    folder = open_dataset(experiment, Workspace(root)).folder / "train"
    side = experiment.window_px
    joined = None
    for variable in experiment.inputs:
        paths = [str(path) for path in folder.glob(f"*/{variable.name}.tif")]
        part = RasterDataset(paths)
        joined = part if joined is None else joined & part
    sampler = RandomBatchGeoSampler(joined, side, experiment.batch_size, length=4096)
    loader = DataLoader(joined, batch_sampler=sampler, collate_fn=stack_samples)
    for sample in loader:
        images = sample["image"]
        if images.ndim == 3:
            images = images.unsqueeze(1)
        batch = {}
        for i, variable in enumerate(experiment.inputs):
            scale = data.scales.inputs[variable.name]
            image = images[:, i : i + 1, :side, :side].float()
            batch[variable.name] = ((image - scale.mean) / scale.std).nan_to_num(0.0)
        yield batch, torch.zeros(len(images), 1)


def ways(
    raw: dict, root: Path, batch_size: int, stack: ExitStack
) -> dict[str, Callable[[], float]]:
    """Return functions that take steps in each way and return seconds a sample."""
    experiment = check_experiment(raw | {"batch_size": batch_size}, "benchmark")
    build_dataset(experiment, Workspace(root))
    dataset = open_dataset(experiment, Workspace(root))
    data = prepare(experiment, read_training_tiles(dataset, experiment))
    training = Training(experiment, data, 0, root)
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "model"
    folder.mkdir()
    tiles = read_training_tiles(dataset, experiment)
    mapped = stack.enter_context(samples_on_disk(experiment, tiles, folder))
    as_trained = Training(experiment, mapped, 0, folder)
    network, optimizer = training.network, training.optimizer
    (output,) = experiment.outputs
    std = data.scales.outputs[output.name].std
    ((_, still, targets), *_) = data.train.batches(data.train.nominal(), batch_size)
    n_steps, n_last = divmod(len(data.train), batch_size)

    def seconds_a_sample(batches: Batches) -> float:
        begin, n = time.perf_counter(), 0
        for batch, known in batches:
            loss = (network(batch)[output.name] - known / std).abs().mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            n += len(known)
        return (time.perf_counter() - begin) / n

    def in_memory() -> Batches:
        yield from [(still, targets)] * n_steps
        if n_last:
            yield {k: v[:n_last] for k, v in still.items()}, targets[:n_last]

    def epoch(training: Training) -> float:
        begin = time.perf_counter()
        train_epoch([training], Flag())
        training.tally.log("")
        return (time.perf_counter() - begin) / len(data.train)

    loader = DataLoader(FilePatches(experiment, root, data), batch_size, shuffle=True)
    n_batches = max(1, N_FROM_FILES // batch_size)

    def some(batches: Batches) -> Batches:
        return (batch for batch, _ in zip(batches, range(n_batches), strict=False))

    functions = {
        "arithmetic": lambda: seconds_a_sample(in_memory()),
        "ours": lambda: epoch(as_trained),
        "memory": lambda: epoch(training),
        "files": lambda: seconds_a_sample(some(loader)),
    }
    one_resolution = len({v.resolution for v in experiment.inputs}) == 1
    if one_resolution and has_torchgeo():
        functions["torchgeo"] = lambda: seconds_a_sample(
            some(geo_batches(experiment, root, data))
        )
    return functions


def has_torchgeo() -> bool:
    """Tell whether torchgeo is installed."""
    try:
        import torchgeo  # noqa: F401, PLC0415
    except ImportError:
        return False
    return True


def small(root: Path) -> dict:
    """Write the made-up region; return its experiment, with a sample every 50 m."""
    raw = synthetic.write_region(root)
    return raw | {"sampling": {"spacing": 50.0}, "augmentation": AUGMENTATION}


def published(root: Path) -> dict:
    """Write a large square; return an experiment as published."""
    write_data(root, [256])
    raw = describe("published resnet", [256])
    raw |= {"sampling": {"spacing": 100.0}, "augmentation": AUGMENTATION}
    return raw | {"criterion": "loss"}


def main() -> None:
    """Print the ratios for small and large batches."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--aletsch", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    chosen = parser.parse_args()
    logging.disable(logging.WARNING)
    names = ["small", "published", *(["aletsch"] if chosen.aletsch else [])]
    for name in names:
        for batch_size in (32, 256):
            with (
                tempfile.TemporaryDirectory() as folder,
                one_thread(),
                ExitStack() as stack,
            ):
                root = Path(folder)
                if name == "aletsch":
                    root = chosen.aletsch
                    file = Path(__file__).parents[2] / "experiments/aletsch/resnet.json"
                    raw = json.loads(file.read_text(encoding="utf-8"))
                else:
                    raw = {"small": small, "published": published}[name](root)
                functions = ways(raw, root, batch_size, stack)
                rounds = [
                    {way: run() for way, run in functions.items()}
                    for _ in range(chosen.rounds)
                ]
            share = median(r["arithmetic"] / r["ours"] for r in rounds)
            line = f"{name}, batch {batch_size}: {share:.2f} of the arithmetic's speed"
            share = median(r["memory"] / r["ours"] for r in rounds)
            line += f", {share:.2f} of that with all samples in memory"
            for way in rounds[0].keys() - {"arithmetic", "ours", "memory"}:
                faster = median(r[way] / r["ours"] for r in rounds)
                line += f"; {faster:.1f} times as fast as {way}"
            print(line, flush=True)


if __name__ == "__main__":
    main()
