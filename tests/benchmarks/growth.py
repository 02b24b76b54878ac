"""
How the time and memory of commands grow with the number of features.

Round outlines of 131 pixels at 12.5 m, 400 m apart, so that each tile overlaps with
those of its eight neighbours, across the split too; three rasters; three members as
large as trained ones. Each step is a process of its own: `ginv check`, `ginv
build-dataset` (and once more, when all is there), what `ginv train` prepares before its
first step, `ginv draw` (and once more) and `ginv report`.

Prints CPU seconds with all that a process does from its start, for a feature CPU
milliseconds without the start (of the same step on eight features), and peak memory.
Where growth is linear, milliseconds do not grow from one region to the next.

    python -m tests.benchmarks.growth [--features 100,1000] [--steps check,build]

With --simulate: what does not read or draw any pixel, on features that have no tiles:
the check, the plan and the end of a build, what opens its dataset, and a mosaic.

    python -m tests.benchmarks.growth --simulate --features 1000,100000
"""

import argparse
import json
import logging
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import rasterio

from glacier_inversion.dataset.build import _finish
from glacier_inversion.dataset.opened import open_dataset
from glacier_inversion.dataset.plan import plan_dataset
from glacier_inversion.dataset.tiling import TiledFeature
from glacier_inversion.dataset.training_tiles import read_training_tiles
from glacier_inversion.drawing.mosaics import write_mosaics
from glacier_inversion.drawing.styles import DrawnMaps
from glacier_inversion.experiment.experiment import Experiment, load_experiment
from glacier_inversion.grid import Grid
from glacier_inversion.training.engine import check_network
from glacier_inversion.training.samples_on_disk import remove_samples, write_samples
from glacier_inversion.workspace import Workspace
from tests import synthetic
from tests.benchmarks.build import Cost, cost
from tests.benchmarks.draw import FINE, describe, write_members
from tests.benchmarks.many import MEMBERS, write_data

NETWORK, SPACING, FEW = "valid resnet", 400.0, 8
COMMANDS = {
    "check": ["check"],
    "build": ["build-dataset", "--jobs", "1", "-q"],
    "build again": ["build-dataset", "--jobs", "1", "-q"],
    "prepare": [],
    "draw": ["draw", "--device", "cpu", "-q"],
    "draw again": ["draw", "--device", "cpu", "-q"],
    "report": ["report", "-q"],
}
SIMULATED = ["check", "plan", "summary", "open", "mosaic"]


def write_region(root: Path, n_features: int) -> None:
    """Write data and an experiment, but no dataset."""
    write_data(root, n_features, SPACING)
    raw = describe(NETWORK, [])
    raw["dataset_description"]["split"] = {"fractions": [0.7, 0.15, 0.15]}
    raw["drawing_description"]["features"] = "all"
    synthetic.write_json(root / "exp.json", raw)


def run(step: str, root: Path) -> Cost:
    """Run a step to its end; write members when there is a dataset."""
    if step in SIMULATED[1:] or step == "prepare":
        name = "tests.benchmarks.growth"
        return cost([sys.executable, "-m", name, "--inside", step, str(root)])
    experiment = load_experiment(root / "exp.json")
    if step == "draw" and not Workspace(root).model(experiment.model_name).exists():
        dataset = open_dataset(experiment, Workspace(root))
        write_members(experiment, dataset, root, MEMBERS)
    command = [sys.executable, "-m", "glacier_inversion", *COMMANDS[step]]
    return cost([*command, str(root / "exp.json"), "--workspace", str(root)])


def run_inside(step: str, root: Path) -> None:
    """Run what no command does alone."""
    experiment, workspace = load_experiment(root / "exp.json"), Workspace(root)
    if step == "prepare":
        check_network(experiment)
        dataset = open_dataset(experiment, workspace)
        tiles = read_training_tiles(dataset, experiment)
        write_samples(experiment, tiles, root / "samples", dataset.select("test"))
        remove_samples(root / "samples")
    elif step == "plan":
        plan = plan_dataset(experiment, workspace)
        plan.check_buildable()
        list(plan.find_oddities({}))
    elif step == "summary":
        end_build(experiment, workspace)
    elif step == "open":
        dataset = open_dataset(experiment, workspace)
        dataset.outlines, dataset.digest, dataset.input_contents(experiment)
    else:
        places = json.loads((root / "places.json").read_text())
        grids = [Grid(left, top, FINE, 4, 4) for left, top in places.values()]
        what = "thickness", "mean"
        maps: DrawnMaps = {what: [root / f"maps/{name}.tif" for name in places]}
        write_mosaics(root, maps, {what: (0.0, 1.0)}, grids)


def end_build(experiment: Experiment, workspace: Workspace) -> None:
    """Do what a build does when all tiles are made."""
    plan = plan_dataset(experiment, workspace)
    results = {
        outline.feature: TiledFeature(
            {
                "feature": outline.feature,
                "columns": outline.columns,
                "bounds": plan.ownership.bounds[outline.feature],
                "area_km2": 0.02,
                "repairs": [],
                "rasters": {
                    raster.name: {"valid": 1.0, "sha256": "0" * 64}
                    for raster in plan.description.rasters
                },
            },
            0,
            0.0,
        )
        for outline in plan.outlines
    }
    _finish(experiment, plan, results)


def write_maps(root: Path) -> None:
    """Write a tiny map for each feature, as a mosaic needs them."""
    plan = plan_dataset(load_experiment(root / "exp.json"), Workspace(root))
    (root / "maps").mkdir()
    values = np.zeros((1, 4, 4), dtype="f4")
    places = {feature: own[::3] for feature, own in plan.ownership.bounds.items()}
    synthetic.write_json(root / "places.json", places)
    for feature, bounds in plan.ownership.bounds.items():
        grid = Grid.from_bounds(bounds, FINE)
        profile = {"driver": "GTiff", "dtype": "float32", "count": 1}
        profile |= {"height": 4, "width": 4, "crs": f"EPSG:{synthetic.EPSG}"}
        with rasterio.open(
            root / f"maps/{feature}.tif", "w", transform=grid.transform, **profile
        ) as dst:
            dst.write(values)


def measure(
    root: Path, n_features: int, steps: list[str]
) -> Iterator[tuple[str, Cost]]:
    """
    Yield what each step costs, one after the other.

    Nothing is removed before the end, for the reason of `tests.benchmarks.build.put_away`.
    """
    write_region(root, n_features)
    if "mosaic" in steps:
        write_maps(root)
    for step in steps:
        yield step, run(step, root)


def main() -> None:
    """Print a line for each step and region."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--features", default="100,1000")
    parser.add_argument("--steps", help="some of them, in their order")
    parser.add_argument("--simulate", action="store_true")
    parser.add_argument("--inside", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    logging.disable(logging.WARNING)
    if given.inside:
        run_inside(given.inside[0], Path(given.inside[1]))
        return
    steps = SIMULATED if given.simulate else list(COMMANDS)
    if given.steps:
        steps = given.steps.split(",")
    with tempfile.TemporaryDirectory() as folder:
        start = dict(measure(Path(folder) / "few", FEW, steps))
        print("features  step           CPU s   CPU ms a feature   peak MiB")
        for n in map(int, given.features.split(",")):
            for step, own in measure(Path(folder) / f"of-{n}", n, steps):
                each = (own.cpu - start[step].cpu) / (n - FEW) * 1e3
                print(
                    f"{n:8}  {step:<12} {own.cpu:7.1f}   {each:16.2f}   "
                    f"{own.peak:8.0f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
