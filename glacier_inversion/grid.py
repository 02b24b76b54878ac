"""
Grids, lattices and their arithmetic: numbers only.

A raster's grid is north up: row 0 is the northernmost, and a pixel is exactly its
resolution. Coordinates are (x, y) in the units of the CRS, pixels are (row, col).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bounds = tuple[float, float, float, float]
"""Left, bottom, right, top."""
Places = NDArray[np.float64]
"""Coordinates, or columns and rows with fractions."""

MOST_PIXELS = 10**9
"""Of a tile: 5 GB of disk as it is made, up to 70 GB of memory if it is derived."""

# A coordinate this close to a multiple of the step, in steps, is that multiple: it
# absorbs the rounding of a division, never a part of a pixel that could be seen.
_SAME = 1e-6


def exact(number: float) -> Fraction:
    """
    Return the decimal number that was written, not its binary neighbour.

    >>> exact(12.1)
    Fraction(121, 10)
    """
    return Fraction(repr(float(number)))


def ratio(coarse: float, fine: float) -> int | None:
    """
    Return how many times *fine* goes into *coarse*, None unless that is whole.

    Both are lengths, more than 0.

    >>> ratio(50.0, 12.5), ratio(50.0, 20.0), ratio(0.3, 0.1)
    (4, None, 3)
    """
    times = exact(coarse) / exact(fine)
    return times.numerator if times.denominator == 1 else None


def common_multiple(resolutions: Iterable[float]) -> float:
    """
    Return the least common multiple of *resolutions*.

    Infinity where it is no number of a computer.

    >>> common_multiple([12.5, 50, 20])
    100.0
    """
    fractions = [exact(resolution) for resolution in set(resolutions)]
    denominator = math.lcm(*(fraction.denominator for fraction in fractions))
    multiple = math.lcm(*(int(f * denominator) for f in fractions))
    try:
        return float(Fraction(multiple, denominator))
    except OverflowError:
        return math.inf


def snap_bounds(bounds: Bounds, buffer_m: float, step: float) -> Bounds:
    """
    Grow *bounds* by *buffer_m* per side, then outward to whole multiples of *step*.

    Multiples are counted from the origin of the CRS, so tiles of neighbouring
    features coincide.

    >>> snap_bounds((101.0, 203.0, 349.0, 398.0), 50.0, 100.0)
    (0.0, 100.0, 400.0, 500.0)
    >>> snap_bounds((100.0, 200.0, 300.0, 400.0), 0.0, 100.0)
    (100.0, 200.0, 300.0, 400.0)
    """
    left, bottom, right, top = bounds
    low = [math.floor((v - buffer_m) / step + _SAME) for v in (left, bottom)]
    high = [math.ceil((v + buffer_m) / step - _SAME) for v in (right, top)]
    multiples = [float(exact(step) * n) for n in (*low, *high)]
    return multiples[0], multiples[1], multiples[2], multiples[3]


@dataclass(frozen=True)
class Grid:
    """
    The pixels of a north-up raster.

    Attributes
    ----------
    left, top : float, CRS units
        The outer corner of pixel (0, 0).
    resolution : float, CRS units
        The side of a pixel.
    n_rows, n_cols : int

    Examples
    --------
    >>> grid = Grid(1000.0, 2000.0, 50.0, 4, 6)
    >>> grid.bounds
    (1000.0, 1800.0, 1300.0, 2000.0)
    >>> float(grid.x(0)), float(grid.y(0))
    (1025.0, 1975.0)
    """

    left: float
    top: float
    resolution: float
    n_rows: int
    n_cols: int

    @classmethod
    def from_bounds(cls, bounds: Bounds, resolution: float) -> Grid:
        """
        Cover *bounds*, whose sides are whole multiples of *resolution*.

        >>> Grid.from_bounds((0.0, 0.0, 300.0, 200.0), 100.0)
        Grid(left=0.0, top=200.0, resolution=100.0, n_rows=2, n_cols=3)
        """
        left, bottom, right, top = bounds
        n_rows, n_cols = (
            round((top - bottom) / resolution),
            round((right - left) / resolution),
        )
        return cls(left, top, resolution, n_rows, n_cols)

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of rows and columns."""
        return self.n_rows, self.n_cols

    @property
    def bounds(self) -> Bounds:
        """Left, bottom, right and top of the outermost pixels."""
        return (
            self.left,
            self.top - self.n_rows * self.resolution,
            self.left + self.n_cols * self.resolution,
            self.top,
        )

    def bounds_around(self, reach: float) -> Bounds:
        """Return the bounds, moved outwards by *reach*, CRS units, on every side."""
        left, bottom, right, top = self.bounds
        return left - reach, bottom - reach, right + reach, top + reach

    @property
    def transform(self) -> tuple[float, float, float, float, float, float]:
        """The six numbers of the affine transform from (col, row) to (x, y)."""
        return self.resolution, 0.0, self.left, 0.0, -self.resolution, self.top

    def x(self, col: NDArray[Any] | float) -> NDArray[np.float64]:
        """Return the x of the centres of columns."""
        return np.asarray(self.left + (np.asarray(col) + 0.5) * self.resolution)

    def y(self, row: NDArray[Any] | float) -> NDArray[np.float64]:
        """Return the y of the centres of rows."""
        return np.asarray(self.top - (np.asarray(row) + 0.5) * self.resolution)

    def centres(self) -> tuple[Places, Places]:
        """
        Return x and y of the centres of all pixels, each of the grid's shape.

        >>> x, y = Grid(0.0, 20.0, 10.0, 2, 3).centres()
        >>> x.tolist(), y.tolist()
        ([[5.0, 15.0, 25.0], [5.0, 15.0, 25.0]], [[15.0, 15.0, 15.0], [5.0, 5.0, 5.0]])
        """
        x, y = np.meshgrid(
            self.x(np.arange(self.n_cols)), self.y(np.arange(self.n_rows))
        )
        return x, y

    def index(
        self, x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """
        Return the (row, col) of the pixels that hold points.

        Points outside the grid get indices below 0 or beyond the last.
        """
        row = np.floor((self.top - np.asarray(y)) / self.resolution)
        col = np.floor((np.asarray(x) - self.left) / self.resolution)
        return row.astype(np.intp), col.astype(np.intp)

    def window(self, rows: slice, cols: slice) -> Grid:
        """
        Return the part that *rows* and *cols* cut out, both with start and stop.

        >>> Grid(0.0, 100.0, 10.0, 10, 10).window(slice(2, 5), slice(1, 9))
        Grid(left=10.0, top=80.0, resolution=10.0, n_rows=3, n_cols=8)
        """
        return Grid(
            self.left + cols.start * self.resolution,
            self.top - rows.start * self.resolution,
            self.resolution,
            rows.stop - rows.start,
            cols.stop - cols.start,
        )

    def strips(self, n_pixels: int = 2**22) -> Iterator[slice]:
        """
        Cut the rows into strips of *n_pixels* at most, unless a row has more.

        >>> list(Grid(0.0, 100.0, 10.0, 5, 10).strips(25))
        [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
        """
        n_rows = max(1, n_pixels // max(self.n_cols, 1))
        for row in range(0, self.n_rows, n_rows):
            yield slice(row, min(row + n_rows, self.n_rows))

    def grown(self, n_pixels: int) -> Grid:
        """
        Return the grid with more pixels on each side.

        >>> Grid(0.0, 100.0, 10.0, 10, 12).grown(2)
        Grid(left=-20.0, top=120.0, resolution=10.0, n_rows=14, n_cols=16)
        """
        return self.window(
            slice(-n_pixels, self.n_rows + n_pixels),
            slice(-n_pixels, self.n_cols + n_pixels),
        )

    def covering(self, bounds: Bounds) -> tuple[slice, slice]:
        """
        Return the rows and columns whose pixel centres lie within *bounds*.

        Counted on beyond the grid where *bounds* reach beyond it.

        >>> Grid(0.0, 100.0, 10.0, 10, 10).covering((12.0, 15.0, 36.0, 120.0))
        (slice(-2, 9, None), slice(1, 4, None))
        """
        left, bottom, right, top = bounds
        edges = []
        for low, high in (
            (self.top - top, self.top - bottom),
            (left - self.left, right - self.left),
        ):
            first = math.ceil(low / self.resolution - 0.5 - _SAME)
            last = math.floor(high / self.resolution - 0.5 + _SAME)
            edges.append(slice(first, last + 1))
        return edges[0], edges[1]


def lattice(tile: Grid, window_px: int) -> Grid:
    """
    Return the points that patches of a tile are centred on.

    *tile* is the tile at the finest resolution r0 and *window_px* the patch's side in
    its pixels, n0. Every window of n0 x n0 pixels that fits the tile has its centre
    here: point (row, col) is the centre of the window whose first pixel is (row, col).
    With n0 odd that is a pixel's centre, with n0 even a corner of pixels, so the finest
    patch is never interpolated. The points are the pixel *centres* of the grid that is
    returned: it is the grid of a map whose pixels are centred on the points. A tile
    smaller than the window has no points: a shape of 0.

    >>> lattice(Grid(0.0, 100.0, 10.0, 10, 12), 3)
    Grid(left=10.0, top=90.0, resolution=10.0, n_rows=8, n_cols=10)
    >>> lattice(Grid(0.0, 100.0, 10.0, 10, 12), 4)
    Grid(left=15.0, top=85.0, resolution=10.0, n_rows=7, n_cols=9)
    """
    margin = (window_px - 1) / 2 * tile.resolution
    return Grid(
        tile.left + margin,
        tile.top - margin,
        tile.resolution,
        max(tile.n_rows - window_px + 1, 0),
        max(tile.n_cols - window_px + 1, 0),
    )
