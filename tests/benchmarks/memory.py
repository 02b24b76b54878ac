"""
The memory that training needs: for pixels, members and epochs, and against `ginv check`.

Each training is a process of its own, on a made-up region of square glaciers with four
inputs and a target. What counts is what its resident memory grows by from when all is
imported: the most there is of it, and the median while members are trained, the part
that lies in a file told apart: the system takes that back where memory is short. Stated
for a pixel of the tiles, where the target is known on tracks, as radar has it, and at
every pixel of a glacier, which is the worst; and of the peak, the estimate of `ginv check`.

    python -m tests.benchmarks.memory [--features 100] [--side 224] [--members 2]
"""

import argparse
import json
import logging
import math
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median

import numpy as np
import shapely

from glacier_inversion.checking.check import check
from glacier_inversion.dataset.build import build_dataset
from glacier_inversion.experiment.experiment import check_experiment
from glacier_inversion.training.engine import check_network
from glacier_inversion.training.train import train
from glacier_inversion.workspace import Workspace
from tests import synthetic

RESOLUTION, BUFFER, AREA = 10.0, 500.0, 160.0
INPUTS = ["slope", "speed", "elevation", "change"]
TRACK = 40  # px between tracks along which the target is known
MB, MILLION = 1e6, 1e6


def describe(model: str, known: str, n_members: int, n_epochs: int) -> dict:
    """Return an experiment with four inputs, with a sample every 100 m."""
    raw = synthetic.experiment() | {"model_name": model, "area_size": AREA}
    raw |= {"seeds_number": n_members, "epochs": n_epochs, "criterion": "loss"}
    images = [{"name": name, "resolution": RESOLUTION} for name in INPUTS]
    raw |= {"inputs": images, "batch_size": 256, "sampling": {"spacing": 100.0}}
    raw["outputs"] = [{"name": "thickness", "resolution": RESOLUTION, "scalar": True}]
    few = {"name": "convolutions", "filters": [4]}
    denses = {"name": "denses", "filters": [8, 1], "last_activation": "linear"}
    raw["model_description"] = {
        "inputs": {name: {"operations": [{"name": "downsample"}]} for name in INPUTS},
        "main": {"operations": [{"name": "concatenation"}, few]},
        "outputs": {"thickness": {"operations": [denses]}},
    }
    raw["dataset_description"] |= {
        "dataset_name": known,
        "buffer_distance": BUFFER,
        "split": {"fractions": [0.9, 0.1, 0.0]},
        "rasters": [
            {"name": name, "resolution": RESOLUTION, "file": f"{file}.tif"}
            for name, file in (*zip(INPUTS, INPUTS, strict=True), ("thickness", known))
        ],
    }
    raw["drawing_description"] = {"features": [], "models": [model]}
    return raw


def write_region(root: Path, n_features: int, side: int) -> None:
    """Write rasters, and as many square outlines whose tiles have *side* pixels."""
    buffer = round(BUFFER / RESOLUTION)
    n_inside, n_along = side - 2 * buffer, math.ceil(math.sqrt(n_features))
    n = n_along * (n_inside + 20) + 2 * buffer
    row, col = np.ogrid[:n, :n]
    place = synthetic.LEFT // 10 * 10, synthetic.TOP // 10 * 10
    for i, name in enumerate([*INPUTS, "everywhere"]):
        values = 20 + 10 * np.sin(row / (37 + i)) * np.cos(col / (53 + i))
        values = values.round(2).astype("f4")
        synthetic.write_raster(root / f"data/{name}.tif", values, *place, RESOLUTION)
    on_track = (row % TRACK == 0) | (col % TRACK == 0)
    tracks = np.where(on_track, values, np.float32(synthetic.NODATA))
    synthetic.write_raster(root / "data/tracks.tif", tracks, *place, RESOLUTION)
    features = []
    for number in range(n_features):
        first = (buffer + k * (n_inside + 20) for k in divmod(number, n_along))
        up, left = (k * RESOLUTION for k in first)
        x, y = place[0] + left, place[1] - up
        size = n_inside * RESOLUTION
        features.append(({"id": str(number)}, shapely.box(x, y - size, x + size, y)))
    synthetic.write_outlines(root / "data/glaciers.shp", features)


