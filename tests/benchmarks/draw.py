"""
How fast maps are drawn: dense passes, patches, and what the arithmetic alone would take.

For networks of the size of the published ones, on one thread, alternating in one run:

- limit: the network's convolutions, and nothing else, on plain images as large as a map;
- dense, patches: ours, at the points of one block;
- draw: the whole command on maps of several sizes, files read and written;
- plain: patches in batches of 1,024, in torch's default layout, written plainly;
- single: one patch a call.

Prints medians of times for a pixel and member, and of their ratios; a map is drawn once.
Absolute times mean nothing on a shared machine. Peak memory is that of a process of its
own.

    python -m tests.benchmarks.draw [--sizes 256,1024,4096] [--members 1,8] [--rounds 5]
"""

import argparse
import copy
import logging
import math
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import safetensors.torch
import shapely
import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from glacier_inversion.dataset.build import build_dataset
from glacier_inversion.dataset.opened import BuiltDataset, open_dataset
from glacier_inversion.drawing.draw import draw
from glacier_inversion.experiment.experiment import Experiment, check_experiment
from glacier_inversion.patches.lattice import Layout, to_lattice
from glacier_inversion.patches.scale import Scale, Scales
from glacier_inversion.training.model.members import WEIGHTS
from glacier_inversion.training.model.model import Model, write_model
from glacier_inversion.training.network.convolving import PlainConvolutions
from glacier_inversion.training.network.dense import plan_dense
from glacier_inversion.training.network.devices import CPU
from glacier_inversion.training.network.kept_memory import keep_freed_memory
from glacier_inversion.training.network.network import Network
from glacier_inversion.training.network.operations.convolutions import ResidualBlock
from glacier_inversion.training.network.operations.downsample import Downsample
from glacier_inversion.training.network.predict import BlockInputs, predict_points
from glacier_inversion.workspace import Workspace
from tests import synthetic
from tests.patches.helpers import patches_of

FINE, COARSE, AREA = 12.5, 25.0, 400.0
N_PATCHES, N_BLOCK = 4096, 512
DOWN = {"name": "downsample"}


def convolutions(*filters: int, **more: str) -> dict:
    """Return an operation."""
    return {"name": "convolutions", "filters": list(filters), **more}


def denses(*filters: int, activation: str = "relu") -> dict:
    """Return an operation."""
    return {
        "name": "denses",
        "filters": list(filters),
        "last_activation": activation,
    }


VALID = {"padding": "valid"}
NETWORKS = {
    "valid resnet": (
        "resnet",
        {
            "slope": [convolutions(16, 16, **VALID), DOWN],
            "speed": [convolutions(16, **VALID)],
        },
        [{"name": "concatenation"}, convolutions(32, 32, **VALID), DOWN],
        [convolutions(64, **VALID), denses(64, 1)],
    ),
    "vggnet": (
        "vggnet",
        {"slope": [convolutions(16, 16), DOWN], "speed": [convolutions(16)]},
        [{"name": "concatenation"}, convolutions(32, 32), DOWN],
        [convolutions(64), denses(64, 1)],
    ),
    "published resnet": (  # pads with zeros: patches alone are exact
        "resnet",
        {"slope": [convolutions(16, 16), DOWN, convolutions(16, 16), DOWN]},
        [convolutions(32, 32), DOWN],
        [convolutions(32, 32), DOWN, convolutions(64, 64), denses(256, 1)],
    ),
}


