"""Draw: every member of an ensemble over features and along profiles."""

from __future__ import annotations

import csv
import io
import logging
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray

import glacier_inversion
from glacier_inversion.built_dataset import BuiltDataset
from glacier_inversion.errors import (
    DatasetError,
    ExperimentError,
    ModelError,
    RasterError,
)
from glacier_inversion.grid import Grid, lattice, ratio
from glacier_inversion.outlines import read_lines
from glacier_inversion.progress import Progress, Silent
from glacier_inversion.rasters import geotiff_writer, inside
from glacier_inversion.sections import Experiment
from glacier_inversion.training.model import read_model
from glacier_inversion.training.prediction import Ensemble
from glacier_inversion.workspace import Workspace, locked, replacing

logger = logging.getLogger(__name__)

_BLOCK = 512  # points per side: two TIFF blocks; bounds the memory, not the map

Block = tuple[slice, slice]
"""Rows and columns of a map."""


@dataclass(frozen=True)
class DrawingReport:
    """What was drawn, and what could not be."""

    written: list[Path]
    failures: dict[str, str]


@dataclass(frozen=True)
class _Map:
    """
    A map of a feature: some points of its lattice.

    Attributes
    ----------
    grid : Grid
        Its pixel centres are the points.
    row, col, step : int
        Pixel (0, 0) is point (row, col) of the lattice, pixel (1, 1) the one *step*
        further; points beyond the lattice cannot be drawn.
    """

    feature: str
    grid: Grid
    row: int
    col: int
    step: int

    def blocks(self) -> list[Block]:
        return [
            (
                slice(row, min(row + _BLOCK, self.grid.n_rows)),
                slice(col, min(col + _BLOCK, self.grid.n_cols)),
            )
            for row in range(0, self.grid.n_rows, _BLOCK)
            for col in range(0, self.grid.n_cols, _BLOCK)
        ]


def draw(
    experiment: Experiment,
    dataset: BuiltDataset,
    workspace: Workspace,
    progress: Progress | None = None,
) -> DrawingReport:
    """
    Draw what the experiment's drawing description names.

    For every model, feature, output and statistic a GeoTIFF whose pixel centres are the
    points of the lattice; for every model, profile and output a CSV file. NaN, or an
    empty field, where a window reaches beyond its tile, where inputs are not valid
    enough, and outside the outline if it clips. Memory is bounded by blocks.

    Raises
    ------
    DatasetError, ModelError, OutlineError, ExperimentError
        Features, models or profiles do not exist or do not fit; nothing is drawn then.
    WorkspaceError
        Drawings cannot be written, or another command is drawing them.
    """
    progress = progress or Silent()
    description = experiment.drawing_description
    ensembles = _open_ensembles(experiment, dataset, workspace)
    features = dataset.select(description.features)
    epsg = experiment.dataset_description.epsg
    lines = {
        name: read_lines(workspace.profile(name), epsg) for name in description.profiles
    }
    maps = {
        (ensemble.name, feature): _map(experiment, ensemble, dataset, feature)
        for ensemble in ensembles
        for feature in features
    }
    n_blocks = sum(len(drawn.blocks()) for drawn in maps.values())
    progress.start(n_blocks + len(lines) * len(ensembles), "block")
    written: list[Path] = []
    failures: dict[str, str] = {}
    for ensemble in ensembles:
        folder = workspace.drawings(ensemble.name)
        with locked(folder, "drawing into"):
            for feature in features:
                try:
                    written += _draw_feature(
                        experiment,
                        ensemble,
                        dataset,
                        maps[ensemble.name, feature],
                        folder / feature,
                        progress,
                    )
                except (DatasetError, RasterError) as error:
                    logger.error("%s: %s", feature, error)
                    failures[feature] = str(error)
            for name, profile in lines.items():
                written += _draw_profile(
                    experiment, ensemble, dataset, profile, folder / "profiles" / name
                )
                progress.advance(name)
    return DrawingReport(written, failures)


