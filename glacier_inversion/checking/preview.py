"""What the tiles of features will hold, read before they are built."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import shapely
from numpy.typing import NDArray

from glacier_inversion.choices import Resampling
from glacier_inversion.dataset.ownership import Ownership
from glacier_inversion.dataset.rasters import Rasters
from glacier_inversion.errors import RasterError
from glacier_inversion.experiment.application import Application
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.geodata.rasterizing import inside
from glacier_inversion.geodata.rasters import warp
from glacier_inversion.grid import Bounds, Grid, lattice, snap_bounds
from glacier_inversion.patches.interpolation import Floats
from glacier_inversion.patches.lattice import Layout, to_lattice
from glacier_inversion.patches.sampling import count_samples, find_points, spacing_of
from glacier_inversion.patches.tiles import Tiles
from glacier_inversion.workspace import SPLITS

_BUDGET = 6_000_000  # values that are read exactly, about a second's work
_DERIVED = 5  # rasters that are read while one is derived, roughly
_MOST_FEATURES = 50  # of a split that are read
_MOST_READS = 1000  # tiles that are read, of one feature of each split at least
_COARSE_PX = 64  # side of a tile that is read coarsely
_COARSE_REACH_PX = 256  # side of that and of what it depends on
_ESTIMATE_PX = 512  # side of the cells that its samples are estimated from


@dataclass(frozen=True)
class Reading:
    """
    What a feature's tiles will hold.

    Attributes
    ----------
    exact : bool
        Whether the tiles were read as they will be built, or in coarse steps.
    valid : dict of float
        Share of valid pixels inside the outline, by raster; of a target, of those that
        the feature owns.
    valid_in_tile : dict of float
        Share in the whole tile, as summary.json has it.
    n_known : dict of int
        Known pixels of each output in the tile that the feature owns.
    n_points, n_samples : int, None where an output could not be read
        Points that may be samples, and samples per epoch.
    targets : float32 array, shape (n_points, n_outputs), where exact
    problems : tuple of str
        Why rasters could not be read.
    """

    exact: bool
    valid: dict[str, float]
    valid_in_tile: dict[str, float]
    n_known: dict[str, int]
    n_points: int | None
    n_samples: int | None
    targets: Floats | None
    problems: tuple[str, ...]


def read_features(
    experiment: Experiment | Application, rasters: Rasters, ownership: Ownership
) -> Iterator[tuple[str, Reading]]:
    """
    Read the features that tell enough of all, in a second or so.

    At most 50 of each split and of none, fewer where there are many rasters, chosen at
    random but always the same; exactly, as long as they are few values, then in coarse
    steps.
    """
    budget = _BUDGET
    described = experiment.dataset_description.rasters
    n_rasters = sum(1 if r.derive is None else _DERIVED for r in described)
    groups = {ownership.splits.get(feature) for feature in ownership.bounds}
    n_most = max(_MOST_READS // n_rasters, len(groups))
    for feature in _choose(ownership.splits, ownership.bounds)[:n_most]:
        cost = _count_read(rasters, ownership.bounds[feature])
        exact = cost <= budget
        budget -= cost if exact else 0
        yield feature, _read_feature(experiment, rasters, ownership, feature, exact)


def _count_read(rasters: Rasters, bounds: Bounds) -> int:
    """Return how many values are read, roughly, for all tiles of a feature."""
    n_values = 0
    for raster in rasters.description.rasters:
        grid = Grid.from_bounds(bounds, raster.resolution)
        wide = grid.grown(rasters.reaches[raster.name])
        n_values += wide.n_rows * wide.n_cols * (_DERIVED if raster.derive else 1)
    return n_values


def _choose(splits: Mapping[str, str], features: Iterable[str]) -> list[str]:
    """
    Choose features of every split, and of none, in turn.

    >>> splits = {"a": "train", "b": "train", "c": "test"}
    >>> _choose(splits, "abcd")
    ['a', 'c', 'd', 'b']
    """
    ids = np.random.default_rng(0).permutation(sorted(features)).tolist()
    members = [
        [f for f in ids if splits.get(f) == split][:_MOST_FEATURES]
        for split in (*SPLITS, None)
    ]
    return [part[i] for i in range(_MOST_FEATURES) for part in members if i < len(part)]


def _read_feature(
    experiment: Experiment | Application,
    rasters: Rasters,
    ownership: Ownership,
    feature: str,
    exact: bool,
) -> Reading:
    description = experiment.dataset_description
    outputs = {variable.name for variable in experiment.outputs}
    tiles: dict[str, Floats] = {}
    valid, valid_in_tile, n_known = {}, {}, {}
    problems = []
    within: dict[Grid, NDArray[np.bool_]] = {}
    read = rasters if exact else rasters.resampled_by("nearest")
    for raster in map(description.raster, rasters.usable):
        grid = Grid.from_bounds(ownership.bounds[feature], raster.resolution)
        if raster.name in rasters.points and not exact:
            n_cells = len(rasters.points[raster.name].cells(feature, grid).mean)
            area = float(shapely.area(ownership.outlines[feature]))
            if raster.name in outputs:
                n_known[raster.name] = n_cells
            valid_in_tile[raster.name] = n_cells / (grid.n_rows * grid.n_cols)
            valid[raster.name] = min(n_cells * grid.resolution**2 / area, 1.0)
            continue
        asked = grid if exact else _coarser(grid, rasters.reaches[raster.name])
        try:
            tile = read.tile(raster.name, asked, feature)
        except RasterError as error:
            problems.append(str(error))
            continue
        known = np.isfinite(tile)
        valid_in_tile[raster.name] = float(known.mean())
        if raster.name in outputs:
            warping = read.warping(raster.name)
            tile[ownership.foreign(feature, asked, warping)] = np.nan
            known = np.isfinite(tile)
            pixels = grid.n_rows * grid.n_cols / known.size
            n_known[raster.name] = round(known.sum() * pixels)
        if asked not in within:
            within[asked] = _within(ownership.outlines[feature], asked)
        valid[raster.name] = float(known[within[asked]].mean())
        tiles[raster.name] = tile
    targets = None
    n_points = n_samples = None
    if isinstance(experiment, Experiment) and outputs <= valid.keys():
        if exact:
            targets, n_samples = _find_samples(experiment, ownership, feature, tiles)
            n_points = len(targets)
        else:
            n_points, n_samples = _estimate_samples(
                experiment, rasters, ownership, feature
            )
    return Reading(
        exact,
        valid,
        valid_in_tile,
        n_known,
        n_points,
        n_samples,
        targets,
        tuple(problems),
    )


def _coarser(grid: Grid, reach: int) -> Grid:
    """
    Return a grid of the same place with at most 64 pixels per side.

    With what they depend on, pixels to each side of *grid*, they are at most 256.

    >>> _coarser(Grid(0.0, 100.0, 10.0, 130, 20), reach=0)
    Grid(left=0.0, top=100.0, resolution=30.0, n_rows=43, n_cols=6)
    >>> _coarser(Grid(0.0, 100.0, 10.0, 130, 20), reach=1000)
    Grid(left=0.0, top=100.0, resolution=90.0, n_rows=14, n_cols=2)
    """
    side = max(grid.shape)
    step = math.ceil(max(side / _COARSE_PX, (side + 2 * reach) / _COARSE_REACH_PX))
    n_rows, n_cols = (max(1, n // step) for n in grid.shape)
    return Grid(grid.left, grid.top, grid.resolution * step, n_rows, n_cols)


def _within(outline: shapely.Geometry, grid: Grid) -> NDArray[np.bool_]:
    """Return the pixels inside an outline, those that it touches if there are none."""
    within = inside([outline], grid)
    return within if within.any() else inside([outline], grid, touched=True)


def _find_samples(
    experiment: Experiment,
    ownership: Ownership,
    feature: str,
    tiles: dict[str, Floats],
) -> tuple[Floats, int]:
    """Return the targets of a feature's points, and the number of its samples."""
    layout = Layout.of(experiment)
    # inputs that cannot be read make no point unusable
    layout = replace(
        layout,
        images={name: k for name, k in layout.images.items() if name in tiles},
        scalars={name: k for name, k in layout.scalars.items() if name in tiles},
    )
    grid = Grid.from_bounds(ownership.bounds[feature], experiment.finest_resolution)
    part = to_lattice(
        Tiles(feature, ownership.splits.get(feature), grid, tiles, tiles), layout
    )
    row, col, targets = find_points(part, layout)
    n_samples = count_samples(part, row, col, targets, spacing_of(experiment))
    return targets, n_samples


