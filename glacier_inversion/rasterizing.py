"""Which pixels of a grid lie inside outlines."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.features import rasterize
from rasterio.transform import Affine
from shapely import Geometry

from glacier_inversion.grid import Grid


def inside(
    geometries: Iterable[Geometry], grid: Grid, touched: bool = False
) -> NDArray[np.bool_]:
    """
    Tell which pixels of *grid* have their centre inside any of *geometries*.

    With *touched* which pixels any of them touches.

    Returns
    -------
    inside : bool array, shape (grid.n_rows, grid.n_cols)
    """
    # an outline has many vertices, most of them elsewhere; not clip_by_rect, which is
    # wrong where a boundary meets a corner
    near = shapely.box(*grid.bounds).buffer(grid.resolution, join_style="mitre")
    clipped = [shapely.intersection(geometry, near) for geometry in geometries]
    shapes = [geometry for geometry in clipped if not geometry.is_empty]
    if not shapes or 0 in grid.shape:
        return np.zeros(grid.shape, dtype=np.bool_)
    burnt: NDArray[np.uint8] = rasterize(
        shapes,
        out_shape=grid.shape,
        transform=Affine(*grid.transform),
        fill=0,
        default_value=1,
        dtype="uint8",
        all_touched=touched,
    )
    return burnt.astype(np.bool_)