def _open_ensembles(
    experiment: Experiment, dataset: BuiltDataset, workspace: Workspace
) -> list[Ensemble]:
    """Open every model; report all that cannot be used together."""
    ensembles: list[Ensemble] = []
    problems: list[str] = []
    for name in experiment.drawing_description.models:
        try:
            model = read_model(workspace.model(name))
            dataset.check_serves(model.experiment)
        except (ModelError, DatasetError) as error:
            problems.append(str(error))
            continue
        ensemble = Ensemble(model, workspace)
        n_asked = model.experiment.seeds_number
        if not ensemble.seeds:
            problems.append(
                f"{workspace.model(name)}: has no finished member. Must have one at "
                "least. Run 'ginv train'."
            )
        elif len(ensemble.seeds) < n_asked:
            logger.warning(
                "%s: %d of %d members are trained: drawing with them",
                name,
                len(ensemble.seeds),
                n_asked,
            )
        ensembles.append(ensemble)
    if problems:
        raise ModelError("\n".join(problems))
    return ensembles


def _map(
    experiment: Experiment, ensemble: Ensemble, dataset: BuiltDataset, feature: str
) -> _Map:
    """Lay the map of a feature: the outline's bounds, or all that can be drawn."""
    description = experiment.drawing_description
    layout = ensemble.layout
    step = ratio(description.resolution or layout.resolution, layout.resolution)
    if step is None:
        message = (
            f"drawing_description.resolution: {description.resolution} is no whole "
            f"multiple of {layout.resolution:g}, the finest resolution of the model "
            f"{ensemble.name!r}. Must be one. Change it."
        )
        raise ExperimentError(message)
    points = lattice(dataset.grid(feature, layout.resolution), layout.window_px)
    rows, cols = slice(0, points.n_rows), slice(0, points.n_cols)
    if description.clip_to_outline:
        rows, cols = points.covering(dataset.outlines[feature].bounds)
    # points are taken at whole multiples of the step from the CRS's origin, so that
    # the maps of neighbours fit together
    number_y, number_x = (
        math.floor(float(place) / points.resolution + 0.25)  # of a centre or a corner
        for place in (points.y(rows.start), points.x(cols.start))
    )
    row, col = rows.start + number_y % step, cols.start + -number_x % step
    part = points.window(slice(row, row + 1), slice(col, col + 1))
    margin = (step - 1) / 2 * points.resolution
    grid = Grid(
        part.left - margin,
        part.top + margin,
        points.resolution * step,
        max(0, math.ceil((rows.stop - row) / step)),
        max(0, math.ceil((cols.stop - col) / step)),
    )
    return _Map(feature, grid, row, col, step)


@dataclass(frozen=True)
class _BlockOfValues:
    """What the members predict within a block of a map, at its predicted pixels."""

    block: Block
    predicted: NDArray[np.bool_]
    values: dict[str, NDArray[np.float32]]
    targets: dict[str, NDArray[np.float32]]


def _predict_blocks(
    ensemble: Ensemble,
    dataset: BuiltDataset,
    drawn: _Map,
    wanted_in: Callable[[Block], NDArray[np.bool_]],
) -> Iterator[_BlockOfValues | None]:
    """Predict a map block by block; None for a block of which nothing is wanted."""
    experiment, window_px = ensemble.model.experiment, ensemble.layout.window_px
    tile = dataset.grid(drawn.feature, ensemble.layout.resolution)
    points = lattice(tile, window_px)
    align = math.lcm(
        *(experiment.factor(variable) for variable in experiment.variables())
    )
    for block in drawn.blocks():
        rows, cols = (
            np.arange(part.start, part.stop) * drawn.step + first
            for part, first in zip(block, (drawn.row, drawn.col), strict=True)
        )
        wanted = wanted_in(block)
        wanted &= ((rows >= 0) & (rows < points.n_rows))[:, None]
        wanted &= (cols >= 0) & (cols < points.n_cols)
        if not wanted.any():
            yield None
            continue
        rows, cols = rows[wanted.any(axis=1)], cols[wanted.any(axis=0)]
        kept = wanted[np.ix_(wanted.any(axis=1), wanted.any(axis=0))]
        window = [
            _aligned(part, window_px, align, n_px)
            for part, n_px in ((rows, tile.n_rows), (cols, tile.n_cols))
        ]
        tiles = dataset.read_tiles(experiment, drawn.feature, *window)
        at = np.ix_(rows - window[0].start, cols - window[1].start)
        local = lattice(tiles.grid, window_px)
        asked = np.zeros(local.shape, dtype=np.bool_)
        asked[at] = kept
        prediction = ensemble.predict(tiles, asked)
        predicted = wanted.copy()
        predicted[wanted] = prediction.predicted[at][kept]
        yield _BlockOfValues(block, predicted, prediction.values, prediction.targets)


