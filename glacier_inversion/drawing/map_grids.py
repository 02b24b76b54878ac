"""The grid of a feature's map: which points of the lattice its pixels are."""

from __future__ import annotations

import math

from glacier_inversion.errors import ExperimentError
from glacier_inversion.grid import Bounds, Grid, ratio

NO_POINTS = (
    "holds no point of the lattice. Must be larger than a pixel. Draw it at a finer "
    "resolution, or leave it out."
)
"""What is wrong with a feature whose map has no pixel."""


def step_of(resolution: float | None, finest: float, model: str) -> int:
    """
    Return that a map takes every so many-th row and column of the lattice.

    Parameters
    ----------
    resolution : float or None
        Of the map; None is the finest.
    finest : float
        Of the model, whose name is *model*.

    Raises
    ------
    ExperimentError
        The one is no multiple of the other.
    """
    step = ratio(resolution or finest, finest)
    if step is None:
        message = (
            f"drawing_description.resolution: {resolution} is no whole multiple of "
            f"{finest:g}, the finest resolution of the model {model!r}. Must be one. "
            "Change it."
        )
        raise ExperimentError(message)
    return step


def map_grid(points: Grid, step: int, within: Bounds | None) -> tuple[Grid, int, int]:
    """
    Return the grid of a map, and the row and column of the point that it begins with.

    Points are taken at whole multiples of the step from the CRS's origin, so that the
    maps of neighbours fit together. Where none lies in it, its shape has a 0.

    Parameters
    ----------
    points : Grid
        The lattice, as `grid.lattice` gives it.
    step : int
        Every so many-th row and column is taken.
    within : Bounds or None
        Cover these bounds, even beyond the lattice, with the pixels that have their
        centre in them; else the lattice.

    >>> map_grid(Grid(0.0, 100.0, 10.0, 10, 10), 4, None)
    (Grid(left=-15.0, top=105.0, resolution=40.0, n_rows=3, n_cols=3), 1, 0)
    >>> map_grid(Grid(0.0, 100.0, 10.0, 10, 10), 4, (12.0, 22.0, 38.0, 58.0))[0].shape
    (1, 0)
    """
    rows, cols = slice(0, points.n_rows), slice(0, points.n_cols)
    if within is not None:
        rows, cols = points.covering(within)
    number_y, number_x = (
        math.floor(float(place) / points.resolution + 0.25)  # of a centre or a corner
        for place in (points.y(rows.start), points.x(cols.start))
    )
    row, col = rows.start + number_y % step, cols.start + -number_x % step
    part = points.window(slice(row, row + 1), slice(col, col + 1))
    margin = (step - 1) / 2 * points.resolution
    grid = Grid(
        part.left - margin,
        part.top + margin,
        points.resolution * step,
        max(0, math.ceil((rows.stop - row) / step)),
        max(0, math.ceil((cols.stop - col) / step)),
    )
    return grid, row, col
