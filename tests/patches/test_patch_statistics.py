"""The few numbers of patches: of a whole lattice at once, and patch by patch."""

import numpy as np
import torch

from glacier_inversion.grid import Grid
from glacier_inversion.patches.lattice import Layout, to_lattice
from glacier_inversion.patches.patch_statistics import (
    gathered_statistics,
    lattice_statistics,
    n_statistics,
)
from glacier_inversion.patches.scale import Scale
from glacier_inversion.patches.tiles import Tiles
from tests.patches.helpers import patches_of

RNG = np.random.default_rng(0)


def make_part(window_px, images, scalars):
    """A lattice of made-up inputs, a tenth of whose pixels is unknown."""
    grid = Grid(1000.0, 3000.0, 10.0, window_px + 6, window_px + 12)
    inputs = {}
    for name, factor in {**images, **scalars}.items():
        shape = grid.n_rows // factor, grid.n_cols // factor
        values = RNG.normal(5, 2, shape).astype("f4")
        values[RNG.random(shape) < 0.1] = np.nan
        inputs[name] = values
    layout = Layout(10.0, window_px, images, scalars, {}, 0.0)
    return to_lattice(Tiles("a", "train", grid, inputs, {}), layout), layout


def test_statistics_of_a_lattice_are_those_of_its_patches():
    "Even and odd windows, coarser images, scalars, single pixels; NaN is the mean."
    for window_px, images, scalars in (
        (6, {"a": 1, "b": 2, "c": 6}, {"s": 1}),
        (9, {"a": 1, "b": 3}, {"s": 3}),
        (4, {"a": 1, "b": 2}, {}),
        (6, {}, {"s": 2, "t": 1}),
    ):
        part, layout = make_part(window_px, images, scalars)
        scales = dict.fromkeys([*images, *scalars], Scale(4.5, 1.5))
        source = patches_of(part, layout, scales)
        rows, cols = np.indices(part.points.shape)
        index = np.column_stack([np.zeros(rows.size, int), rows.ravel(), cols.ravel()])
        inputs = source.gather(torch.from_numpy(index))
        whole = lattice_statistics(part, layout, scales)
        assert whole.shape == (*part.points.shape, n_statistics(layout))
        assert whole.dtype == np.float32
        patches = gathered_statistics(inputs, layout)
        # sums of float32 in another order
        np.testing.assert_allclose(
            whole.reshape(patches.shape), patches, rtol=1e-5, atol=1e-5
        )


def test_statistics_of_a_patch_are_its_mean_and_its_middle():
    "By hand."
    layout = Layout(10.0, 4, {"a": 1, "b": 4}, {"s": 2}, {}, 0.0)
    inputs = {
        "a": torch.arange(16.0).reshape(1, 1, 4, 4),
        "b": torch.tensor([[[[3.0]]]]),
        "s": torch.tensor([[0.5]]),
    }
    inputs["a"][0, 0, 0, 0] = 16
    assert gathered_statistics(inputs, layout).tolist() == [[8.5, 7.5, 3.0, 0.5]]
