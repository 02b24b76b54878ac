"""A picture of all that a run has drawn: mean and uncertainty, with the outlines."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from glacier_inversion.drawing.styles import Ranges, colours_of
from glacier_inversion.files import write_bytes
from glacier_inversion.geodata.geotiffs import opened, read_reduced
from glacier_inversion.grid import Bounds
from glacier_inversion.workspace import mosaic_path

OVERVIEW = "overview.png"
"""The name of the picture, in the folder of a model's drawings."""
_LONGEST_PX = 2000  # that is read of a mosaic's side
_INCHES = 6.5  # of a panel's longer side
_OUTLINE = "#999999"  # is seen on the dark ends of the colours, and on white
_MARGIN = 0.02  # around what is drawn, of its longer side


def write_overview(
    folder: Path,
    model: str,
    ranges: Ranges,
    outlines: Sequence[shapely.Geometry],
) -> Path:
    """
    Write a PNG of the mosaics in *folder*, and return its path.

    A row for each output; a panel for each statistic, the mean and the uncertainty, or
    else the std, where they are drawn. Large mosaics are read with fewer pixels.

    Parameters
    ----------
    outlines : sequence of polygons
        Those of the features that are drawn, in the CRS of the mosaics.

    Raises
    ------
    RasterError
        A mosaic, or a map that it refers to, cannot be read.
    WorkspaceError
        The picture cannot be written.
    """
    shown = {
        output: _choose([name for own, name in ranges if own == output])
        for output in dict.fromkeys(output for output, _ in ranges)
    }
    n_rows, n_cols = len(shown), max(map(len, shown.values()))
    rings = [
        shapely.get_coordinates(ring)
        for polygon in shapely.get_parts(outlines)  # of several there are no rings
        for ring in shapely.get_rings(polygon)
    ]
    read = {
        (output, name): _read(mosaic_path(folder, output, name))
        for output, names in shown.items()
        for name in names
    }
    left, bottom, right, top = shapely.total_bounds(
        [*outlines, *(shapely.box(*bounds) for _, _, bounds in read.values())]
    )
    width, height = right - left, top - bottom
    margin = _MARGIN * max(width, height)
    scale = _INCHES / max(width, height)
    figure = Figure(
        figsize=(
            n_cols * max(width * scale, 3.5) + 1.5,
            n_rows * max(height * scale, 2.5) + 1,
        ),
        layout="constrained",
    )
    axes = figure.subplots(n_rows, n_cols, sharex=True, sharey=True, squeeze=False)
    panels = {}
    for row, (output, names) in zip(axes, shown.items(), strict=True):
        panels.update({(output, n): a for n, a in zip(names, row, strict=False)})
        for axis in row[len(names) :]:  # this output has fewer
            axis.remove()
    for what, (values, unit, bounds) in read.items():
        (output, name), axis = what, panels[what]
        low, high = ranges[what]
        picture = axis.imshow(
            values,
            extent=(bounds[0], bounds[2], bounds[1], bounds[3]),
            cmap=LinearSegmentedColormap.from_list(name, colours_of(name)),
            vmin=low,
            vmax=high,
            interpolation="nearest",
        )
        bar = figure.colorbar(picture, ax=axis, shrink=0.8)
        bar.set_label(unit or "", parse_math=False)
        axis.add_collection(  # a line each takes four times as long
            LineCollection(
                rings, colors=_OUTLINE, linewidths=0.6, capstyle="projecting"
            )
        )
        axis.set_title(f"{output} {name}", parse_math=False)
        axis.set(aspect="equal", xticks=[], yticks=[])
        axis.set(xlim=(left - margin, right + margin))
        axis.set(ylim=(bottom - margin, top + margin))
        _draw_scale_bar(axis, left, nice_length(max(width / 4, 1.0)))
    figure.suptitle(model, parse_math=False)  # a dollar sign is one
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=120, metadata={"Software": None})
    path = folder / OVERVIEW
    write_bytes(path, image.getvalue())
    return path


def _choose(statistics: list[str]) -> list[str]:
    """
    Return the statistics of an output that are shown, of those that are drawn.

    >>> _choose(["std", "mean", "uncertainty"]), _choose(["min", "q05", "max"])
    (['mean', 'uncertainty'], ['min', 'q05'])
    """
    beside = "uncertainty" if "uncertainty" in statistics else "std"
    return [n for n in ("mean", beside) if n in statistics] or statistics[:2]


def _read(path: Path) -> tuple[NDArray[np.float32], str | None, Bounds]:
    """Return the values of a mosaic, at most so many, its unit and its bounds."""
    with opened(path) as src:
        return read_reduced(src, _LONGEST_PX), src.units[0], tuple(src.bounds)


def _draw_scale_bar(axis: Any, left: float, length: float) -> None:
    """Draw a bar of so many metres below a map."""
    label = f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"
    along = axis.get_xaxis_transform()  # metres to the right, shares of the height up
    axis.plot(
        [left, left + length],
        [-0.03, -0.03],
        color="black",
        linewidth=3,
        solid_capstyle="butt",
        transform=along,
        clip_on=False,
    )
    axis.text(left, -0.05, label, transform=along, verticalalignment="top")


def nice_length(longest: float) -> float:
    """
    Return the longest of 1, 2 and 5 times a power of ten that fits.

    >>> nice_length(4900), nice_length(12_000), nice_length(99)
    (2000.0, 10000.0, 50.0)
    """
    power = 10.0 ** np.floor(np.log10(longest))
    return float(max(n * power for n in (1, 2, 5) if n * power <= longest))
