"""A picture of a drawn region: outlines and truth, mean, std and error."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from matplotlib.colors import LightSource
from matplotlib.figure import Figure

from glacier_inversion.dataset.opened import BuiltDataset
from glacier_inversion.demo.scores import THICKNESS, find_errors
from glacier_inversion.files import write_bytes
from glacier_inversion.geodata.geotiffs import read_grid, read_tile
from glacier_inversion.workspace import Workspace

_COLOURS = {"train": "#1b9e77", "validation": "#7570b3", "test": "#d95f02"}


def draw_overview(
    path: Path, workspace: Workspace, model: str, dataset: BuiltDataset
) -> None:
    """
    Write a PNG of four maps of the whole region.

    The true thickness with the outlines coloured by split; the ensemble's mean on the
    same scale; its uncertainty; and the mean less the truth.
    """
    grid = read_grid(workspace.data("dem.tif"))
    elevation = read_tile(workspace.data("dem.tif"))
    truth = read_tile(workspace.data("thickness_true.tif"))
    shade = LightSource(315, 45).hillshade(
        elevation, dx=grid.resolution, dy=grid.resolution
    )
    left, bottom, right, top = (side / 1000 for side in grid.bounds)
    margin = np.array((-1.0, 1.0))
    shown = shapely.total_bounds(list(dataset.outlines.values())) / 1000
    figure = Figure(figsize=(13, 9), layout="constrained")
    axes = figure.subplots(2, 2, sharex=True, sharey=True)
    tops = _maps(workspace, model, dataset, "mean")
    deepest = float(np.ceil(truth.max() / 50) * 50)
    ice = np.where(truth >= 5, truth, np.nan)
    widest = max(float(np.nanmax(values)) for _, values in tops) if tops else 1.0
    whole = ((left, right, bottom, top), ice)
    depth = {"cmap": "viridis", "vmin": 0, "vmax": max(deepest, widest)}
    spread = {"cmap": "magma", "vmin": 0, "vmax": 25}
    difference = {"cmap": "RdBu", "vmin": -40, "vmax": 40}
    uncertainties = _maps(workspace, model, dataset, "uncertainty")
    errors = _maps(
        workspace, model, dataset, "mean", lambda path: find_errors(path, truth, grid)
    )
    panels: list[tuple[str, list[Any], dict[str, Any]]] = [
        ("True thickness (m)", [whole], depth),
        ("Predicted: mean of the members (m)", tops, depth),
        ("Calibrated uncertainty (m)", uncertainties, spread),
        ("Predicted less true (m)", errors, difference),
    ]
    for axis, (title, maps, look) in zip(axes.flat, panels, strict=True):
        axis.imshow(shade, cmap="gray", extent=(left, right, bottom, top), alpha=0.5)
        for extent, values in maps:
            picture = axis.imshow(
                values, extent=extent, interpolation="nearest", **look
            )
        ends = "both" if look["vmin"] < 0 else "max"
        if maps:
            figure.colorbar(picture, ax=axis, extend=ends)
        for feature, outline in dataset.outlines.items():
            colour = _COLOURS[dataset.splits[feature]]
            for ring in shapely.get_rings(outline):
                x, y = shapely.get_coordinates(ring).T / 1000
                axis.plot(x, y, color=colour, linewidth=0.9)
        axis.set(title=title, aspect="equal")
        axis.set(xlim=shown[::2] + margin, ylim=shown[1::2] + margin)
    for split, colour in _COLOURS.items():
        axes[0, 0].plot([], [], color=colour, label=split)
    axes[0, 0].legend(loc="upper left", framealpha=1)
    figure.supxlabel("Easting (km)")
    figure.supylabel("Northing (km)")
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    write_bytes(path, picture.getvalue())


def _maps(
    workspace: Workspace,
    model: str,
    dataset: BuiltDataset,
    statistic: str,
    read: Callable[[Path], Any] = read_tile,
) -> list[Any]:
    """Return what is read of the maps of all features, each with its extent in km."""
    maps = []
    for feature in dataset.outlines:
        path = workspace.drawing(model, feature, THICKNESS, statistic)
        if path.exists():
            left, bottom, right, top = (s / 1000 for s in read_grid(path).bounds)
            maps.append(((left, right, bottom, top), read(path)))
    return maps