def describe(network: str, sizes: list[int]) -> dict:
    """Return an experiment with a network."""
    architecture, inputs, main, output = NETWORKS[network]
    raw = synthetic.experiment()
    resolutions = {"slope": FINE, "speed": COARSE}
    raw |= {"model_architecture": architecture, "area_size": AREA}
    raw["model_name"] = network.replace(" ", "_")
    raw["inputs"] = [{"name": n, "resolution": resolutions[n]} for n in inputs]
    raw["outputs"] = [{"name": "thickness", "resolution": FINE}]
    raw["model_description"] = {
        "inputs": {name: {"operations": o} for name, o in inputs.items()},
        "main": {"operations": main},
        "outputs": {"thickness": {"operations": output}},
    }
    raw["dataset_description"] |= {
        "buffer_distance": 250.0,
        "split": {"fractions": [1.0, 0.0, 0.0]},
        "rasters": [
            {"name": name, "resolution": r, "file": f"{name}.tif"}
            for name, r in (*resolutions.items(), ("thickness", FINE))
        ],
    }
    raw["drawing_description"] = {
        "features": [str(n) for n in sizes],
        "models": [raw["model_name"]],
    }
    return raw


def write_data(root: Path, sizes: list[int]) -> None:
    """Write rasters, and a square outline for each size, one beside the other."""
    margin = 50
    n_rows = max(sizes) + 2 * margin
    n_cols = sum(sizes) + margin * (len(sizes) + 1)
    row, col = np.ogrid[:n_rows, :n_cols]
    values = (20 + 10 * np.sin(row / 37) * np.cos(col / 53)).round(2).astype("f4")
    left, top = synthetic.LEFT, synthetic.TOP
    for name in ("slope", "speed", "thickness"):
        synthetic.write_raster(root / f"data/{name}.tif", values, left, top, FINE)
    features, begin = [], margin
    for n in sizes:
        x, y = left + begin * FINE, top - margin * FINE
        outline = shapely.box(x, y - n * FINE, x + n * FINE, y)
        features.append(({"id": str(n)}, outline))
        begin += n + margin
    synthetic.write_outlines(root / "data/glaciers.shp", features)


def write_members(
    experiment: Experiment, dataset: BuiltDataset, root: Path, n: int
) -> None:
    """Write members that are as large as trained ones."""
    place, name = Workspace(root), experiment.model_name
    both = experiment.inputs, experiment.outputs
    scales = Scales(*({v.name: Scale(20.0, 5.0) for v in side} for side in both))
    model = Model(experiment, scales, dataset.input_contents(experiment))
    place.model(name).mkdir(parents=True)
    write_model(model, place.model(name))
    for seed in range(n):
        torch.manual_seed(seed)
        place.member(name, seed).mkdir()
        weights = {
            k: v.contiguous() for k, v in Network(experiment).state_dict().items()
        }
        safetensors.torch.save_file(weights, place.member(name, seed) / WEIGHTS)


def seconds(run: Callable[[], object]) -> float:
    """Time a call."""
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


def limit_of(network: Network, n_px: int) -> Callable[[], None]:
    """Return the network's convolutions on plain images, dense layers among them."""
    calls = []
    for shape, weight in layers_of(network):
        kernel = weight.reshape(len(weight), *shape) if weight.ndim == 2 else weight
        kernel = kernel.contiguous(memory_format=torch.channels_last)
        side = n_px + kernel.shape[-1] - 1
        image = torch.randn(1, kernel.shape[1], side, side)
        calls.append((image.contiguous(memory_format=torch.channels_last), kernel))

    def run() -> None:
        with torch.inference_mode():
            for image, weight in calls:
                functional.conv2d(image, weight)

    return run


class Weights(TorchFunctionMode):
    """Keeps what each convolution and dense layer was given, in the order of calls."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[tuple[int, ...], torch.Tensor]] = []

    def __torch_function__(
        self,
        func: Callable,
        types: object,
        args: tuple = (),
        kwargs: dict | None = None,
    ) -> object:
        """Call it, and note the shape of one sample and the weights."""
        if func in (functional.conv2d, functional.linear):
            self.found.append((tuple(args[0].shape[1:]), args[1].detach()))
        return func(*args, **(kwargs or {}))


def layers_of(network: Network) -> list[tuple[tuple[int, ...], torch.Tensor]]:
    """Return weights of convolutions and dense layers, with what each is given."""
    patches = {n: torch.zeros(1, 1, s, s) for n, s in sides_of(network).items()}
    with Weights() as kept:  # with gradients, as nothing is fused then
        network(patches)
    layers: list = []
    last_image: tuple[int, ...] = ()
    for shape, weight in kept.found:
        if len(shape) == 3:
            side = shape[1] - weight.shape[-1] + 1
            last_image = (len(weight), side, side)
            layers.append((shape, weight))
        else:
            images = (last_image, (*shape, 1, 1))
            layers.append((next(i for i in images if math.prod(i) == shape[0]), weight))
    return layers


def sides_of(network: Network) -> dict[str, int]:
    """Return the pixels per side of the patches of a network's inputs."""
    return {
        name: round(AREA / (FINE if name == "slope" else COARSE))
        for name in network.input_names
    }


