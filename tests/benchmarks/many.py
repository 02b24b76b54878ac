"""
What maps of many small features cost, beside writing the same files empty.

Round outlines of 131 pixels at 12.5 m, 700 m apart, are drawn by three members, each way in
a process of its own:

- draw: `ginv draw`, mean and standard deviation; draw 2: by two processes, `--jobs 2`;
- kept: draw once more, when all is there;
- empty: rasterio writes the same GeoTIFFs, in the same blocks, without a value, and plain
  writes the same styles and records: nothing is read, predicted, checked or renamed.

Prints how many times as fast two jobs are, by the clock and with their start; and CPU
seconds with all that the processes do from their start, for a feature CPU milliseconds
without the start (of a run on one feature, which one process draws), and the peak
memory of a process.

    python -m tests.benchmarks.many [--features 500,10000] [--network "valid resnet"]
"""

import argparse
import copy
import json
import logging
import math
import sys
import tempfile
from pathlib import Path

import numpy as np
import rasterio
import shapely
from rasterio.enums import Resampling

from glacier_inversion.dataset.build import build_dataset
from glacier_inversion.dataset.opened import open_dataset
from glacier_inversion.experiment.experiment import check_experiment
from glacier_inversion.workspace import Workspace
from tests import synthetic
from tests.benchmarks.build import Cost, cost, put_away
from tests.benchmarks.draw import FINE, NETWORKS, describe, write_members

N_PX, MEMBERS, SPACING = 131, 3, 700.0
COG = {"driver": "COG", "dtype": "float32", "count": 1, "nodata": float("nan")}
COG |= {"compress": "deflate", "predictor": "floating_point"}
COG |= {"overview_resampling": Resampling.average.name, "statistics": "yes"}


def write_data(root: Path, n_features: int, spacing: float) -> None:
    """Write rasters, and round outlines of some pixels that lie *spacing* apart."""
    n_cols = math.ceil(math.sqrt(n_features))
    n_side = math.ceil((n_cols + 1) * spacing / FINE)
    row, col = np.ogrid[:n_side, :n_side]
    values = (20 + 10 * np.sin(row / 37) * np.cos(col / 53)).round(2).astype("f4")
    left, top = synthetic.LEFT, synthetic.TOP
    for name in ("slope", "speed", "thickness"):
        synthetic.write_raster(root / f"data/{name}.tif", values, left, top, FINE)
    radius = FINE * math.sqrt(N_PX / math.pi)
    features = []
    for number in range(n_features):
        i, j = divmod(number, n_cols)
        centre = shapely.Point(left + (j + 1) * spacing, top - (i + 1) * spacing)
        features.append(({"id": f"g{number:05}"}, centre.buffer(radius)))
    synthetic.write_outlines(root / "data/glaciers.shp", features)


def write_region(root: Path, network: str, n_features: int) -> Path:
    """Write data, build the dataset, and write members as large as trained ones."""
    write_data(root, n_features, SPACING)
    raw = describe(network, [])
    raw["drawing_description"]["features"] = "all"
    experiment = check_experiment(raw, "benchmark")
    build_dataset(experiment, Workspace(root))
    dataset = open_dataset(experiment, Workspace(root))
    write_members(experiment, dataset, root, MEMBERS)
    one = copy.deepcopy(raw)
    one["drawing_description"]["features"] = ["g00000"]
    synthetic.write_json(root / "one.json", one)
    return synthetic.write_json(root / "exp.json", raw)


def draw(file: Path, jobs: int = 1) -> Cost:
    """Draw by the command, anew or what is not there yet."""
    command = [sys.executable, "-m", "glacier_inversion", "draw", str(file), "-q"]
    command += ["--workspace", str(file.parent), "--device", "cpu", "--jobs", str(jobs)]
    return cost(command)


def list_files(root: Path) -> list:
    """List what was drawn: GeoTIFFs by layout and place, other files by length."""
    listed: list = []
    for path in sorted((root / "drawings").rglob("*/*")):
        if path.suffix == ".tif":
            with rasterio.open(path) as src:
                laid = {
                    "height": src.height,
                    "width": src.width,
                    "blocksize": src.block_shapes[0][0],
                    "transform": list(src.transform)[:6],
                }
        elif path.suffix in (".qml", ".json") and path.parent.parent.name != "drawings":
            laid = path.stat().st_size
        else:
            continue
        listed.append((str(path.relative_to(root / "drawings")), laid))
    return listed


def write_empty(root: Path) -> None:
    """Write the files that are listed, empty."""
    crs = rasterio.CRS.from_epsg(synthetic.EPSG)
    nothing = np.full((600, 600), np.nan, "f4")
    for name, laid in json.loads((root / "files.json").read_text()):
        path = root / "empty" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(laid, int):
            path.write_bytes(b" " * laid)
            continue
        laid["transform"] = rasterio.Affine(*laid["transform"])
        with rasterio.open(path, "w", crs=crs, **laid, **COG) as dst:
            dst.write(nothing[: laid["height"], : laid["width"]], 1)


def empty(root: Path) -> Cost:
    """Write the files in a process of its own."""
    put_away(root / "empty")
    call = ["-m", "tests.benchmarks.many", "--empty", str(root)]
    return cost([sys.executable, *call])


def compare(network: str, n_features: int) -> None:
    """Print the costs of a region."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        file = write_region(root, network, n_features)
        start = draw(root / "one.json")
        costs = {}
        for way, jobs in ("draw 2", 2), ("draw", 1):
            put_away(root / "drawings")
            costs[way] = draw(file, jobs)
        costs["kept"] = draw(file)
        synthetic.write_json(root / "files.json", [])
        start_of_empty = empty(root)
        synthetic.write_json(root / "files.json", list_files(root))
        costs["empty"] = empty(root)
        each = {}
        print(f"\n{network}, {n_features} features")
        print("           CPU s   wall s   CPU ms a feature   peak MiB")
        for way, own in costs.items():
            begun = start_of_empty if way == "empty" else start
            each[way] = (own.cpu - begun.cpu) / n_features * 1e3
            alone = f"{each[way]:.2f}" if way != "draw 2" else ""  # two starts
            print(
                f"  {way:<7} {own.cpu:7.1f}  {own.wall:7.1f}   {alone:>16}   "
                f"{own.peak:8.0f}"
            )
        ratio = each["draw"] / each["empty"]
        print(f"  draw takes {ratio:.2f} times the CPU of empty files")
        faster = costs["draw"].wall / costs["draw 2"].wall
        print(f"  two jobs are {faster:.2f} times as fast as one", flush=True)


def main() -> None:
    """Print a table for each number of features."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--features", default="500")
    parser.add_argument("--network", default="valid resnet", choices=NETWORKS)
    parser.add_argument("--empty", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    logging.disable(logging.WARNING)
    if given.empty:
        write_empty(given.empty)
        return
    for n in map(int, given.features.split(",")):
        compare(given.network, n)


if __name__ == "__main__":
    main()
