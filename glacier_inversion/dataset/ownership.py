"""Whose a target is: outlines and tiles overlap, a measurement serves one feature."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import shapely
from numpy.typing import NDArray

from glacier_inversion.geodata.rasterizing import inside, inside_of_file
from glacier_inversion.geodata.warping import Warping
from glacier_inversion.grid import Bounds, Grid
from glacier_inversion.workspace import SPLITS


@dataclass(frozen=True)
class Ownership:
    """
    The outlines of a region and the tiles of its features.

    Attributes
    ----------
    outlines : mapping of polygons
        All of them, those of features that are left out too.
    bounds : mapping of Bounds
        Of the features that have tiles.
    splits : mapping of str
        Of those that train, validate or test.
    """

    outlines: Mapping[str, shapely.Geometry] = field(repr=False)
    bounds: Mapping[str, Bounds] = field(repr=False)
    splits: Mapping[str, str] = field(repr=False)

    @cached_property
    def _boxes(self) -> tuple[list[str], shapely.STRtree]:
        """The bounds of the tiles of every feature that has a split."""
        features = [feature for feature in self.bounds if feature in self.splits]
        boxes = [shapely.box(*self.bounds[feature]) for feature in features]
        return features, shapely.STRtree(boxes)

    @cached_property
    def _tree(self) -> tuple[list[str], shapely.STRtree]:
        features = list(self.outlines)
        return features, shapely.STRtree([self.outlines[f] for f in features])

    def touching(self, geometry: shapely.Geometry) -> list[str]:
        """Return the ids of the outlines that *geometry* intersects."""
        features, tree = self._tree
        found = tree.query(geometry, predicate="intersects")
        return [features[i] for i in sorted(found.tolist())]

    def foreign(
        self, feature: str, grid: Grid, warping: Warping | None
    ) -> NDArray[np.bool_]:
        """
        Tell which pixels of a target are not the feature's own.

        Those with their centre inside another outline, whatever its split. Those that
        are made, in part, from a pixel of the file whose centre is inside an outline of
        another split, or of none. Of the pixels outside every outline, those within a
        tile of the test split, for training features also of the validation split, and
        for features without a split of any. So a target never serves two splits.
        A target that is gridded from points is made from the feature's own alone: of
        it those pixels alone that have their centre inside another outline.

        Parameters
        ----------
        grid : Grid
            Of the feature's tile, or of a part of it.
        warping : Warping
            How the tile is made from the target's file; None of points.
        """
        split = self.splits.get(feature)
        reach = 0.0 if warping is None else warping.reach(grid)
        near = shapely.box(*grid.bounds_around(reach))
        others = [f for f in self.touching(near) if f != feature]
        foreign = inside([self.outlines[f] for f in others], grid)
        if warping is None:
            return foreign
        apart = [f for f in others if self.splits.get(f) != split]
        if apart:
            tile = Grid.from_bounds(self.bounds[feature], grid.resolution)
            foreign |= _made_within(
                [self.outlines[f] for f in apart], grid, warping, warping.scales(tile)
            )
        outside = ~inside([self.outlines[feature]], grid)
        features, tree = self._boxes
        for i in tree.query(shapely.box(*grid.bounds)):
            other = features[i]
            if _precedes(self.splits[other], split):
                rows, cols = grid.covering(self.bounds[other])
                part = np.ix_(
                    range(max(rows.start, 0), min(rows.stop, grid.n_rows)),
                    range(max(cols.start, 0), min(cols.stop, grid.n_cols)),
                )
                foreign[part] |= outside[part]
        return foreign


def _precedes(split: str, other: str | None) -> bool:
    """
    Tell whether what nobody owns serves *split* rather than *other*.

    >>> _precedes("test", "train"), _precedes("train", "test"), _precedes("train", None)
    (True, False, True)
    """
    return other is None or SPLITS.index(split) > SPLITS.index(other)


def _made_within(
    outlines: list[shapely.Geometry],
    grid: Grid,
    warping: Warping,
    scales: tuple[float, float],
) -> NDArray[np.bool_]:
    """Tell which pixels are made, in part, from one of the file inside outlines."""
    made = np.zeros(grid.shape, dtype=np.bool_)
    for rows, cols, file_rows, file_cols in warping.blocks(grid):
        part = grid.window(rows, cols)
        within = inside_of_file(outlines, warping, part, file_rows, file_cols)
        if not within.any():
            continue
        # how many of them lie above and to the left of each corner
        counts = np.zeros((within.shape[0] + 1, within.shape[1] + 1), dtype=np.int64)
        counts[1:, 1:] = within.cumsum(axis=0, dtype=np.int64).cumsum(axis=1)
        first_row, last_row, first_col, last_col = warping.made_from(
            part, scales, file_cols
        )
        top, bottom = (
            np.clip(row - file_rows.start, 0, within.shape[0])
            for row in (first_row, last_row + 1)
        )
        left, right = (
            np.clip(col - file_cols.start, 0, within.shape[1])
            for col in (first_col, last_col + 1)
        )
        n_within = counts[bottom, right] - counts[top, right]
        n_within += counts[top, left] - counts[bottom, left]
        made[rows, cols] |= n_within > 0
    return made
