"""How good predicted thickness is where the truth is known, beside other methods."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from glacier_inversion.built_dataset import BuiltDataset
from glacier_inversion.geotiffs import read_grid, read_tile
from glacier_inversion.grid import Grid
from glacier_inversion.ice_flow import WEIGHT
from glacier_inversion.rasterizing import inside
from glacier_inversion.workspace import Workspace

Pixels = NDArray[np.float32]

_WINDOW_PX = 17  # odd, so that it is centred on a pixel; the nearest to 800 m


@dataclass(frozen=True)
class Score:
    """
    Errors of a method over glaciers that it never saw.

    Attributes
    ----------
    method : str
    rmse, bias : float, m
        Over all pixels that the ensemble drew.
    """

    method: str
    rmse: float
    bias: float


def score_demo(workspace: Workspace, model: str, dataset: BuiltDataset) -> list[Score]:
    """
    Compare the ensemble's mean, perfect plasticity and a constant with the truth.

    Perfect plasticity takes the thickness as tau / (rho g sin(slope)) (Nye 1951,
    doi:10.1098/rspa.1951.0140), with the slope averaged over a window of the patch's
    size, and the yield stress tau that has the least squared error on the same radar
    points of the training glaciers. The constant is the mean of those points. All are
    scored at every pixel that the ensemble drew of the test glaciers.
    """
    slope, radar, truth = (
        read_tile(workspace.data(name))
        for name in ("slope.tif", "thickness_radar.tif", "thickness_true.tif")
    )
    grid = read_grid(workspace.data("slope.tif"))
    trained = [dataset.outlines[feature] for feature in dataset.features("train")]
    window = ndimage.uniform_filter(np.radians(slope), _WINDOW_PX)
    per_stress = 1 / (WEIGHT * np.sin(window))
    known = np.isfinite(radar) & inside(trained, grid)
    stress = (radar * per_stress)[known].sum() / (per_stress[known] ** 2).sum()
    mean = radar[known].mean()
    candidates = {
        f"perfect plasticity, {stress / 1000:.0f} kPa": stress * per_stress,
        f"constant, {mean:.0f} m": np.full_like(truth, mean),
    }
    errors: dict[str, list[Pixels]] = {}
    for feature in dataset.features("test"):
        path = workspace.drawings(model) / feature / "thickness_mean.tif"
        drawn, theirs = read_tile(path), read_grid(path)
        true = _at(grid, truth, theirs)
        seen = np.isfinite(drawn)
        errors.setdefault("ensemble", []).append((drawn - true)[seen])
        for method, values in candidates.items():
            predicted = _at(grid, values, theirs)
            errors.setdefault(method, []).append((predicted - true)[seen])
    scores = []
    for method, parts in errors.items():
        error = np.concatenate(parts).astype(np.float64)
        rmse = float(np.sqrt((error**2).mean()))
        scores.append(Score(method, rmse, float(error.mean())))
    return scores


def _at(grid: Grid, values: Pixels, theirs: Grid) -> Pixels:
    """Interpolate values of *grid* to the pixels' centres of another, bilinearly."""
    rows = (grid.top - theirs.y(np.arange(theirs.n_rows))) / grid.resolution - 0.5
    columns = (theirs.x(np.arange(theirs.n_cols)) - grid.left) / grid.resolution - 0.5
    result: Pixels = ndimage.map_coordinates(
        values, np.meshgrid(rows, columns, indexing="ij"), order=1
    )
    return result
