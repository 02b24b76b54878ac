"""Maps, drawn and by hand."""

import dataclasses
import math

import numpy as np
import rasterio
import torch

from glacier_inversion.dataset.opened import open_dataset
from glacier_inversion.drawing.drawn_features import RECORD
from glacier_inversion.experiment.experiment import check_experiment
from glacier_inversion.patches.lattice import Layout, to_lattice
from glacier_inversion.training.model.calibration import (
    Calibration,
    Level,
    OutputCalibration,
)
from glacier_inversion.training.model.calibration_file import write_calibration
from glacier_inversion.training.model.model import (
    finished_seeds,
    read_member,
    read_model,
)
from glacier_inversion.training.network.network import Network
from glacier_inversion.workspace import Workspace
from tests.patches.helpers import patches_of


def read(path):
    """Return the values and the transform of a map."""
    with rasterio.open(path) as src:
        return src.read(1), src.transform


def by_patches(run, feature, model="small", variances=False):
    """Predict every point of a feature's lattice by itself, member by member."""
    place = Workspace(run.root)
    checked = check_experiment(run.raw, "exp")
    own = read_model(place.model(model))
    dataset = open_dataset(checked, place)
    layout = Layout.of(own.experiment)
    part = to_lattice(dataset.read_tiles(own.experiment, feature), layout)
    source = patches_of(part, layout, own.scales.inputs)
    network = Network(own.experiment)
    values = np.full((checked.seeds_number, *part.points.shape), np.nan)
    for seed in range(checked.seeds_number):
        read_member(network, place.model(model), seed, own.identity)
        for row, col in np.argwhere(part.usable):
            with torch.inference_mode():
                one = network(source.gather(torch.tensor([[0, row, col]])))
            std = own.scales.outputs["thickness"].std
            value, *log_variance = one["thickness"][0].tolist()
            values[seed, row, col] = (
                math.exp(*log_variance) * std**2 if variances else value * std
            )
    return part.points, values


def forget_records(run):
    """Let the next run draw all features, those too that would be the same."""
    for path in run.root.glob(f"drawings/*/*/{RECORD}"):
        path.unlink()


def draw_by(run, method):
    """Draw with a method; return what it said and the maps."""
    forget_records(run)
    result = run("draw", "--method", method, "--device", "cpu")
    assert result.exit_code == 0
    folder = run.root / "drawings/unpadded/south"
    maps = [read(folder / f"thickness_{name}.tif")[0] for name in ("mean", "std")]
    return result.stderr, maps


def calibrate(run, **changes):
    """Write a calibration of the model 'small', some of it changed; return it."""
    folder = Workspace(run.root).model("small")
    levels = {
        level: Level(factor, None, 0.01 * level - 0.003, {"east": 0.5})
        for level, factor in ((50, 0.6), (68, 1.25), (80, 1.75), (95, 3.5))
    }
    n_errors = dict.fromkeys(("east", "north-1", "west", "far", "away"), 30)
    own = OutputCalibration(4.0, 2.0, 0.25, levels, n_errors, is_nonnegative=True)
    own = dataclasses.replace(own, **changes)
    identity, n_members = read_model(folder).identity, len(finished_seeds(folder))
    whole = Calibration({"thickness": own}, "crossval", identity, n_members)
    write_calibration(whole, folder)
    return own