def written_plainly(network: Network) -> Network:
    """Return a copy in torch's default layout that computes as textbooks write it."""
    usual = copy.deepcopy(network)
    for kernel in usual.kernels():
        kernel.data = kernel.data.contiguous(memory_format=torch.contiguous_format)
    for layer in usual.modules():
        if isinstance(layer, Downsample):
            layer.apply_to = partial(functional.max_pool2d, kernel_size=2)
        elif isinstance(layer, ResidualBlock):
            layer.apply_to = partial(textbook_block, layer)
        elif isinstance(layer, PlainConvolutions):
            layer.apply_to = partial(textbook_convolutions, layer)
    return usual


def textbook_block(block: ResidualBlock, image: torch.Tensor) -> torch.Tensor:
    """Add two paths."""
    crop = block.n_lost // 2
    shortcut = image[..., crop : image.shape[2] - crop, crop : image.shape[3] - crop]
    shortcut = block.shortcut(shortcut)
    for i, layer in enumerate(block.layers):
        image = layer(image if i == 0 else functional.relu(image))
    return functional.relu(image + shortcut)


def textbook_convolutions(row: PlainConvolutions, image: torch.Tensor) -> torch.Tensor:
    """Convolve and rectify."""
    for layer in row.layers:
        image = functional.relu(layer(image))
    return image


