"""
What a pixel of a tile is made from: which pixels of the file, and how far around.

GDAL resamples in the file's own pixels. An interpolating kernel reaches its radius
around the place of the new pixel's centre, counted in the file's pixels, or in the new
ones where these are larger. An average, or another statistic, takes in what the new
pixel covers.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS, Transformer

from glacier_inversion.choices import Resampling
from glacier_inversion.geodata.longitudes import circle_of
from glacier_inversion.grid import Grid, Places

Pixels = NDArray[np.intp]

# Of the kernels, in pixels.
_RADIUS = {"bilinear": 1, "cubic": 2, "cubic_spline": 2, "lanczos": 3}
# At the centre of a pixel these give the pixel's own value.
_INTERPOLATING = ("bilinear", "cubic", "lanczos")
# These give the value of some pixel of the file: in between there are none.
_OF_VALUES = ("nearest", "mode", "min", "max", "med", "q1", "q3")
# GDAL widens a kernel only where pixels grow by more than this.
_WIDENED_FROM = 1 / 0.95
# Places this close, in pixels of the file, are one: the rounding of coordinates.
_SAME = 1e-8
# Columns of a file that goes around the Earth are as many as a circle has, to this.
_SAME_CIRCLE = 1e-2
# Pixels of the file around a block, for what curves between the places looked at.
_SPARE = 3
# Side of the part of a file that is held in memory.
_WINDOW_PX = 4096


@dataclass(frozen=True)
class Warping:
    """
    How tiles in a CRS are made from a file.

    Attributes
    ----------
    method : Resampling
        The resampling, as GDAL names it.
    epsg : int
        The CRS of the tiles.
    crs_wkt : str
        The CRS of the file.
    transform : tuple of float
        The file's a, b, c, d, e, f: x = a col + b row + c, y = d col + e row + f.
    shape : tuple of int
        The file's numbers of rows and columns.
    """

    method: Resampling
    epsg: int
    crs_wkt: str
    transform: tuple[float, float, float, float, float, float]
    shape: tuple[int, int]

    @property
    def to_file(self) -> Transformer | None:
        """What takes (x, y) from the tiles' CRS to the file's; None if it is one."""
        return _to_file(self.epsg, self.crs_wkt)

    def keeps_values(self, resolution: float) -> bool:
        """
        Tell whether a pixel of any tile has the value of a pixel of the file.

        The edges of tiles are multiples of their resolution.
        """
        if self.method in _OF_VALUES:
            return True
        a, b, c, d, e, f = self.transform
        edges = [c / resolution, f / resolution]
        are_the_same = (a, b, d, e) == (resolution, 0, 0, -resolution) and all(
            abs(edge - round(edge)) < _SAME for edge in edges
        )
        is_kept = are_the_same and self.to_file is None
        return is_kept and self.method in (*_INTERPOLATING, "average")

    def places(self, x: Places, y: Places) -> tuple[Places, Places]:
        """
        Return the columns and rows of the file at (x, y), with their fractions.

        Of a place's longitudes, which differ by full circles, the one nearest to the
        middle of the file, as GDAL does it.
        """
        a, b, c, *_ = self.transform
        n_rows, n_cols = self.shape
        return self._pixels_at(x, y, a * n_cols / 2 + b * n_rows / 2 + c)

    @property
    def goes_around(self) -> bool:
        """Whether the first column of the file lies east, or west, of the last one."""
        a, b, _, d, *_ = self.transform
        missing = circle_of(self.crs_wkt) - abs(a) * self.shape[1]
        return b == d == 0 and abs(missing) < _SAME_CIRCLE * abs(a)

    def in_file(self, x: Places, y: Places, longitude: float) -> tuple[Places, Places]:
        """Return places in the file's CRS, longitudes within half a circle of one."""
        if self.to_file is None:
            return x, y
        x, y = self.to_file.transform(x, y)
        circle = circle_of(self.crs_wkt)
        with np.errstate(invalid="ignore"):  # places that the file's CRS does not have
            turns = np.rint((x - longitude) / circle)
            return np.where(turns == 0, x, x - turns * circle), y

    def _pixels_at(
        self, x: Places, y: Places, longitude: float
    ) -> tuple[Places, Places]:
        """Return columns and rows of the file, longitudes the nearest to one."""
        x, y = self.in_file(x, y, longitude)
        a, b, c, d, e, f = self.transform
        area = a * e - b * d
        # places that the file's CRS cannot hold
        with np.errstate(invalid="ignore", over="ignore"):
            col = (e * (x - c) - b * (y - f)) / area
            row = (a * (y - f) - d * (x - c)) / area
        return col, row

    def steps(self, grid: Grid) -> tuple[float, float]:
        """
        Return how many columns and rows of the file a pixel of *grid* is wide.

        At the middle of the grid, whatever the angle between the two.
        """
        half = grid.resolution / 2
        left, bottom, right, top = grid.bounds
        x, y = (left + right) / 2, (bottom + top) / 2
        longitude = 0.0
        if self.to_file is not None:
            longitude = self.to_file.transform(x, y)[0]
        places = self._pixels_at(
            np.array([x - half, x + half, x, x]),
            np.array([y, y, y - half, y + half]),
            longitude,
        )
        across, down = (math.hypot(p[1] - p[0], p[3] - p[2]) for p in places)
        return (
            across if math.isfinite(across) else 1.0,
            down if math.isfinite(down) else 1.0,
        )

    def scales(self, grid: Grid) -> tuple[float, float]:
        """
        Return GDAL's XSCALE and YSCALE, which narrow the file's pixels for a kernel.

        One pair for all parts of a tile, so that a pixel does not depend on which
        others are made with it.
        """
        across, down = (
            1 / step if step > _WIDENED_FROM else 1.0 for step in self.steps(grid)
        )
        return across, down

    def reach(self, grid: Grid) -> float:
        """Return a distance beyond which no pixel is made from anything, CRS units."""
        widest, narrowest = max(self.steps(grid)), min(self.steps(grid))
        radius = _RADIUS.get(self.method, 1)
        px = radius * max(widest, 1) + _SPARE
        return px * grid.resolution / narrowest

    def made_from(
        self, grid: Grid, scales: tuple[float, float], file_cols: slice
    ) -> tuple[Pixels, Pixels, Pixels, Pixels]:
        """
        Return the pixels of the file that each pixel of *grid* is made from.

        Parameters
        ----------
        file_cols : slice
            As `blocks` yields them for the grid: the columns of a place are those
            nearest to their middle.
        scales : tuple of float
            As `scales` returns them for the tile that *grid* is a part of.

        Returns
        -------
        first_row, last_row, first_col, last_col : int arrays, shape of the grid
            A last one less than the first where there are none.
        """
        of_centres = self.method in _RADIUS or self.method == "nearest"
        beyond = 0 if of_centres else 1  # there is one edge more than pixels
        x, y = np.meshgrid(
            grid.x(np.arange(grid.n_cols + beyond) - beyond / 2),
            grid.y(np.arange(grid.n_rows + beyond) - beyond / 2),
        )
        a, b, c, *_ = self.transform
        middle = a * (file_cols.start + file_cols.stop) / 2 + b * self.shape[0] / 2 + c
        places = self._pixels_at(x, y, middle)
        (first_col, last_col), (first_row, last_row) = (
            self._within_reach(place, scale) if of_centres else _covered(place)
            for place, scale in zip(places, scales, strict=True)
        )
        return first_row, last_row, first_col, last_col

    def _within_reach(self, place: Places, scale: float) -> tuple[Pixels, Pixels]:
        """Return the first and the last pixel that a kernel reads along an axis."""
        if self.method == "nearest":
            return _pixels(np.floor(place - _SAME), np.floor(place + _SAME))
        reach = _RADIUS[self.method] / scale
        if self.method == "cubic_spline":
            # where pixels are unknown, GDAL weighs all that it looks at
            reach = math.ceil(reach)
        reach -= _SAME
        first = np.floor(place - 0.5 - reach) + 1
        last = np.ceil(place - 0.5 + reach) - 1
        if scale == 1 and self.method in _INTERPOLATING:
            nearest = np.rint(place - 0.5)
            on_centre = np.abs(place - 0.5 - nearest) < _SAME
            first = np.where(on_centre, nearest, first)
            last = np.where(on_centre, nearest, last)
        return _pixels(first, last)

    def blocks(self, grid: Grid) -> Iterator[tuple[slice, slice, slice, slice]]:
        """
        Cut a grid into blocks, each made from no more of the file than memory holds.

        A block across the first and the last column of a file that goes around the
        Earth needs columns beyond its ends: those of the other end. Where the two ends
        overlap, or something is missing between them, the block comes twice: with what
        is at either side of the file.

        Yields
        ------
        rows, cols : slice
            Of the grid.
        file_rows, file_cols : slice
            Of the file: all that the block is made from, and a little more. Empty
            where the file has nothing there. Columns may begin below 0 or end beyond
            the last one where the file goes around the Earth.
        """
        across, down = self.steps(grid)
        height, width = (max(1, int(_WINDOW_PX / max(s, 1))) for s in (down, across))
        for row in range(0, grid.n_rows, height):
            rows = slice(row, min(row + height, grid.n_rows))
            for col in range(0, grid.n_cols, width):
                cols = slice(col, min(col + width, grid.n_cols))
                for file_rows, file_cols in self._windows(grid.window(rows, cols)):
                    yield rows, cols, file_rows, file_cols

    def _windows(self, grid: Grid) -> Iterator[tuple[slice, slice]]:
        """Yield the rows and columns of the file around a grid."""
        left, bottom, right, top = grid.bounds
        n = 2 if self.to_file is None else 33  # between CRSs, sides are curved
        x, y = np.meshgrid(np.linspace(left, right, n), np.linspace(bottom, top, n))
        cols, rows = self.places(x, y)
        known = np.isfinite(cols) & np.isfinite(rows)
        if not known.any():
            yield slice(0, 0), slice(0, 0)
            return
        cols, rows = cols[known], rows[known]
        n_rows, n_cols = self.shape
        across, down = self.steps(grid)
        file_rows = self._around(rows, down, n_rows)
        circle, along = circle_of(self.crs_wkt), abs(self.transform[0])
        # neighbours that are half a circle apart are at the two ends of it
        if self.to_file is None or np.ptp(cols) * along <= circle / 2:
            sides = [cols]
        else:
            sides = [cols[cols < n_cols / 2], cols[cols >= n_cols / 2]]
        if not self.goes_around:
            for side in sides:
                yield file_rows, self._around(side, across, n_cols)
            return
        if len(sides) == 2:
            sides = [np.concatenate([sides[0] + n_cols, sides[1]])]
        yield file_rows, self._around(sides[0], across, n_cols, n_cols)

    def _around(self, places: Places, step: float, n: int, beyond: int = 0) -> slice:
        """
        Return the pixels, of *n* along an axis, that places are made from.

        And of *beyond* pixels before the first and after the last.
        """
        more = _RADIUS.get(self.method, 0) * max(step, 1) + _SPARE
        low = min(max(places.min() - more, -beyond), n + beyond)
        high = min(max(places.max() + more, low), n + beyond)
        return slice(math.floor(low), math.ceil(high))