def _estimate_samples(
    experiment: Experiment,
    rasters: Rasters,
    ownership: Ownership,
    feature: str,
) -> tuple[int, int]:
    """
    Estimate the points and samples of a feature: its cells with a known target.

    Inputs are taken for valid.
    """
    finest, spacing = experiment.finest_resolution, spacing_of(experiment)
    tile = Grid.from_bounds(ownership.bounds[feature], finest)
    points = lattice(tile, experiment.window_px)
    if 0 in points.shape:
        return 0, 0
    given = experiment, rasters, ownership, feature, points
    # the greatest value of a cell is known where any of its values is
    return _count_known(*given, finest, "nearest"), _count_known(*given, spacing, "max")


def _count_known(
    experiment: Experiment,
    rasters: Rasters,
    ownership: Ownership,
    feature: str,
    points: Grid,
    size: float,
    resampling: Resampling,
) -> int:
    """Count the cells of *size* with a target, of every step-th row and column."""
    step = math.ceil(max(points.shape) * points.resolution / size / _ESTIMATE_PX)
    fine = Grid.from_bounds(snap_bounds(points.bounds, 0.0, size), size)
    size *= step
    cells = Grid.from_bounds(snap_bounds(points.bounds, 0.0, size), size)
    known = np.zeros(cells.shape, dtype=np.bool_)
    n_of_points = 0
    for variable in experiment.outputs:
        if variable.name in rasters.points:
            own = rasters.points[variable.name].cells(feature, fine)
            n_of_points = max(n_of_points, len(own.mean))
            continue
        source = rasters.sources[variable.name].resampled_by(resampling)
        foreign = ownership.foreign(feature, cells, source.warping)
        known |= np.isfinite(warp(source, cells, rasters.files)) & ~foreign
    return max(int(known.sum()) * step**2, n_of_points)
