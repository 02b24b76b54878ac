"""Where ice is: inside any outline, and how far from where that ends."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cached_property

import numpy as np
import shapely
from numpy.typing import NDArray

from glacier_inversion.geodata.rasterizing import inside
from glacier_inversion.grid import Grid

# Outlines whose gap is narrower, in pixels, touch: their borders were drawn twice.
_GAP_PX = 0.1
_NEAR_PX = 50  # how far a margin is looked for first


class Ice:
    """
    The union of all outlines.

    Parameters
    ----------
    outlines : mapping of polygons
        By feature, in the CRS of the tiles.
    """

    def __init__(self, outlines: Mapping[str, shapely.Geometry]) -> None:
        self._features = list(outlines)
        self._outlines = list(outlines.values())

    @cached_property
    def _tree(self) -> shapely.STRtree:
        return shapely.STRtree(self._outlines)

    @cached_property
    def digest(self) -> str:
        """A digest of all outlines."""
        hashed = hashlib.sha256()
        for feature, outline in zip(self._features, self._outlines, strict=True):
            hashed.update(feature.encode() + b"\0" + shapely.to_wkb(outline))
        return hashed.hexdigest()

    def outline(self, index: int) -> shapely.Geometry:
        """Return an outline by the number that `nearest` gives it."""
        return self._outlines[index]

    def _touching(self, geometry: shapely.Geometry) -> list[shapely.Geometry]:
        found = self._tree.query(geometry, predicate="intersects")
        return [self._outlines[i] for i in sorted(found.tolist())]

    def inside(self, grid: Grid) -> NDArray[np.bool_]:
        """Tell which pixels have their centre inside any outline."""
        near = shapely.box(*grid.bounds_around(grid.resolution))
        return inside(self._touching(near), grid)

    def nearest(self, grid: Grid) -> NDArray[np.intp]:
        """
        Return the number of the outline that each pixel's centre is in, or nearest to.

        The first of several; -1 where there are no outlines.
        """
        found = np.full(grid.shape, -1, dtype=np.intp)
        touching = self._tree.query(shapely.box(*grid.bounds), predicate="intersects")
        for outline in sorted(touching.tolist(), reverse=True):
            found[inside([self._outlines[outline]], grid)] = outline
        outside = found < 0
        if self._outlines and outside.any():
            x, y = (centres[outside] for centres in grid.centres())
            points, outlines = self._tree.query_nearest(shapely.points(x, y))
            nearest = np.full(x.size, len(self._outlines), dtype=np.intp)
            np.minimum.at(nearest, points, outlines)
            found[outside] = nearest
        return found

    def distance_to_margin(self, grid: Grid) -> NDArray[np.float64]:
        """
        Return the distance of pixels' centres to where ice ends, 0 outside.

        Exact, by the outlines and not by pixels. A border that outlines share is no
        margin, and neither is a gap between them narrower than a tenth of a pixel.
        """
        within = self.inside(grid)
        distance = np.zeros(grid.shape)
        x, y = (centres[within] for centres in grid.centres())
        found = np.full(x.size, np.inf)
        reach = _NEAR_PX * grid.resolution
        left = np.arange(x.size)
        while left.size:
            near = shapely.box(*grid.bounds_around(reach))
            margin = self._margin(near, _GAP_PX * grid.resolution)
            found[left] = _distances(shapely.points(x[left], y[left]), margin)
            # farther away there may be a margin that is nearer than what was found
            left = left[found[left] > reach]
            reach *= 4
        distance[within] = found
        return distance

    def _margin(self, near: shapely.Geometry, gap: float) -> shapely.Geometry:
        """Return what of the boundary of all ice is near; gaps are closed."""
        some, more = (near.buffer(n * gap, join_style="mitre") for n in (1, 3))
        clipped = shapely.intersection(self._touching(more), more)
        grown = shapely.buffer(clipped, gap / 2, join_style="mitre")
        closed = shapely.buffer(shapely.union_all(grown), -gap / 2, join_style="mitre")
        # without the sides of what was clipped
        return shapely.intersection(shapely.boundary(closed), some)


def _distances(
    points: NDArray[np.object_], lines: shapely.Geometry
) -> NDArray[np.float64]:
    """Return the distances of points to the nearest of lines, infinite without any."""
    distances = np.full(len(points), np.inf)
    parts = [p for p in shapely.get_parts(lines) if p.geom_type.endswith("String")]
    segments = [
        shapely.linestrings(np.stack([xy[:-1], xy[1:]], axis=1))
        for xy in map(shapely.get_coordinates, parts)
    ]
    if segments:
        tree = shapely.STRtree(np.concatenate(segments))
        (index, _), nearest = tree.query_nearest(
            points, return_distance=True, all_matches=False
        )
        distances[index] = nearest
    return distances
