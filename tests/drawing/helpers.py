"""Maps, drawn and by hand."""

import numpy as np
import rasterio
import torch

from glacier_inversion.dataset.opened import open_dataset
from glacier_inversion.experiment.experiment import check_experiment
from glacier_inversion.patches.gathering import PatchSource
from glacier_inversion.patches.lattice import Layout, to_lattice
from glacier_inversion.training.model.model import read_member, read_model
from glacier_inversion.training.network.network import Network
from glacier_inversion.workspace import Workspace


def read(path):
    """Return the values and the transform of a map."""
    with rasterio.open(path) as src:
        return src.read(1), src.transform


def by_patches(run, feature, model="small"):
    """Predict every point of a feature's lattice by itself, member by member."""
    place = Workspace(run.root)
    checked = check_experiment(run.raw, "exp")
    own = read_model(place.model(model))
    dataset = open_dataset(checked, place)
    layout = Layout.of(own.experiment)
    part = to_lattice(dataset.read_tiles(own.experiment, feature), layout)
    source = PatchSource([part], layout, own.scales.inputs)
    network = Network(own.experiment)
    values = np.full((checked.seeds_number, *part.points.shape), np.nan)
    for seed in range(checked.seeds_number):
        read_member(network, place.model(model), seed, own.identity)
        for row, col in np.argwhere(part.usable):
            with torch.inference_mode():
                one = network(source.gather(torch.tensor([[0, row, col]])))
            std = own.scales.outputs["thickness"].std
            values[seed, row, col] = float(one["thickness"]) * std
    return part.points, values


def draw_by(run, method):
    """Draw with a method; return what it said and the maps."""
    result = run("draw", "--method", method, "--device", "cpu")
    assert result.exit_code == 0
    folder = run.root / "drawings/unpadded/south"
    maps = [read(folder / f"thickness_{name}.tif")[0] for name in ("mean", "std")]
    return result.stderr, maps
