"""Vectors given along the axes of one CRS, turned to the axes of another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS

from glacier_inversion.geodata.warping import Warping
from glacier_inversion.grid import Grid

Components = NDArray[np.float32]

_STRIP_PX = 2**20  # of a tile that are looked at at once


def turn_to_tile_axes(
    along_x: Components, along_y: Components, warping: Warping, grid: Grid
) -> tuple[Components, Components]:
    """
    Turn vectors from the axes of a file's CRS to those of the tiles' CRS.

    At each pixel by the angle between the two at its centre: the difference of their
    grid convergences, where both projections keep angles. Where one does not, by the
    rotation that is nearest to how it maps the surroundings. In a geographic CRS
    vectors are given towards east and north. Lengths stay.

    Parameters
    ----------
    along_x, along_y : float32 arrays, shape (grid.n_rows, grid.n_cols), any unit
        Of the pixels of *grid*, NaN where unknown.
    warping : Warping
        Of the file.

    Returns
    -------
    along_x, along_y : float32 arrays, shape (grid.n_rows, grid.n_cols), the same unit
        NaN where either was, and where the file's CRS is not defined.
    """
    if warping.to_file is None:
        return along_x, along_y
    turned_x, turned_y = np.empty_like(along_x), np.empty_like(along_y)
    n_rows = max(1, _STRIP_PX // grid.n_cols)
    for row in range(0, grid.n_rows, n_rows):
        rows = slice(row, min(row + n_rows, grid.n_rows))
        angle = _find_angle(warping, grid.window(rows, slice(0, grid.n_cols)))
        cosine, sine = np.cos(angle), np.sin(angle)
        x, y = along_x[rows], along_y[rows]
        turned_x[rows] = cosine * x + sine * y
        turned_y[rows] = cosine * y - sine * x
    return turned_x, turned_y


def _find_angle(warping: Warping, grid: Grid) -> NDArray[np.float64]:
    """
    Return the angles from the file's axes to the tiles', anticlockwise, in radians.

    That of the rotation nearest to the derivative D of the file's coordinates by the
    tiles': atan2(D21 - D12, D11 + D22).
    """
    x, y = grid.grown(1).centres()
    assert warping.to_file is not None  # the caller has asked
    file_x, file_y = warping.to_file.transform(x, y)
    with np.errstate(invalid="ignore"):  # places that the file's CRS does not have
        x_by_x, x_by_y = _slopes(file_x)
        y_by_x, y_by_y = _slopes(file_y)
        crs = CRS.from_wkt(warping.crs_wkt)
        if crs.is_geographic:
            unit = crs.axis_info[0].unit_conversion_factor  # in radians
            shortening = _shortening(file_y[1:-1, 1:-1] * unit, crs)
            turn = 2 * np.pi / unit  # which a step over 180 degrees seems to take
            x_by_x = shortening * (x_by_x - turn * np.rint(x_by_x / turn))
            x_by_y = shortening * (x_by_y - turn * np.rint(x_by_y / turn))
        angle: NDArray[np.float64] = np.arctan2(y_by_x - x_by_y, x_by_x + y_by_y)
    return angle


def _slopes(
    values: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how values grow along x and y, over two pixels, but for those at sides."""
    along_x = values[1:-1, 2:] - values[1:-1, :-2]
    along_y = values[:-2, 1:-1] - values[2:, 1:-1]  # rows go down
    along_x[~np.isfinite(along_x)] = np.nan
    along_y[~np.isfinite(along_y)] = np.nan
    return along_x, along_y


def _shortening(latitude: NDArray[np.float64], crs: CRS) -> NDArray[np.float64]:
    """
    Return how long a degree of longitude is, in degrees of latitude.

    The radii of curvature of an ellipsoid along the parallel and along the meridian:
    Snyder (1987), Map projections, a working manual, eqs. 4-18 to 4-21.

    Parameters
    ----------
    latitude : float64 array, radians
    """
    flattening = 0.0
    if crs.ellipsoid is not None and crs.ellipsoid.inverse_flattening:
        flattening = 1 / crs.ellipsoid.inverse_flattening
    squared = flattening * (2 - flattening)  # of the eccentricity
    shortening: NDArray[np.float64] = (
        np.cos(latitude) * (1 - squared * np.sin(latitude) ** 2) / (1 - squared)
    )
    return shortening
