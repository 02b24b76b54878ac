"""Measured points as pixels: the mean of a feature's own points in each cell."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from glacier_inversion.dataset.ownership import Ownership
from glacier_inversion.geodata.points import PointSource
from glacier_inversion.grid import Grid

_LEFT_OUT = {
    "not_selected": "not selected",
    "without_value": "without a value",
    "without_place": "without a place",
    "repeated": "repeated",
    "outside": "outside every outline",
    "several": "in several outlines",
}


@dataclass(frozen=True)
class PointCells:
    """
    The cells of a grid that hold points.

    Attributes
    ----------
    grid : Grid
    row, col : int arrays, shape (n_cells,)
    count : int array
        Points in the cell.
    mean, std : float64 arrays
        Of their values; the std has ddof 1, and is NaN of a single point.
    """

    grid: Grid
    row: NDArray[np.int64] = field(repr=False)
    col: NDArray[np.int64] = field(repr=False)
    count: NDArray[np.int64] = field(repr=False)
    mean: NDArray[np.float64] = field(repr=False)
    std: NDArray[np.float64] = field(repr=False)

    def tile(self) -> NDArray[np.float32]:
        """Return the means as an image, NaN where there is no point."""
        tile = np.full(self.grid.shape, np.nan, dtype=np.float32)
        tile[self.row, self.col] = self.mean
        return tile

    def csv(self) -> bytes:
        """Return a table of the cells: centre, count, mean and std."""
        table = pd.DataFrame(
            {
                "x": self.grid.x(self.col),
                "y": self.grid.y(self.row),
                "count": self.count,
                "mean": self.mean,
                "std": self.std,
            }
        )
        text = io.StringIO()
        table.to_csv(text, index=False, float_format="%.10g", lineterminator="\n")
        return text.getvalue().encode()


def cells_of(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    value: NDArray[np.float64],
    grid: Grid,
) -> PointCells:
    """
    Put points into the cells of a grid.

    A point between two cells belongs to the eastern or southern one; one beyond the
    grid to none.

    Parameters
    ----------
    x, y, value : float64 arrays, shape (n_points,)
        In the CRS of the grid.
    """
    col = np.floor((x - grid.left) / grid.resolution).astype(np.int64)
    row = np.floor((grid.top - y) / grid.resolution).astype(np.int64)
    within = (row >= 0) & (row < grid.n_rows) & (col >= 0) & (col < grid.n_cols)
    cell = row[within] * grid.n_cols + col[within]
    value = value[within]
    found, which, count = np.unique(cell, return_inverse=True, return_counts=True)
    mean = np.bincount(which, value, len(found)) / count
    squares = np.bincount(which, (value - mean[which]) ** 2, len(found))
    with np.errstate(divide="ignore", invalid="ignore"):
        std = np.sqrt(squares / (count - 1))
    row, col = np.divmod(found, max(grid.n_cols, 1))
    return PointCells(grid, row, col, count, mean, std)


@dataclass(frozen=True, eq=False)
class PointTargets:
    """
    The points of a raster, and whose they are.

    A point is that of the feature whose outline it lies in or on; in several outlines
    it is nobody's.

    Attributes
    ----------
    source : PointSource
    ownership : Ownership
    """

    source: PointSource
    ownership: Ownership = field(repr=False)

    def of(self, feature: str) -> NDArray[np.intp]:
        """Return which points are a feature's own."""
        outlines = self.ownership.outlines
        near = self.source.near(shapely.bounds(outlines[feature]).tolist())
        own = near[self._within(feature, near)]
        for other in self.ownership.touching(outlines[feature]):
            if other != feature:
                own = own[~self._within(other, own)]
        return own

    def cells(self, feature: str, grid: Grid) -> PointCells:
        """Put a feature's own points into the cells of a grid."""
        own, source = self.of(feature), self.source
        return cells_of(source.x[own], source.y[own], source.value[own], grid)

    def digest(self, feature: str) -> str:
        """Identify a feature's own points."""
        own, source = self.of(feature), self.source
        values = np.stack([source.x[own], source.y[own], source.value[own]])
        return hashlib.sha256(values.tobytes()).hexdigest()

    @cached_property
    def counts(self) -> dict[str, int]:
        """
        What became of the rows of the file.

        As `PointCounts` has it; and the points `outside` every outline, those in
        `several` outlines, and those that are `used`.
        """
        n_outlines = np.zeros(len(self.source.x), dtype=np.int64)
        for points in self._of_outlines():
            n_outlines[points] += 1
        return {
            **asdict(self.source.counts),
            "outside": int((n_outlines == 0).sum()),
            "several": int((n_outlines > 1).sum()),
            "used": int((n_outlines == 1).sum()),
        }

    def describe_misplaced(self) -> str | None:
        """Say where points and outlines are, if no point lies in any; else None."""
        outlines = [*self.ownership.outlines.values()]
        if self.counts["outside"] < len(self.source.x) or not outlines:
            return None
        x, y = self.source.x, self.source.y
        left, bottom, right, top = shapely.total_bounds(outlines)
        return (
            "no point lies inside any outline. In the CRS of the tiles the points are "
            f"from {x.min():.0f}, {y.min():.0f} to {x.max():.0f}, {y.max():.0f}, the "
            f"outlines from {left:.0f}, {bottom:.0f} to {right:.0f}, {top:.0f}. Are "
            f"the coordinates those of {self.source.crs}? Else say points_epsg"
        )

    def _of_outlines(self) -> Iterator[NDArray[np.intp]]:
        """Iterate over the points in or on each outline."""
        for feature, outline in self.ownership.outlines.items():
            near = self.source.near(shapely.bounds(outline).tolist())
            yield near[self._within(feature, near)]

    def _within(self, feature: str, points: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Tell which of some points lie in or on an outline."""
        outline = self.ownership.outlines[feature]
        shapely.prepare(outline)
        found: NDArray[np.bool_] = shapely.intersects_xy(
            outline, self.source.x[points], self.source.y[points]
        )
        return found


def describe_counts(counts: Mapping[str, int]) -> str:
    """
    Say what became of the rows of a file of points.

    >>> describe_counts({"rows": 1200, "not_selected": 0, "outside": 150, "used": 1050})
    '1,050 of 1,200 points are used; 150 outside every outline'
    """
    left_out = [
        f"{counts[key]:,} {what}" for key, what in _LEFT_OUT.items() if counts.get(key)
    ]
    of_all = f"{counts['used']:,} of {counts['rows']:,} points are used"
    return "; ".join([of_all, ", ".join(left_out)] if left_out else [of_all])
