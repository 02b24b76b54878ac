"""
Tiles on the lattice: the images that patches are read from with a stride.

The lattice of a tile numbers the windows of n0 x n0 finest pixels that fit it: point
(row, col) is the centre of the window whose first pixel is (row, col). A raster whose
pixels are k times as wide is interpolated once, to an image whose pixel m lies at m/k
of its own pixels; the patch at a point is then every k-th pixel of that image, from the
point's row and column on.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.grid import Grid, lattice
from glacier_inversion.patches.interpolation import Floats, interpolate
from glacier_inversion.patches.tiles import Tiles


@dataclass(frozen=True)
class Layout:
    """
    How the patches of an experiment lie on the lattice.

    Attributes
    ----------
    resolution : float, CRS units
        The finest, r0.
    window_px : int
        Side of the window in finest pixels, n0.
    images, scalars, outputs : dict of int
        Pixel sizes in finest pixels, k, by variable.
    """

    resolution: float
    window_px: int
    images: dict[str, int]
    scalars: dict[str, int]
    outputs: dict[str, int]
    min_valid: float

    @classmethod
    def of(cls, experiment: Experiment) -> Layout:
        """Take the layout from an experiment."""
        factors = {v.name: experiment.factor(v) for v in experiment.inputs}
        scalars = {v.name for v in experiment.inputs if v.scalar}
        return cls(
            experiment.finest_resolution,
            experiment.window_px,
            {name: k for name, k in factors.items() if name not in scalars},
            {name: k for name, k in factors.items() if name in scalars},
            {v.name: experiment.factor(v) for v in experiment.outputs},
            experiment.min_valid,
        )

    def patch_px(self, name: str) -> int:
        """Return the side of an image's patch in its own pixels, n."""
        return self.window_px // self.images[name]


def lattice_image(tile: Floats, factor: int) -> Floats:
    """
    Interpolate a tile to the images that patches are read from with a stride.

    Pixel m of the result lies at m / *factor* of the tile's pixels; a factor of 1
    changes nothing.

    Returns
    -------
    image : float32 array, shape ((n_rows - 1) * factor + 1, (n_cols - 1) * factor + 1)
    """
    if factor == 1:
        return tile
    n_rows, n_cols = ((n - 1) * factor + 1 for n in tile.shape)
    return interpolate(tile, np.arange(n_rows) / factor, np.arange(n_cols) / factor)


def centre_values(tile: Floats, factor: int, layout: Layout, points: Grid) -> Floats:
    """Interpolate a tile at the points of the lattice: the values of a scalar input."""
    offset = layout.window_px / 2
    rows = (np.arange(points.n_rows) + offset) / factor - 0.5
    cols = (np.arange(points.n_cols) + offset) / factor - 0.5
    return interpolate(tile, rows, cols)


def target_values(tile: Floats, factor: int, layout: Layout, points: Grid) -> Floats:
    """
    Return the target at each point of the lattice.

    That is the value of the pixel that holds the point; on an edge or corner of pixels
    the mean of the known ones that meet there.
    """
    pairs = []
    for n_points in points.shape:
        # twice the point's distance from the tile's edge, in pixels: a whole number of
        # 1/factor, so the test for an edge is exact
        doubled = 2 * np.arange(n_points) + layout.window_px
        high = doubled // (2 * factor)
        on_edge = doubled % (2 * factor) == 0
        pairs.append((np.where(on_edge, high - 1, high), high))
    values = np.zeros(points.shape)
    counts = np.zeros(points.shape)
    (top, bottom), (left, right) = pairs
    for rows in (top, bottom):
        for cols in (left, right):
            part = tile[np.ix_(rows, cols)]
            known = np.isfinite(part)
            values += np.where(known, part, 0)
            counts += known
    with np.errstate(invalid="ignore"):
        return (values / counts).astype(np.float32)


