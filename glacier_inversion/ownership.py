"""Whose a target is: outlines and tiles overlap, a measurement serves one feature."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import shapely
from numpy.typing import NDArray

from glacier_inversion.grid import Bounds, Grid
from glacier_inversion.rasterizing import inside
from glacier_inversion.workspace import SPLITS

# Resampling that makes a pixel of all that it covers.
_AGGREGATING = {"average", "mode", "max", "min", "med", "q1", "q3", "rms"}


@dataclass(frozen=True)
class Ownership:
    """
    The outlines of a region and the tiles of its features.

    Attributes
    ----------
    outlines : mapping of polygons
        All of them, those of features that are left out too.
    bounds, splits : mappings
        Of the features that have tiles.
    """

    outlines: Mapping[str, shapely.Geometry] = field(repr=False)
    bounds: Mapping[str, Bounds] = field(repr=False)
    splits: Mapping[str, str] = field(repr=False)

    @cached_property
    def _boxes(self) -> tuple[list[str], shapely.STRtree]:
        """The bounds of the tiles of every feature."""
        return list(self.bounds), shapely.STRtree(
            [shapely.box(*bounds) for bounds in self.bounds.values()]
        )

    @cached_property
    def _tree(self) -> tuple[list[str], shapely.STRtree]:
        features = list(self.outlines)
        return features, shapely.STRtree([self.outlines[f] for f in features])

    def touching(self, geometry: shapely.Geometry) -> list[str]:
        """Return the ids of the outlines that *geometry* intersects."""
        features, tree = self._tree
        found = tree.query(geometry, predicate="intersects")
        return [features[i] for i in sorted(found.tolist())]

    def foreign(self, feature: str, grid: Grid, resampling: str) -> NDArray[np.bool_]:
        """
        Tell which pixels of a target are those of other features.

        Those with their centre inside another outline, whether that feature is in the
        dataset or left out; where pixels were made by averaging smaller ones, those
        that an outline of another split touches. Of the pixels outside every outline,
        those within a tile of the test split, and for training features also of the
        validation split: a target never serves two splits.
        """
        split = self.splits[feature]
        others = [f for f in self.touching(shapely.box(*grid.bounds)) if f != feature]
        foreign = inside([self.outlines[f] for f in others], grid)
        if resampling in _AGGREGATING:
            apart = [f for f in others if self.splits.get(f) != split]
            foreign |= inside([self.outlines[f] for f in apart], grid, touched=True)
        outside = ~inside([self.outlines[feature]], grid)
        features, tree = self._boxes
        for i in tree.query(shapely.box(*grid.bounds)):
            other = features[i]
            if SPLITS.index(self.splits[other]) > SPLITS.index(split):
                rows, cols = grid.covering(self.bounds[other])
                part = np.ix_(
                    range(max(rows.start, 0), min(rows.stop, grid.n_rows)),
                    range(max(cols.start, 0), min(cols.stop, grid.n_cols)),
                )
                foreign[part] |= outside[part]
        return foreign
