"""Networks and made-up inputs for them."""

import numpy as np
import torch

from glacier_inversion.experiment.experiment import check_experiment
from glacier_inversion.grid import Grid
from glacier_inversion.patches.lattice import Layout, to_lattice
from glacier_inversion.patches.scale import Scale
from glacier_inversion.patches.tiles import Tiles
from glacier_inversion.training.network.dense import plan_dense
from glacier_inversion.training.network.devices import CPU
from glacier_inversion.training.network.fields import PatchField
from glacier_inversion.training.network.predict import BlockInputs, predict_points
from tests import synthetic


def block(*filters, **more):
    """Return a `convolutions` operation."""
    return {"name": "convolutions", "filters": list(filters), **more}


def denses(*filters, activation="linear"):
    """Return a `denses` operation."""
    return {"name": "denses", "filters": list(filters), "last_activation": activation}


DOWN, CONCATENATION = {"name": "downsample"}, {"name": "concatenation"}
ADDITION = {"name": "addition"}


def experiment(inputs, main, outputs, area_size=400.0, architecture="resnet", **keys):
    """Return an experiment: inputs {name: (resolution, scalar, operations)}."""
    raw = synthetic.experiment()
    raw["model_architecture"], raw["area_size"] = architecture, area_size
    raw["inputs"] = [
        {"name": n, "resolution": r, "scalar": s} for n, (r, s, _) in inputs.items()
    ]
    finest = min(r for r, _, _ in inputs.values())
    raw["outputs"] = [
        {"name": n, "resolution": finest, "scalar": True} for n in outputs
    ]
    raw["losses_name"] = dict.fromkeys(outputs, "nan_mae")
    raw["metrics_name"] = {}
    raw["dataset_description"]["rasters"] = [
        {"name": v["name"], "resolution": v["resolution"], "file": "f.tif"}
        for v in (*raw["inputs"], *raw["outputs"])
    ]
    raw["model_description"] = {
        "inputs": {n: {"operations": o} for n, (_, _, o) in inputs.items()},
        "main": {"operations": main},
        "outputs": {n: {"operations": o} for n, o in outputs.items()},
    }
    return check_experiment(raw | keys, "exp")


def batch_of(checked, n=3):
    """Return random inputs for an experiment's network."""
    sides = {v.name: round(checked.area_size / v.resolution) for v in checked.inputs}
    return {
        v.name: torch.randn(
            (n, 1) if v.scalar else (n, 1, sides[v.name], sides[v.name])
        )
        for v in checked.inputs
    }


VALID = {"padding": "valid"}
FINEST = 12.5


def conv(*args, **keys):
    """Return a valid `convolutions` operation."""
    return block(*args, **VALID, **keys)


def random_field(channels, side, spacing, n_points=24, is_vector=False):
    """Return a field of two blocks of random values and the images it was made of."""
    n = n_points + (side - 1) * spacing
    images = torch.randn(2, channels, n, n, dtype=torch.float64)
    return PatchField.of(images, spacing, side, is_vector), images


def every_point(n):
    """Return the rows, columns and blocks of two blocks of n x n points."""
    block, row, col = torch.cartesian_prod(*map(torch.arange, (2, n, n))).T
    return row, col, block


def assert_same(actual, expected, tolerance, least=0.0):
    """Compare within a tolerance relative to the largest of the values, or to *least*."""
    assert actual.shape == expected.shape
    scale = max(np.abs(expected).max(), least) or 1.0
    np.testing.assert_allclose(actual / scale, expected / scale, rtol=0, atol=tolerance)


def tiles_for(checked, n_more, seed, unknown=0.0):
    """Return random tiles with so many points more than one per side, some unknown."""
    rng = np.random.default_rng(seed)
    factors = {v.name: checked.factor(v) for v in checked.inputs}
    whole = int(np.lcm.reduce(list(factors.values())))
    side = -(-(checked.window_px + n_more) // whole) * whole
    arrays = {}
    for name, k in factors.items():
        values = rng.normal(size=(side // k, side // k)).astype("f4")
        values[rng.random(values.shape) < unknown] = np.nan
        arrays[name] = values
    return Tiles("a", "test", Grid(0.0, 0.0, FINEST, side, side), arrays, {})


def predictions(checked, tiles, method, dtype, network):
    """Return what a network predicts at the usable points of tiles, by output."""
    layout = Layout.of(checked)
    part = to_lattice(tiles, layout)
    scales = {v.name: Scale(0.3, 1.7) for v in checked.inputs}
    one = BlockInputs(part, layout, scales, torch.device("cpu"), dtype)
    plan = plan_dense(network.float(), layout)
    members = [network.to(dtype).eval()]
    values = predict_points(members, one, part.usable, plan, method, CPU)
    return part.usable, {name: value[0, 0].numpy() for name, value in values.items()}


def by_hand(checked, tiles, network, wanted, unit=0):
    """Predict point by point, each patch cut out of the images by a slice."""
    layout = Layout.of(checked)
    part = to_lattice(tiles, layout)
    values = {name: [] for name in layout.outputs}
    scale = np.float32(1 / 1.7)
    for row, col in np.argwhere(wanted):
        batch = {}
        for name, k in layout.images.items():
            n = layout.patch_px(name) * k
            patch = part.images[name][row : row + n : k, col : col + n : k]
            known = np.nan_to_num((patch - np.float32(0.3)) * scale)
            batch[name] = torch.from_numpy(known)[None, None].double()
        for name in layout.scalars:
            value = (part.scalars[name][row, col] - np.float32(0.3)) * scale
            batch[name] = torch.tensor([[np.nan_to_num(value)]]).double()
        with torch.inference_mode():
            for name, value in network.double()(batch).items():
                values[name].append(value[0, unit].numpy())
    return {name: np.array(value) for name, value in values.items()}


TWO = {
    "s": (FINEST, False, [conv(3, 4), DOWN]),
    "v": (2 * FINEST, False, [conv(4)]),
    "z": (FINEST, True, []),
}