def needed_pixels(
    points: NDArray[np.intp], window_px: int, align: int, n_px: int
) -> slice:
    """
    Return the finest pixels of a tile that the windows of *points* need.

    Whole pixels of every raster, and one more of the coarsest on each side for the
    interpolation of scalars, as far as the tile reaches.

    Parameters
    ----------
    points : array of int, shape (n_points,)
        Rows, or columns, of the lattice, in order.
    align : int
        The least common multiple of the rasters' pixels, in finest pixels.
    n_px : int
        Size of the tile.
    """
    start = (int(points[0]) // align - 1) * align
    stop = (-(-(int(points[-1]) + window_px) // align) + 1) * align
    return slice(max(start, 0), min(stop, n_px))


def windows_sum(image: NDArray[np.float32], n_px: int, stride: int) -> Floats:
    """
    Sum n_px x n_px pixels of *image*, each *stride* apart, from every pixel on.

    >>> windows_sum(np.ones((5, 6), dtype=np.float32), 2, 3).tolist()
    [[4.0, 4.0, 4.0], [4.0, 4.0, 4.0]]
    """
    n_rows, n_cols = (max(n - (n_px - 1) * stride, 0) for n in image.shape)
    across = np.zeros((image.shape[0], n_cols), dtype=np.float32)
    total = np.zeros((n_rows, n_cols), dtype=np.float32)
    for start in range(0, n_px * stride, stride):
        across += image[:, start : start + n_cols]
    for start in range(0, n_px * stride, stride):
        total += across[start : start + n_rows]
    return total


@dataclass(frozen=True)
class LatticeTiles:
    """
    A feature's tiles, or a window's, on the lattice.

    Attributes
    ----------
    points : Grid
        Its pixel centres are the points of the lattice.
    images : dict of float32 arrays
        What the patches are read from, NaN where unknown.
    scalars, targets : dict of float32 arrays, shape of `points`
        NaN where unknown.
    usable : bool array, shape of `points`
        Every input has its share of valid pixels in the patch.
    """

    points: Grid
    images: dict[str, Floats]
    scalars: dict[str, Floats]
    targets: dict[str, Floats]
    usable: NDArray[np.bool_]


def to_lattice(tiles: Tiles, layout: Layout) -> LatticeTiles:
    """Interpolate tiles to the lattice and find the points with enough valid pixels."""
    points = lattice(tiles.grid, layout.window_px)
    if 0 in points.shape:
        nothing = np.zeros((0, 0), dtype=np.float32)
        names = layout.images, layout.scalars, layout.outputs
        images, scalars, targets = (dict.fromkeys(part, nothing) for part in names)
        usable = np.zeros((0, 0), dtype=np.bool_)
        return LatticeTiles(points, images, scalars, targets, usable)
    images = {
        name: lattice_image(tiles.inputs[name], factor)
        for name, factor in layout.images.items()
    }
    scalars = {
        name: centre_values(tiles.inputs[name], factor, layout, points)
        for name, factor in layout.scalars.items()
    }
    targets = {
        name: target_values(tiles.targets[name], factor, layout, points)
        for name, factor in layout.outputs.items()
        if name in tiles.targets
    }
    usable = np.ones(points.shape, dtype=np.bool_)
    for _, is_valid in find_valid(images, scalars, layout, points):
        usable &= is_valid
    return LatticeTiles(points, images, scalars, targets, usable)


def find_valid(
    images: dict[str, Floats], scalars: dict[str, Floats], layout: Layout, points: Grid
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """
    Find the points of a lattice whose patch has enough valid pixels, input by input.

    Parameters
    ----------
    images, scalars : dict of float32 arrays
        As `LatticeTiles` has them.

    Yields
    ------
    name, is_valid : str, bool array of the lattice's shape
        Of every input, scalars too: these are valid where they are known.
    """
    for name, factor in layout.images.items():
        n_px = layout.patch_px(name)
        n_valid = windows_sum(np.isfinite(images[name]).astype("f4"), n_px, factor)
        n_least = math.ceil(layout.min_valid * n_px**2 - 1e-6)  # 0.07 * 100 > 7
        yield name, n_valid[: points.n_rows, : points.n_cols] >= n_least
    for name, values in scalars.items():
        yield name, np.isfinite(values) | (layout.min_valid == 0)
