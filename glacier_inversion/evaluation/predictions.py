"""The known pixels of features, and what is predicted at their centres."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import shapely

from glacier_inversion.dataset.opened import BuiltDataset
from glacier_inversion.errors import DatasetError, RasterError
from glacier_inversion.evaluation.at_pixels import (
    Floats,
    Places,
    PredictedPixels,
    predict_at_pixels,
)
from glacier_inversion.evaluation.pixels import KnownPixels, first_of_each
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.geodata.geotiffs import read_tile
from glacier_inversion.grid import Grid
from glacier_inversion.patches.interpolation import read_at
from glacier_inversion.progress import Progress
from glacier_inversion.training.model.ensemble import Ensemble
from glacier_inversion.training.network.devices import CPU
from glacier_inversion.workspace import tile_path


@dataclass(frozen=True)
class KnownPart:
    """
    Known pixels of a part of one feature.

    Attributes
    ----------
    x, y : float64 array, shape (n_pixels,), CRS units
    observed : float64 array, shape (n_pixels,), the output's unit
    rasters : dict of float64 array, shape (n_pixels,)
    members : float64 array, shape (n_members, n_pixels)
    noise : float64 array, shape (n_pixels,)
        As `KnownPixels` has both.
    """

    x: Floats
    y: Floats
    observed: Floats
    rasters: dict[str, Floats]
    members: Floats
    noise: Floats


Parts = list[tuple[str, KnownPart]]
"""The known pixels of a feature, block by block, each with its output."""


def read_known_pixels(
    experiment: Experiment,
    dataset: BuiltDataset,
    features: Sequence[str],
    rasters: Mapping[str, Sequence[str]],
    progress: Progress,
    *,
    ensemble: Ensemble | None = None,
    failures: dict[str, str] | None = None,
    read: Mapping[str, Parts | str] | None = None,
) -> dict[str, KnownPixels]:
    """
    Read where outputs are known, and predict there, in blocks of bounded memory.

    A pixel is a feature's as in training: see `dataset.ownership`. One outside every
    outline that lies in the tiles of several features counts for the first of them, and
    does not count where nothing can be predicted: towards a tile's sides nothing can.

    Parameters
    ----------
    experiment : Experiment
        The model's.
    rasters : mapping of sequences of str
        Of other rasters to read there, by output.
    ensemble : Ensemble, optional
        What predicts, as `predict_at_pixels` does.
    failures : dict, optional
        Takes down why features could not be read. Without it, that is raised.
    read : mapping, optional
        What `read_feature` has returned of each feature, or why it could not.

    Returns
    -------
    pixels : dict of KnownPixels
        By output, of those that there is a raster of.

    Raises
    ------
    DatasetError
        Tiles are not those that were built, all of them named.
    """
    outputs = [v for v in experiment.outputs if dataset.has_truth(v)]
    if failures is None:
        names = _rasters_read(experiment, dataset, rasters, ensemble)
        dataset.check_features(features, names)
    parts: dict[str, list[tuple[int, KnownPart]]] = {v.name: [] for v in outputs}
    for number, feature in enumerate(features):
        try:
            if read is None:
                found = read_feature(experiment, dataset, feature, rasters, ensemble)
            else:
                found = _taken(read[feature])
            for name, part in found:
                parts[name].append((number, part))
        except (DatasetError, RasterError) as error:
            if failures is None:
                raise
            failures[feature] = str(error)
        progress.advance(feature)
    n_members = len(ensemble.seeds) if ensemble else 0
    return {
        variable.name: _joined(
            list(features),
            parts[variable.name],
            rasters.get(variable.name, ()),
            n_members,
            variable.resolution,
        )
        for variable in outputs
    }


def _taken(read: Parts | str) -> Parts:
    if isinstance(read, str):
        raise DatasetError(read)
    return read


def read_feature(
    experiment: Experiment,
    dataset: BuiltDataset,
    feature: str,
    rasters: Mapping[str, Sequence[str]],
    ensemble: Ensemble | None,
) -> Parts:
    """
    Read and predict the known pixels of one feature, as `read_known_pixels` does.

    Raises
    ------
    DatasetError, RasterError
        A tile is not the one that was built, or cannot be read.
    """
    blocks = _read_blocks(experiment, dataset, feature, rasters, ensemble)
    return [(name, part) for block in blocks for name, part in block.items()]


def _read_blocks(
    experiment: Experiment,
    dataset: BuiltDataset,
    feature: str,
    rasters: Mapping[str, Sequence[str]],
    ensemble: Ensemble | None,
) -> Iterator[dict[str, KnownPart]]:
    """Yield the known pixels of a feature, block by block, by output."""
    outputs = {v.name: v for v in experiment.outputs if dataset.has_truth(v)}
    read = _rasters_read(experiment, dataset, rasters, ensemble)
    dataset.check_tiles(feature, read)
    grid = dataset.grid(feature, experiment.finest_resolution)
    for rows, cols in _blocks(experiment, grid, ensemble):
        targets = dataset.read_targets(experiment, feature, rows, cols)
        places: dict[str, Places] = {}
        observed: dict[str, Floats] = {}
        for name, target in targets.items():
            row, col = np.nonzero(np.isfinite(target))
            if not len(row):
                continue
            observed[name] = target[row, col].astype(np.float64)
            factor = experiment.factor(outputs[name])
            places[name] = row + rows.start // factor, col + cols.start // factor
        if not places:
            continue
        if ensemble is not None:
            predicted = predict_at_pixels(ensemble, dataset, feature, places)
        else:
            predicted = {
                n: PredictedPixels.nowhere(0, len(row))
                for n, (row, _) in places.items()
            }
        block = {}
        for name, (row, col) in places.items():
            own_grid = dataset.grid(feature, outputs[name].resolution)
            x, y = own_grid.x(col), own_grid.y(row)
            members, noise = predicted[name]
            counts = np.isfinite(members).all(axis=0)
            counts |= shapely.contains_xy(dataset.outlines[feature], x, y)
            x, y = x[counts], y[counts]
            others = {
                raster: _read_raster(dataset, feature, raster, x, y)
                for raster in rasters.get(name, ())
            }
            block[name] = KnownPart(
                x, y, observed[name][counts], others, members[:, counts], noise[counts]
            )
        yield block


def _rasters_read(
    experiment: Experiment,
    dataset: BuiltDataset,
    rasters: Mapping[str, Sequence[str]],
    ensemble: Ensemble | None,
) -> list[str]:
    """Return the names of the rasters whose tiles are read of each feature."""
    read = [v.name for v in experiment.outputs if dataset.has_truth(v)]
    read += itertools.chain.from_iterable(rasters.values())
    if ensemble is not None:
        read += [variable.name for variable in experiment.inputs]
    return read


def _blocks(
    experiment: Experiment, grid: Grid, ensemble: Ensemble | None
) -> Iterator[tuple[slice, slice]]:
    """Cut a tile into whole pixels of all its rasters, in finest pixels."""
    align = math.lcm(*(experiment.factor(v) for v in experiment.variables()))
    block_px = (ensemble.device if ensemble else CPU).block_px
    side = max(block_px // align, 1) * align
    for row in range(0, grid.n_rows, side):
        for col in range(0, grid.n_cols, side):
            yield (
                slice(row, min(row + side, grid.n_rows)),
                slice(col, min(col + side, grid.n_cols)),
            )


def _read_raster(
    dataset: BuiltDataset, feature: str, raster: str, x: Floats, y: Floats
) -> Floats:
    """Read a feature's tile at points; no more of it than they need."""
    if not len(x):
        return np.empty(0)
    grid = dataset.grid(feature, dataset.resolutions[raster])
    rows, cols = (
        slice(max(int(i.min()) - 1, 0), min(int(i.max()) + 2, n_px))
        for i, n_px in zip(grid.index(x, y), grid.shape, strict=True)
    )
    values = read_tile(tile_path(dataset.folder, feature, raster), rows, cols)
    return read_at(values, grid.window(rows, cols), x, y)


def _joined(
    features: list[str],
    parts: list[tuple[int, KnownPart]],
    rasters: Sequence[str],
    n_members: int,
    resolution: float,
) -> KnownPixels:
    """Put the pixels of features together, each once."""
    nothing = KnownPart(
        np.empty(0),
        np.empty(0),
        np.empty(0),
        {name: np.empty(0) for name in rasters},
        np.empty((n_members, 0)),
        np.empty(0),
    )
    parts = [(0, nothing), *parts]
    of = np.concatenate([np.full(len(p.x), number) for number, p in parts])
    x, y, observed, noise = (
        np.concatenate([getattr(part, name) for _, part in parts])
        for name in ("x", "y", "observed", "noise")
    )
    joined = KnownPixels(
        features,
        of,
        x,
        y,
        observed,
        {
            name: np.concatenate([part.rasters[name] for _, part in parts])
            for name in rasters
        },
        np.concatenate([part.members for _, part in parts], axis=1),
        noise,
    )
    return joined.take(first_of_each(x, y, resolution))