class Watch:
    """Reads the resident memory every few milliseconds, and when members are trained."""

    def __init__(self) -> None:
        self.is_training = False
        self.seen: list[tuple[int, int]] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def start(self, stage: str, total: int, unit: str) -> None:
        """Hear of a stage."""
        del total, unit
        self.is_training = stage == "training"

    def advance(self, note: str = "") -> None:
        """Hear of a step."""

    def _look(self) -> None:
        while not self._over.wait(0.005):
            if self.is_training:
                self.seen.append(resident())

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def resident() -> tuple[int, int]:
    """Return the bytes of this process in memory: its own, and those of files."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    fields = dict(line.split(":") for line in lines)
    own, of_files = (int(fields[k].split()[0]) for k in ("RssAnon", "RssFile"))
    return own * 1024, of_files * 1024


def train_once(root: Path, model: str, known: str, n_members: int, n: int) -> None:
    """Train, and print what memory grew by, as JSON."""
    raw = describe(model, known, n_members, n)
    experiment = check_experiment(raw, "benchmark")
    check_network(experiment)
    logging.disable(logging.WARNING)
    train(  # imports what it needs
        check_experiment(describe("first", "everywhere", 1, 1), "benchmark"),
        Workspace(root / "first"),
        overwrite=True,
    )
    start = resident()
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # forget the peak
    begin = time.perf_counter()
    with Watch() as watch:
        train(experiment, Workspace(root), overwrite=True, progress=watch)
    seconds = time.perf_counter() - begin
    own, of_files = (median(part) for part in zip(*watch.seen, strict=True))
    print(
        json.dumps(
            {
                "peak": peak_since() - sum(start),
                "own": own - start[0],
                "of files": of_files - start[1],
                "seconds": seconds,
            }
        )
    )


def peak_since() -> int:
    """Return the greatest resident memory since it was last forgotten, bytes."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    (peak,) = (line for line in lines if line.startswith("VmHWM"))
    return int(peak.split()[1]) * 1024


def measure(root: Path, known: str, n_members: int, n_epochs: int) -> dict[str, float]:
    """Train in a process of its own."""
    words = map(str, (root, f"{known}_{n_members}", known, n_members, n_epochs))
    command = [sys.executable, "-m", "tests.benchmarks.memory", "--one", *words]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(result.stdout.splitlines()[-1])


def main() -> None:
    """Print what a pixel takes, and the estimate."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--features", type=int, default=100)
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--members", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--known", default="tracks,everywhere")
    parser.add_argument("--one", nargs=5)
    chosen = parser.parse_args()
    if chosen.one:
        root, model, known, *numbers = chosen.one
        train_once(Path(root), model, known, *map(int, numbers))
        return
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_region(root / "first", 10, 120)
        first = check_experiment(describe("first", "everywhere", 1, 1), "benchmark")
        build_dataset(first, Workspace(root / "first"))
        write_region(root, chosen.features, chosen.side)
        n_pixels = chosen.features * chosen.side**2
        print(f"{chosen.features} features, {n_pixels / MILLION:.1f} million pixels")
        for known in chosen.known.split(","):
            raw = describe("checked", known, chosen.members, chosen.epochs)
            experiment = check_experiment(raw, "benchmark")
            build_dataset(experiment, Workspace(root))
            report = check(experiment, Workspace(root))
            estimate = report.train.memory_bytes
            for n_members, n_epochs in ((1, 3), (chosen.members, chosen.epochs)):
                found = measure(root, known, n_members, n_epochs)
                peak = found["peak"]
                print(
                    f"target known on {known}, {n_members} members, {n_epochs} epochs: "
                    f"{(found['own'] + found['of files']) / n_pixels:.1f} bytes a pixel, "
                    f"{found['of files'] / n_pixels:.1f} of them in a file; at most "
                    f"{peak / n_pixels:.1f} ({peak / MB:.0f} MB); "
                    f"check: {estimate / MB:.0f} MB, {estimate / peak:.2f} of it; "
                    f"{found['seconds']:.1f} s",
                    flush=True,
                )


if __name__ == "__main__":
    main()
