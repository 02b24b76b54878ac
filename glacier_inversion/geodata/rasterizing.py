"""Which pixels of a grid, or of a file, lie inside outlines."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.features import rasterize
from rasterio.transform import Affine
from shapely import Geometry

from glacier_inversion.geodata.warping import Warping
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
    near = shapely.box(*grid.bounds_around(grid.resolution))
    shapes = _clipped(geometries, near)
    return _burnt(shapes, grid.shape, Affine(*grid.transform), touched)


def inside_of_file(
    geometries: Iterable[Geometry],
    warping: Warping,
    grid: Grid,
    rows: slice,
    cols: slice,
) -> NDArray[np.bool_]:
    """
    Tell which pixels of a file have their centre inside any of *geometries*.

    Parameters
    ----------
    geometries : iterable of geometries
        In the CRS of the tiles.
    grid : Grid
        What is made from that part of the file.
    rows, cols : slice
        Of the file.

    Returns
    -------
    inside : bool array, shape (n_rows, n_cols) of the part
    """
    near = shapely.box(*grid.bounds_around(warping.reach(grid)))
    shapes = _clipped(geometries, near)
    of_file = Affine(*warping.transform)
    transform = of_file @ Affine.translation(cols.start, rows.start)
    shape = rows.stop - rows.start, cols.stop - cols.start
    if warping.to_file is not None:
        middle = transform.c + (transform.a * shape[1] + transform.b * shape[0]) / 2
        # what is straight in one CRS is curved in the other
        shapes = [
            shapely.transform(
                shapely.segmentize(outline, grid.resolution),
                lambda x, y: warping.in_file(x, y, middle),
                interleaved=False,
            )
            for outline in shapes
        ]
    return _burnt(shapes, shape, transform, touched=False)


def _clipped(geometries: Iterable[Geometry], near: Geometry) -> list[Geometry]:
    """Return what of geometries is near: they have many vertices, most elsewhere."""
    # not clip_by_rect, which is wrong where a boundary meets a corner
    clipped = [shapely.intersection(geometry, near) for geometry in geometries]
    return [geometry for geometry in clipped if not geometry.is_empty]


def _burnt(
    shapes: list[Geometry], shape: tuple[int, int], transform: Any, touched: bool
) -> NDArray[np.bool_]:
    if not shapes or 0 in shape:
        return np.zeros(shape, dtype=np.bool_)
    burnt: NDArray[np.uint8] = rasterize(
        shapes,
        out_shape=shape,
        transform=transform,
        fill=0,
        default_value=1,
        dtype="uint8",
        all_touched=touched,
    )
    return burnt.astype(np.bool_)