def ways_of(
    experiment: Experiment, dataset: BuiltDataset, n_block: int
) -> dict[str, Callable[[], float]]:
    """Return functions that evaluate a network and return seconds for a point."""
    network, layout = Network(experiment).eval(), Layout.of(experiment)
    plan = plan_dense(network, layout)
    feature = str(max(int(name) for name in dataset.select("all")))
    side = n_block + layout.window_px + 1
    window = slice(0, side - side % 2), slice(0, side - side % 2)
    part = to_lattice(dataset.read_tiles(experiment, feature, *window, False), layout)
    scales = {v.name: Scale(20.0, 5.0) for v in experiment.inputs}
    source = patches_of(part, layout, scales)
    block = BlockInputs(part, layout, scales, CPU.torch_device)
    every = np.zeros(part.usable.shape, dtype=np.bool_)
    every[:n_block, :n_block] = True
    some = np.zeros_like(every)
    some[: N_PATCHES // n_block + 1, :n_block] = True
    some.ravel()[np.flatnonzero(some)[N_PATCHES:]] = False
    points = torch.from_numpy(np.argwhere(some))
    points = torch.cat([torch.zeros(N_PATCHES, 1, dtype=torch.int64), points], dim=1)
    usual = written_plainly(network)

    keep_freed_memory()  # as who draws does

    def predict(wanted: np.ndarray, method: str) -> float:
        run = lambda: predict_points([network], block, wanted, plan, method, CPU)  # noqa: E731
        return seconds(run) / wanted.sum()

    @torch.inference_mode()
    def patches_as_usual(n_batch: int, n: int) -> float:
        batches = [source.gather(batch) for batch in points[:n].split(n_batch)]
        return seconds(lambda: [usual(batch) for batch in batches]) / n

    ways = {
        "patches": lambda: predict(some, "patches"),
        "plain": lambda: patches_as_usual(1024, N_PATCHES),
        "single": lambda: patches_as_usual(1, 128),
    }
    if plan.is_dense:
        limit = limit_of(network, 256)
        ways["limit"] = lambda: seconds(limit) / 256**2
        ways["dense"] = lambda: predict(every, "dense")
    return ways


def time_drawing(raw: dict, root: Path, size: int, n_members: int) -> float:
    """Return the seconds that the command takes for a pixel and member."""
    raw = copy.deepcopy(raw)
    raw["drawing_description"]["features"] = [str(size)]
    experiment = check_experiment(raw, "benchmark")

    def run() -> None:
        shutil.rmtree(root / "drawings", ignore_errors=True)  # else it would be kept
        draw(experiment, Workspace(root), device=CPU)

    return seconds(run) / size**2 / n_members


def peak_memory(raw: dict, root: Path, size: int) -> str:
    """Return the peak memory of the command in a process of its own."""
    raw = copy.deepcopy(raw)
    raw["drawing_description"]["features"] = [str(size)]
    file = synthetic.write_json(root / "peak.json", raw)
    arguments = ["draw", str(file), "--workspace", str(root), "--device", "cpu", "-q"]
    code = (
        "from pathlib import Path\n"
        "from glacier_inversion.cli import main\n"
        f"main({arguments!r}, standalone_mode=False)\n"
        "print(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    return f"{int(done.stdout.splitlines()[-1]) / 1024:.0f} MiB"


def report(name: str, times: dict[str, list[float]], multiply_adds: int) -> None:
    """Print medians, with the arithmetic of convolutions alone, and ratios of rounds."""
    print(f"\n{name}")
    for way, own in times.items():
        line = f"  {way:<8} {median(own) * 1e6:10.2f} us a pixel and member"
        if way in ("limit", "dense"):
            line += f", {2e-9 * multiply_adds / median(own):.0f} GFLOP/s"
        print(line)

    def ratio(one: str, other: str) -> str:
        return f"{median(a / b for a, b in zip(times[one], times[other], strict=True)):.1f}"

    best = "dense" if "dense" in times else "patches"
    if best == "dense":
        print(f"  dense is {ratio('patches', 'dense')} times as fast as our patches,")
    print(f"  {best}: {ratio('plain', best)} times as fast as plain batches of 1,024,")
    print(f"  {ratio('single', best)} times as fast as one patch a call;")
    if best == "dense":
        share = median(a / b for a, b in zip(times["limit"], times[best], strict=True))
        print(f"  the limit takes {share:.2f} of its time")


def main() -> None:
    """Print a table for each network."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", default="256,1024,4096")
    parser.add_argument("--members", default="1,8")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    sizes = [int(n) for n in options.sizes.split(",")]
    members = [int(n) for n in options.members.split(",")]
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    for network in NETWORKS:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            raw = describe(network, sizes)
            experiment = check_experiment(raw, "benchmark")
            write_data(root, sizes)
            build_dataset(experiment, Workspace(root))
            dataset = open_dataset(experiment, Workspace(root))
            ways = ways_of(experiment, dataset, min(N_BLOCK, *sizes))
            for way in ways.values():
                way()
            rounds = [
                {name: way() for name, way in ways.items()}
                for _ in range(options.rounds)
            ]
            layers = layers_of(Network(experiment))
            report(
                network,
                {name: [r[name] for r in rounds] for name in ways},
                sum(weight.numel() for _, weight in layers),
            )
            for n in members if "dense" in ways else []:
                folder_of_model = Workspace(root).model(experiment.model_name)
                if folder_of_model.exists():
                    folder_of_model.rename(root / f"models_{n}")
                write_members(experiment, dataset, root, n)
                for size in sizes:
                    taken = time_drawing(raw, root, size, n)
                    print(
                        f"  draw {size} x {size}, {n} members: {taken * 1e6:.2f} us, "
                        f"peak memory {peak_memory(raw, root, size)}"
                    )


if __name__ == "__main__":
    main()