def _aligned(points: NDArray[np.intp], window_px: int, align: int, n_px: int) -> slice:
    """
    Return the finest pixels that the windows of *points* need.

    Whole pixels of every raster, and one more of the coarsest on each side for the
    interpolation of scalars, as far as the tile reaches.
    """
    start = (int(points[0]) // align - 1) * align
    stop = (-(-(int(points[-1]) + window_px) // align) + 1) * align
    return slice(max(start, 0), min(stop, n_px))


def statistic(name: str, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """
    Compute a statistic over the members, in float64.

    Parameters
    ----------
    name : str
        mean, std (ddof 1; NaN of one member), median, min, max, or qNN.
    values : float32 array, shape (n_members, n_points)

    Returns
    -------
    result : float32 array, shape (n_points,)

    Examples
    --------
    >>> statistic("std", np.array([[1], [3]], dtype=np.float32)).round(3).tolist()
    [1.4140000343322754]
    >>> statistic("std", np.array([[1]], dtype=np.float32)).tolist()
    [nan]
    """
    wide = values.astype(np.float64)
    if name == "mean":
        result = wide.mean(axis=0)
    elif name == "std":
        lonely = len(wide) < 2
        result = np.full(wide.shape[1:], np.nan) if lonely else wide.std(axis=0, ddof=1)
    else:
        share = {"min": 0.0, "median": 0.5, "max": 1.0}.get(name)
        share = int(name[1:]) / 100 if share is None else share
        result = np.quantile(wide, share, axis=0)
    return np.asarray(result, dtype=np.float32)


def _draw_feature(
    experiment: Experiment,
    ensemble: Ensemble,
    dataset: BuiltDataset,
    drawn: _Map,
    folder: Path,
    progress: Progress,
) -> list[Path]:
    description = experiment.drawing_description
    if 0 in drawn.grid.shape:
        message = "holds no point of the lattice: it is smaller than a pixel"
        raise DatasetError(message)
    outline = dataset.outlines[drawn.feature]

    def wanted_in(block: Block) -> NDArray[np.bool_]:
        part = drawn.grid.window(*block)
        if description.clip_to_outline:
            return inside([outline], part)
        return np.ones(part.shape, dtype=np.bool_)

    written = {
        (output, name): folder / f"{output}_{name}.tif"
        for output in ensemble.layout.outputs
        for name in description.statistics
    }
    with ExitStack() as stack:
        writers = {
            (output, name): stack.enter_context(
                geotiff_writer(
                    path,
                    drawn.grid,
                    experiment.dataset_description.epsg,
                    _tags(ensemble, output, name),
                    dataset.units.get(output),
                )
            )
            for (output, name), path in written.items()
        }
        for values in _predict_blocks(ensemble, dataset, drawn, wanted_in):
            progress.advance(drawn.feature)
            if values is None:
                continue
            for (output, name), write in writers.items():
                image = np.full(values.predicted.shape, np.nan, dtype=np.float32)
                image[values.predicted] = statistic(name, values.values[output])
                write(image, *values.block)
    return list(written.values())


def _tags(ensemble: Ensemble, output: str, name: str) -> dict[str, str]:
    tags = {
        "model": ensemble.name,
        "output": output,
        "statistic": name,
        "members": str(len(ensemble.seeds)),
        "seeds": " ".join(map(str, ensemble.seeds)),
        "software": f"glacier_inversion {glacier_inversion.__version__}",
    }
    return {**tags, "ddof": "1"} if name == "std" else tags


@dataclass(frozen=True)
class _Profile:
    """Places along lines: one row a place."""

    line: NDArray[np.intp]
    distance: NDArray[np.float64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]

    @classmethod
    def along(cls, lines: Iterable[shapely.LineString], step: float) -> _Profile:
        """Go along each line in steps, from its first point on."""
        parts = []
        for number, line in enumerate(lines):
            distance = np.arange(0.0, line.length, step)
            places = shapely.get_coordinates(
                shapely.line_interpolate_point(line, distance)
            )
            parts.append(
                np.column_stack([np.full(len(distance), number), distance, places])
            )
        line_of, distance, x, y = np.concatenate(parts).T
        return cls(line_of.astype(np.intp), distance, x, y)


def _draw_profile(
    experiment: Experiment,
    ensemble: Ensemble,
    dataset: BuiltDataset,
    lines: list[shapely.LineString],
    path: Path,
) -> list[Path]:
    """Write a CSV file per output: each place has the values of the pixel it is in."""
    description = experiment.drawing_description
    step = description.resolution or ensemble.layout.resolution
    profile = _Profile.along(lines, step)
    feature_of = np.full(len(profile.x), "", dtype=object)
    columns = {
        output: {
            name: np.full(len(profile.x), np.nan)
            for name in (*description.statistics, "target")
        }
        for output in ensemble.layout.outputs
    }
    for feature in dataset.features_touching(shapely.union_all(lines)):
        within = shapely.contains_xy(dataset.outlines[feature], profile.x, profile.y)
        feature_of[within] = feature
        drawn = _map(experiment, ensemble, dataset, feature)
        row, col = drawn.grid.index(profile.x, profile.y)
        within &= (row >= 0) & (row < drawn.grid.n_rows)
        within &= (col >= 0) & (col < drawn.grid.n_cols)

        def wanted_in(
            block: Block,
            row: NDArray[np.intp] = row[within],
            col: NDArray[np.intp] = col[within],
        ) -> NDArray[np.bool_]:
            rows, cols = block
            here = (row >= rows.start) & (row < rows.stop)
            here &= (col >= cols.start) & (col < cols.stop)
            wanted = np.zeros(
                (rows.stop - rows.start, cols.stop - cols.start), np.bool_
            )
            wanted[row[here] - rows.start, col[here] - cols.start] = True
            return wanted

        for values in _predict_blocks(ensemble, dataset, drawn, wanted_in):
            if values is not None:
                _fill(columns, values, row, col, within)
    written = []
    for output, own in columns.items():
        file = path.with_name(f"{path.name}_{output}.csv")
        _write_profile(file, profile, feature_of, own)
        written.append(file)
    return written


def _fill(
    columns: dict[str, dict[str, NDArray[np.float64]]],
    values: _BlockOfValues,
    row: NDArray[np.intp],
    col: NDArray[np.intp],
    within: NDArray[np.bool_],
) -> None:
    """Copy a block's values to the places that lie in it."""
    rows, cols = values.block
    number = np.full(values.predicted.shape, -1)
    number[values.predicted] = np.arange(np.count_nonzero(values.predicted))
    here = within & (row >= rows.start) & (row < rows.stop)
    here &= (col >= cols.start) & (col < cols.stop)
    places = np.flatnonzero(here)
    found = number[row[places] - rows.start, col[places] - cols.start]
    places, found = places[found >= 0], found[found >= 0]
    for output, own in columns.items():
        for name, column in own.items():
            known = (
                values.targets[output]
                if name == "target"
                else statistic(name, values.values[output])
            )
            column[places] = known[found]


def _write_profile(
    path: Path,
    profile: _Profile,
    feature_of: NDArray[np.object_],
    columns: dict[str, NDArray[np.float64]],
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["line", "distance", "x", "y", "feature", *columns])
    for i in range(len(profile.x)):
        places = [f"{v[i]:.3f}" for v in (profile.distance, profile.x, profile.y)]
        values = ["" if np.isnan(c[i]) else f"{c[i]:.7g}" for c in columns.values()]
        writer.writerow([profile.line[i], *places, feature_of[i], *values])
    with replacing(path) as scratch:
        scratch.write_text(text.getvalue(), encoding="utf-8")
