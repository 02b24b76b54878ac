"""
Read arrays between their pixels, bilinearly; unknown pixels take no part.

The weights of the known pixels are scaled up. Where they hold less than half of the
weight the result is unknown.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from glacier_inversion.grid import Grid

Floats = NDArray[np.float32]

# Half of the weight, but for the rounding of weights.
_HALF = 0.5 - 1e-9


def interpolate(
    tile: Floats, rows: NDArray[np.float64], cols: NDArray[np.float64]
) -> Floats:
    """
    Interpolate a tile bilinearly at fractional pixel indices (0: the first centre).

    Unknown pixels take no part: the weights of the known ones are scaled up, and where
    they hold less than half of the weight the result is NaN. So is what lies beyond the
    outermost pixel centres.

    Parameters
    ----------
    tile : float32 array, shape (n_rows, n_cols)
    rows, cols : float arrays, shapes (m_rows,) and (m_cols,)

    Returns
    -------
    values : float32 array, shape (m_rows, m_cols)

    Examples
    --------
    >>> tile = np.array([[0, 10], [20, np.nan]], dtype=np.float32)
    >>> interpolate(tile, np.array([0, 0.5]), np.array([0.25, 2.0])).tolist()
    [[2.5, nan], [10.0, nan]]
    """
    known = np.isfinite(tile)
    values = np.where(known, tile, 0).astype(np.float64)
    weights = known.astype(np.float64)
    for axis, index in ((0, rows), (1, cols)):
        values = _along(values, index, axis)
        weights = _along(weights, index, axis)
    with np.errstate(invalid="ignore", divide="ignore"):
        result = np.where(weights >= _HALF, values / weights, np.nan)
    beyond_rows = (rows < 0) | (rows > tile.shape[0] - 1)
    beyond_cols = (cols < 0) | (cols > tile.shape[1] - 1)
    result[beyond_rows] = np.nan
    result[:, beyond_cols] = np.nan
    return result.astype(np.float32)


def _along(
    values: NDArray[np.float64], index: NDArray[np.float64], axis: int
) -> NDArray[np.float64]:
    last = values.shape[axis] - 1
    low = np.clip(np.floor(index).astype(int), 0, last)
    high = np.minimum(low + 1, last)
    shape = (-1, 1) if axis == 0 else (1, -1)
    part = np.clip(index - low, 0, 1).reshape(shape)
    return np.asarray(
        values.take(low, axis) * (1 - part) + values.take(high, axis) * part
    )


def read_at(
    values: Floats, grid: Grid, x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.float64]:
    """
    Read a raster, or a map, at points: the one way in which maps are compared.

    Exact on a surface that rises evenly, where all four pixels around a point are
    known; beside unknown ones it is as `interpolate` says. What lies beyond the raster
    is unknown, as NaN within it is.

    Parameters
    ----------
    values : float32 array, shape (grid.n_rows, grid.n_cols), NaN where unknown
    x, y : float arrays of any shape, CRS units

    Returns
    -------
    read : float64 array, shape of x and y, in the raster's unit

    Examples
    --------
    >>> ramp = np.array([[0, 10, 20], [5, 15, 25], [10, 20, np.nan]], dtype=np.float32)
    >>> grid = Grid(0.0, 3.0, 1.0, 3, 3)
    >>> read_at(ramp, grid, np.array([0.75, 2.5, 2.4, -0.1]), np.array([2.25] * 4))
    array([ 3.75, 21.25, 20.25,   nan])
    """
    row = (grid.top - np.asarray(y)) / grid.resolution - 0.5
    col = (np.asarray(x) - grid.left) / grid.resolution - 0.5
    first_row, first_col = np.floor(row), np.floor(col)
    below, right = row - first_row, col - first_col
    total = np.zeros(row.shape)
    weights = np.zeros(row.shape)
    for down in (0, 1):
        for across in (0, 1):
            weight = np.abs(1 - down - below) * np.abs(1 - across - right)
            there, known = _pixels(values, first_row + down, first_col + across)
            total += np.where(known, weight * there, 0)
            weights += np.where(known, weight, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(weights >= _HALF, total / weights, np.nan)


def _pixels(
    values: Floats, row: NDArray[np.float64], col: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the values of pixels, and which of them are known."""
    n_rows, n_cols = values.shape
    within = (row >= 0) & (row < n_rows) & (col >= 0) & (col < n_cols)
    index = tuple(np.where(within, part, 0).astype(np.intp) for part in (row, col))
    there = values[index].astype(np.float64)
    return there, within & np.isfinite(there)
