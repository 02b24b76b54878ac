"""Where the errors of features lie, and what those of neighbours share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from glacier_inversion.drawing.correlated_sums import sum_over_pairs
from glacier_inversion.grid import Grid
from glacier_inversion.training.model.covariogram import Covariogram

Floats = NDArray[np.float64]

_MOST_OF_FEATURE = 1024
_MOST_OF_ALL = 2**20
_CENTRE_OR_CORNER = 0.25  # of a pixel: no point is near the edge of its cell


@dataclass(frozen=True)
class ErrorCells:
    """
    The sizes of the errors of a feature's pixels, added up in square cells.

    Cells are counted from the CRS's origin, to the right and down, and their sides are
    the pixel's times a power of two, so that those of several features fit together.

    Attributes
    ----------
    resolution : float, metres
        Side of a pixel.
    n_px : int
        Pixels along the side of a cell.
    row, col : int
        Of the first cell.
    sums : float64 array, shape (n_rows, n_cols), metres
        Of tau, as `Covariogram` has it; 1,024 cells at most.
    """

    resolution: float
    n_px: int
    row: int
    col: int
    sums: Floats

    @classmethod
    def of_map(cls, grid: Grid) -> ErrorCells:
        """Return the empty cells of a map."""
        first_row, first_col = _first_pixel(grid)
        n_px = 1
        while True:
            row, col = first_row // n_px, first_col // n_px
            shape = (
                (first_row + grid.n_rows - 1) // n_px - row + 1,
                (first_col + grid.n_cols - 1) // n_px - col + 1,
            )
            if math.prod(shape) <= _MOST_OF_FEATURE:
                return cls(grid.resolution, n_px, row, col, np.zeros(shape))
            n_px *= 2

    def add(
        self,
        grid: Grid,
        rows: NDArray[np.intp],
        cols: NDArray[np.intp],
        size: Floats,
    ) -> None:
        """
        Add pixels of the map.

        Parameters
        ----------
        grid : Grid
            Of the map.
        rows, cols : int arrays, shape (n_pixels,)
        size : float64 array, shape (n_pixels,), metres
            Of their errors: tau.
        """
        first_row, first_col = _first_pixel(grid)
        down = (rows + first_row) // self.n_px - self.row
        along = (cols + first_col) // self.n_px - self.col
        np.add.at(self.sums, (down, along), size)

    def in_cells_of(self, n_px: int) -> ErrorCells:
        """Return them in cells of another side, finer ones filled evenly."""
        if n_px < self.n_px:
            times = self.n_px // n_px
            sums = self.sums.repeat(times, 0).repeat(times, 1) / times**2
            return ErrorCells(
                self.resolution, n_px, self.row * times, self.col * times, sums
            )
        times = n_px // self.n_px
        rows, cols = (
            (first + np.arange(n)) // times
            for first, n in zip((self.row, self.col), self.sums.shape, strict=True)
        )
        sums = np.zeros((rows[-1] - rows[0] + 1, cols[-1] - cols[0] + 1))
        np.add.at(sums, np.ix_(rows - rows[0], cols - cols[0]), self.sums)
        return ErrorCells(self.resolution, n_px, int(rows[0]), int(cols[0]), sums)

    def rounded(self) -> ErrorCells:
        """Return them to the millimetre, which text holds exactly."""
        return replace(self, sums=self.sums.round(3))

    def to_json(self) -> dict[str, Any]:
        """Return what JSON can hold: a line of text for each row of cells."""
        rows = [" ".join(map(repr, row)) for row in self.sums.tolist()]
        return {**vars(self), "sums": rows}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> ErrorCells:
        """
        Read what `to_json` returned.

        Raises
        ------
        ValueError, KeyError, TypeError
            It is something else.
        """
        sums = [[float(value) for value in row.split()] for row in content["sums"]]
        return cls(**{**content, "sums": np.array(sums)})


def _first_pixel(grid: Grid) -> tuple[int, int]:
    """Return the row and column of the first pixel, from the CRS's origin on."""
    y, x = float(grid.y(0)), float(grid.x(0))
    return (
        -math.floor(y / grid.resolution + _CENTRE_OR_CORNER),
        math.floor(x / grid.resolution + _CENTRE_OR_CORNER),
    )


def shared_by_neighbours(
    features: Sequence[ErrorCells], weights: Sequence[float], covariogram: Covariogram
) -> float:
    """
    Sum over all pairs of pixels of different features what they share as near ones.

    The product of the sizes of their errors, of the weights of their features and of
    what the covariogram says of their distance, without its plateau. All features are
    laid into one map of a million cells at most, and what pixels of the same feature
    share is taken off.

    Parameters
    ----------
    features : sequence of ErrorCells
        One at least, of one resolution.
    weights : sequence of float
        Of each feature.
    covariogram : Covariogram

    Returns
    -------
    sum : float
        The unit of the weights squared times square metres; 0 at least.
    """
    n_px = min(own.n_px for own in features)
    while True:
        cells = [own.in_cells_of(n_px) for own in features]
        top, left = min(own.row for own in cells), min(own.col for own in cells)
        shape = (
            max(own.row + own.sums.shape[0] for own in cells) - top,
            max(own.col + own.sums.shape[1] for own in cells) - left,
        )
        if math.prod(shape) <= _MOST_OF_ALL:
            break
        n_px *= 2
    side = features[0].resolution * n_px
    together = np.zeros(shape)
    of_each = 0.0
    for own, weight in zip(cells, weights, strict=True):
        sums = weight * own.sums
        n_rows, n_cols = sums.shape
        row, col = own.row - top, own.col - left
        together[row : row + n_rows, col : col + n_cols] += sums
        of_each += sum_over_pairs(sums, side, n_px, covariogram)
    return max(sum_over_pairs(together, side, n_px, covariogram) - of_each, 0.0)


def find_touching(
    outlines: Sequence[shapely.Geometry], within: float
) -> list[tuple[int, int]]:
    """
    Return the pairs of outlines that touch, each once, by their numbers.

    Parameters
    ----------
    outlines : sequence of Polygon or MultiPolygon
    within : float, metres
        So far apart they still do.
    """
    tree = shapely.STRtree(outlines)
    pairs = tree.query(outlines, predicate="dwithin", distance=within).T.tolist()
    return sorted((first, second) for first, second in pairs if first < second)
