"""How good predicted thickness is where the truth is known, beside other methods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from glacier_inversion.dataset.opened import BuiltDataset
from glacier_inversion.demo.rheology import WEIGHT
from glacier_inversion.evaluation.baselines import fit_scale
from glacier_inversion.evaluation.metrics import REGRESSION, measure
from glacier_inversion.geodata.geotiffs import read_grid, read_tile
from glacier_inversion.geodata.rasterizing import inside
from glacier_inversion.grid import Grid
from glacier_inversion.patches.interpolation import read_at
from glacier_inversion.training.model.calibration import OutputCalibration
from glacier_inversion.workspace import Workspace

Pixels = NDArray[np.float32]

THICKNESS = "thickness"
"""What the demonstration predicts."""
_WINDOW_PX = 17  # odd, so that it is centred on a pixel; the nearest to 800 m


@dataclass(frozen=True)
class Coverage:
    """
    How much intervals hold, on glaciers never seen.

    Attributes
    ----------
    of_what : str
        What they should hold, and what they are made of.
    inside : dict of float
        By level, in percent: the share of the pixels, in percent.
    """

    of_what: str
    inside: dict[int, float]


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
    trained = [dataset.outlines[feature] for feature in dataset.select("train")]
    window = ndimage.uniform_filter(np.radians(slope), _WINDOW_PX)
    per_stress = 1 / (WEIGHT * np.sin(window))
    known = np.isfinite(radar) & inside(trained, grid)
    stress = fit_scale(*(v[known].astype(np.float64) for v in (radar, per_stress)))
    mean = radar[known].mean()
    candidates = {
        f"perfect plasticity, {stress / 1000:.0f} kPa": stress * per_stress,
        f"constant, {mean:.0f} m": np.full_like(truth, mean),
    }
    errors: dict[str, list[NDArray[np.float64]]] = {}
    for feature in dataset.select("test"):
        path = workspace.drawing(model, feature, THICKNESS, "mean")
        error = find_errors(path, truth, grid)
        seen = np.isfinite(error)
        errors.setdefault("ensemble", []).append(error[seen])
        points = read_grid(path).centres()
        for method, values in candidates.items():
            error = read_at(values - truth, grid, *points)
            errors.setdefault(method, []).append(error[seen])
    scores = []
    for method, parts in errors.items():
        error = np.concatenate(parts)
        measured = measure(REGRESSION, np.zeros(len(error)), error)
        scores.append(Score(method, measured["rmse"], measured["bias"]))
    return scores


def cover_demo(
    workspace: Workspace,
    model: str,
    dataset: BuiltDataset,
    uncertainty: Mapping[str, Any],
    calibration: OutputCalibration,
) -> list[Coverage]:
    """
    Tell how much intervals hold of the radar of the test glaciers, and of the truth.

    Of the truth, at all drawn pixels, the calibrated ones hold more: they are made for
    what would be measured, with the errors of the radar.

    Parameters
    ----------
    uncertainty : mapping
        What `evaluate` says of the thickness of the test glaciers.
    """
    rows = [
        Coverage(
            of_what,
            {
                int(level): 100 * of_level[share]
                for level, of_level in uncertainty[way]["levels"].items()
            },
        )
        for of_what, way, share in (
            ("radar, as the members spread", "spread", "coverage"),
            ("radar, calibrated", "calibrated", "coverage"),
            ("  on the worst glacier", "calibrated", "least"),
        )
    ]
    truth = read_tile(workspace.data("thickness_true.tif"))
    grid = read_grid(workspace.data("thickness_true.tif"))
    errors, sigmas = [], []
    for feature in dataset.select("test"):
        mean, sigma = (
            workspace.drawing(model, feature, THICKNESS, name)
            for name in ("mean", "uncertainty")
        )
        if sigma.exists():  # an experiment of an earlier version does not draw it
            errors.append(find_errors(mean, truth, grid).ravel())
            sigmas.append(read_tile(sigma).ravel())
    if errors:
        error, sigma_of = np.abs(np.concatenate(errors)), np.concatenate(sigmas)
        seen = np.isfinite(error) & np.isfinite(sigma_of)
        inside = {
            level: 100 * float(np.mean((error <= of.factor * sigma_of)[seen]))
            for level, of in calibration.levels.items()
        }
        rows.append(Coverage("true thickness, calibrated", inside))
    return rows


def find_errors(path: Path, truth: Pixels, grid: Grid) -> NDArray[np.float64]:
    """
    Return a drawn map less the truth, which is read at the centres of its pixels.

    Parameters
    ----------
    path : Path
        Of the map.
    truth : float32 array, shape of *grid*

    Returns
    -------
    errors : float64 array, shape of the map, NaN where either is unknown
    """
    return read_tile(path) - read_at(truth, grid, *read_grid(path).centres())