def columns_of_file(cols: slice, n_cols: int) -> list[slice]:
    """
    Take columns that lie beyond the first or the last one from the other end.

    >>> columns_of_file(slice(2, 5), 9), columns_of_file(slice(-2, 3), 9)
    ([slice(2, 5, None)], [slice(7, 9, None), slice(0, 3, None)])
    """
    parts: list[slice] = []
    begin = cols.start
    while begin < cols.stop or not parts:
        turns = begin // n_cols
        end = min(cols.stop, (turns + 1) * n_cols)
        parts.append(slice(begin - turns * n_cols, end - turns * n_cols))
        begin = end
    return parts


@functools.lru_cache(maxsize=64)
def _to_file(epsg: int, crs_wkt: str) -> Transformer | None:
    tiles, file = CRS.from_epsg(epsg), CRS.from_wkt(crs_wkt)
    if tiles.equals(file, ignore_axis_order=True):
        return None
    return Transformer.from_crs(tiles, file, always_xy=True)


def _covered(edges: Places) -> tuple[Pixels, Pixels]:
    """Return the first and the last pixel that boxes around four corners cover."""
    corners = edges[:-1, :-1], edges[:-1, 1:], edges[1:, :-1], edges[1:, 1:]
    low, high = np.minimum.reduce(corners), np.maximum.reduce(corners)
    first, last = np.floor(low + _SAME), np.ceil(high - _SAME) - 1
    return _pixels(first, np.maximum(first, last))


def _pixels(first: Places, last: Places) -> tuple[Pixels, Pixels]:
    """Return whole numbers; 0 and -1 where a place is unknown."""
    far = 2.0**40
    known = np.isfinite(first) & np.isfinite(last)
    return (
        np.where(known, np.clip(first, -far, far), 0).astype(np.intp),
        np.where(known, np.clip(last, -far, far), -1).astype(np.intp),
    )
