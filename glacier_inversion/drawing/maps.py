"""Maps of a feature: where their pixels lie, and what is predicted in each block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from glacier_inversion.dataset.opened import BuiltDataset
from glacier_inversion.drawing.calibrated import CalibratedOutput, is_calibrated
from glacier_inversion.drawing.map_grids import map_grid, step_of
from glacier_inversion.experiment.application import Application
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.experiment.sections import APPLICABILITY, NOISE
from glacier_inversion.grid import Grid, lattice
from glacier_inversion.patches.lattice import needed_pixels
from glacier_inversion.training.model.ensemble import Ensemble
from glacier_inversion.training.model.member_statistics import statistic
from glacier_inversion.training.model.prediction import Prediction

Window = tuple[slice, slice]
"""Rows and columns of a map."""


@dataclass(frozen=True)
class MapExtent:
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

    def points(self, block: Window) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the rows and columns of the lattice that a window's pixels are."""
        rows, cols = (np.arange(part.start, part.stop) for part in block)
        return rows * self.step + self.row, cols * self.step + self.col

    def is_on(self, lattice: Grid, block: Window) -> NDArray[np.bool_]:
        """Tell which of a window's pixels are points of a lattice: bool, its shape."""
        rows, cols = self.points(block)
        is_row = (rows >= 0) & (rows < lattice.n_rows)
        is_col = (cols >= 0) & (cols < lattice.n_cols)
        return is_row[:, None] & is_col

    def blocks(self, block_px: int) -> list[Window]:
        """Return the windows of so many points that it is drawn in, in order."""
        side = max(block_px // self.step, 1)
        return [
            (
                slice(row, min(row + side, self.grid.n_rows)),
                slice(col, min(col + side, self.grid.n_cols)),
            )
            for row in range(0, self.grid.n_rows, side)
            for col in range(0, self.grid.n_cols, side)
        ]


def lay_map(
    experiment: Experiment | Application,
    ensemble: Ensemble,
    dataset: BuiltDataset,
    feature: str,
    clip: bool,
) -> MapExtent:
    """
    Lay the map of a feature.

    Parameters
    ----------
    clip : bool
        Cover the bounds of the outline, with the pixels that have their centre in them;
        else all that can be drawn.
    """
    description = experiment.drawing_description
    layout = ensemble.layout
    step = step_of(description.resolution, layout.resolution, ensemble.name)
    points = lattice(dataset.grid(feature, layout.resolution), layout.window_px)
    within = dataset.outlines[feature].bounds if clip else None
    grid, row, col = map_grid(points, step, within)
    return MapExtent(feature, grid, row, col, step)


@dataclass(frozen=True)
class PredictedBlock:
    """
    What the members predict within a block of a map.

    Attributes
    ----------
    wanted, predicted : bool arrays, shape of the block
        Predicted are those of the wanted pixels whose inputs are valid enough.
    values : dict of float32 arrays, shape (n_members, n_predicted), by output
    targets : dict of float32 arrays, shape (n_wanted,), by output
        Of those that there is a raster of.
    lacking : dict of bool arrays, shape (n_wanted,), by input
        Its patch has too few valid pixels; empty where all that is wanted is predicted.
    calibrated : dict of CalibratedOutput, by output
        At the predicted pixels; empty where the ensemble has no calibration.
    surface : float32 array, shape of the block, optional
        What a bed among the outputs lies below, metres, NaN where unknown.
    noise : dict of float32 arrays, shape (n_predicted,), by output
        As `Prediction` has it.
    dissimilarity : float32 array, shape (n_predicted,), optional
        As `Prediction` has it.
    """

    block: Window
    wanted: NDArray[np.bool_]
    predicted: NDArray[np.bool_]
    values: dict[str, NDArray[np.float32]]
    targets: dict[str, NDArray[np.float32]]
    lacking: dict[str, NDArray[np.bool_]]
    calibrated: dict[str, CalibratedOutput] = field(default_factory=dict)
    surface: NDArray[np.float32] | None = None
    noise: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    dissimilarity: NDArray[np.float32] | None = None

    def image(self, output: str, name: str) -> NDArray[np.float32]:
        """
        Return a statistic at the block's pixels, else NaN.

        Or the 'target', or the 'surface' of a bed, at all of them that are wanted.
        """
        image = np.full(self.wanted.shape, np.nan, dtype=np.float32)
        if name == "surface":
            if self.surface is not None:
                image[self.wanted] = self.surface[self.wanted]
        elif name == "target":
            if output in self.targets:
                image[self.wanted] = self.targets[output]
        elif is_calibrated(name):
            image[self.predicted] = self.calibrated[output].statistic(name)
        elif name == APPLICABILITY:
            if self.dissimilarity is not None:
                image[self.predicted] = self.dissimilarity
        elif name == NOISE:
            image[self.predicted] = np.sqrt(self.noise[output])
        else:
            image[self.predicted] = statistic(name, self.values[output])
        return image


def predict_blocks(
    ensemble: Ensemble,
    dataset: BuiltDataset,
    extent: MapExtent,
    wanted_in: Callable[[Window], NDArray[np.bool_]],
    with_targets: bool = False,
) -> Iterator[PredictedBlock | None]:
    """
    Predict a map block by block; None for a block of which nothing is wanted.

    Raises
    ------
    DatasetError
        A tile is not the one that was built.
    """
    inputs = [variable.name for variable in ensemble.model.experiment.inputs]
    dataset.check_tiles(extent.feature, inputs)
    tile = dataset.grid(extent.feature, ensemble.layout.resolution)
    points = lattice(tile, ensemble.layout.window_px)
    calibration = ensemble.calibration
    calibrations = calibration.outputs if calibration is not None else {}
    for block in extent.blocks(ensemble.device.block_px):
        rows, cols = extent.points(block)
        wanted = wanted_in(block) & extent.is_on(points, block)
        if not wanted.any():
            yield None
            continue
        of_block = predict_window(
            ensemble, dataset, extent.feature, rows, cols, wanted, with_targets
        )
        yield PredictedBlock(
            block,
            wanted,
            of_block.predicted,
            of_block.values,
            of_block.targets,
            of_block.lacking,
            {
                output: CalibratedOutput(
                    of_output,
                    of_block.values[output],
                    noise=of_block.noise.get(output),
                )
                for output, of_output in calibrations.items()
            },
            noise=of_block.noise,
            dissimilarity=of_block.dissimilarity,
        )


def predict_window(
    ensemble: Ensemble,
    dataset: BuiltDataset,
    feature: str,
    rows: NDArray[np.intp],
    cols: NDArray[np.intp],
    wanted: NDArray[np.bool_],
    with_targets: bool = False,
) -> Prediction:
    """
    Predict some points of a feature's lattice; no more than they need is read.

    Parameters
    ----------
    rows, cols : arrays of int, shapes (n_rows,) and (n_cols,)
        Of the lattice, in order.
    wanted : bool array, shape (n_rows, n_cols)
        One at least, and none beyond the lattice.

    Returns
    -------
    prediction : Prediction
        `predicted` has the shape of *wanted*.
    """
    experiment, window_px = ensemble.model.experiment, ensemble.layout.window_px
    tile = dataset.grid(feature, ensemble.layout.resolution)
    any_row, any_col = wanted.any(axis=1), wanted.any(axis=0)
    rows, cols, kept = rows[any_row], cols[any_col], wanted[np.ix_(any_row, any_col)]
    window = [
        needed_pixels(part, window_px, ensemble.align, n_px)
        for part, n_px in ((rows, tile.n_rows), (cols, tile.n_cols))
    ]
    tiles = dataset.read_tiles(experiment, feature, window[0], window[1], with_targets)
    at = np.ix_(rows - window[0].start, cols - window[1].start)
    asked = np.zeros(lattice(tiles.grid, window_px).shape, dtype=np.bool_)
    asked[at] = kept
    prediction = ensemble.predict_at(tiles, asked)
    predicted = wanted.copy()
    predicted[wanted] = prediction.predicted[at][kept]
    return replace(prediction, predicted=predicted)
