"""Made-up tiles, and the patches and samples of them."""

import numpy as np

from glacier_inversion.grid import Grid
from glacier_inversion.patches.array_store import ArrayStore
from glacier_inversion.patches.gathering import PatchSource, normalise
from glacier_inversion.patches.lattice import LatticeTiles, Layout, to_lattice
from glacier_inversion.patches.scale import Scale
from glacier_inversion.patches.tiles import Tiles

LAYOUT = Layout(10.0, 6, {"fine": 1, "coarse": 2}, {"point": 1}, {"t": 1}, 0.5)
SCALES = {"fine": Scale(2.0, 4.0), "coarse": Scale(0.0, 1.0), "point": Scale(1.0, 2.0)}


def made_up(seed: int, n_rows: int, n_cols: int) -> Tiles:
    """Random tiles with holes; targets on a tenth of the pixels."""
    rng = np.random.default_rng(seed)

    def noise(rows, cols, unknown):
        values = rng.normal(size=(rows, cols)).astype("f4")
        values[rng.random(values.shape) < unknown] = np.nan
        return values

    grid = Grid(1000.0 * seed, 5000.0, 10.0, n_rows, n_cols)
    inputs = {
        "fine": noise(n_rows, n_cols, 0.05),
        "coarse": noise(n_rows // 2, n_cols // 2, 0.05),
        "point": noise(n_rows, n_cols, 0.05),
    }
    return Tiles(f"f{seed}", "train", grid, inputs, {"t": noise(n_rows, n_cols, 0.9)})


def two_outputs(masks) -> tuple[list[LatticeTiles], Layout]:
    """Tiles whose outputs are known where the masks say."""
    layout = Layout(10.0, 1, {"fine": 1}, {}, dict.fromkeys(masks, 1), 0.0)
    shape = next(iter(masks.values())).shape
    values = np.random.default_rng(0).random(shape).astype("f4")
    targets = {n: np.where(m, values, np.nan).astype("f4") for n, m in masks.items()}
    grid = Grid(0.0, 10.0 * shape[0], 10.0, *shape)
    return [
        to_lattice(Tiles("f", "train", grid, {"fine": values}, targets), layout)
    ], layout


def patches_of(part: LatticeTiles, layout: Layout, scales) -> PatchSource:
    """Return the patches of a feature, whether anything is known of it or not."""
    store, images = ArrayStore("f4"), {}
    for name, image in {**part.images, **part.scalars}.items():
        images[name] = [store.append(normalise(image, scales[name]))]
    return PatchSource(layout, store, images)
