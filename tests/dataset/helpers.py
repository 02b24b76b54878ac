"""Datasets, built and read."""

import json

import numpy as np
import pytest

from glacier_inversion.dataset.build import build_dataset
from glacier_inversion.dataset.opened import open_dataset
from glacier_inversion.dataset.plan import plan_dataset
from glacier_inversion.experiment.experiment import check_experiment
from glacier_inversion.progress import Silent
from glacier_inversion.workspace import Workspace
from tests import synthetic


def plan(run):
    """Plan the dataset."""
    return plan_dataset(check_experiment(run.raw, "exp"), Workspace(run.root))


def build(run, jobs=None):
    """Build from Python."""
    return build_dataset(
        check_experiment(run.raw, "exp"), Workspace(run.root), jobs=jobs
    )


def build_until(run, feature):
    """Build, and be interrupted when a feature is done."""

    class Interrupting(Silent):
        def advance(self, note=""):
            if note == feature:
                raise KeyboardInterrupt

    checked, place = check_experiment(run.raw, "exp"), Workspace(run.root)
    with pytest.raises(KeyboardInterrupt):
        build_dataset(checked, place, progress=Interrupting())


def summary(run):
    """Read the summary."""
    return json.loads((run.root / "datasets/region/summary.json").read_text())


def tiles(run):
    """Return the modification times of all tiles."""
    folder = run.root / "datasets" / "region"
    return {
        str(p.relative_to(folder)): p.stat().st_mtime_ns for p in folder.rglob("*.tif")
    }


def known_everywhere(run, resolution=50.0):
    """Replace the thickness by one that is known everywhere, at another resolution."""
    left, top = synthetic.LEFT, synthetic.TOP
    n_rows, n_cols = int(3250 / resolution), int(3500 / resolution)
    values = synthetic.sample(
        synthetic.thickness_m, left, top, resolution, n_rows, n_cols
    )
    synthetic.write_raster(
        run.root / "data/thickness.tif", values, left, top, resolution
    )
    return values


def all_tiles(run):
    """Build, and read the tiles of every feature."""
    build(run)
    checked = check_experiment(run.raw, "exp")
    reader = open_dataset(checked, Workspace(run.root))
    return [reader.read_tiles(checked, feature) for feature in reader.rows]


def points_of(grid):
    """Return the points of a grid's pixel centres."""
    x, y = np.meshgrid(grid.x(np.arange(grid.n_cols)), grid.y(np.arange(grid.n_rows)))
    return x, y


def some(*ids):
    """Return features with these ids."""
    return [({"id": i}, synthetic.box(0, 0, 100 + n, 100)) for n, i in enumerate(ids)]
