"""Predict with a trained ensemble at points of a lattice."""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from affine import Affine
from numpy.typing import ArrayLike, NDArray

from glacier_inversion.choices import DrawingMethod
from glacier_inversion.errors import DeviceMemoryError
from glacier_inversion.grid import lattice
from glacier_inversion.patches.lattice import (
    LatticeTiles,
    Layout,
    find_valid,
    needed_pixels,
    to_lattice,
)
from glacier_inversion.patches.patch_statistics import lattice_statistics
from glacier_inversion.patches.tiles import Tiles, tiles_of_arrays
from glacier_inversion.training.model.applicability import Applicability
from glacier_inversion.training.model.calibration import Calibration
from glacier_inversion.training.model.member_statistics import PredictedMap
from glacier_inversion.training.model.members import (
    digest_members,
)
from glacier_inversion.training.model.model import Model, finished_seeds, read_member
from glacier_inversion.training.model.normalization import (
    in_own_unit,
    variance_in_own_unit,
)
from glacier_inversion.training.model.prediction import Floats, Prediction
from glacier_inversion.training.network.dense import plan_dense
from glacier_inversion.training.network.devices import CPU, Device, watching_gpu
from glacier_inversion.training.network.kept_memory import keep_freed_memory
from glacier_inversion.training.network.network import Network
from glacier_inversion.training.network.predict import BlockInputs, predict_points

logger = logging.getLogger(__name__)

MOST_WEIGHTS = 2**30
"""Weights that are in memory at once, bytes: those of all members, as a rule."""


class Ensemble:
    """
    The finished members of a model.

    Parameters
    ----------
    folder : Path
        The model's, which may have been renamed since it was trained.
    model : Model
    method : {"auto", "dense", "patches"}
        How points are evaluated; see `predict_points`.
    device : Device

    Attributes
    ----------
    name : str
        The folder's.
    seeds : list of int
        Of the finished members.
    plan : DensePlan
        How far a dense pass is exact.
    align : int
        The least common multiple of the rasters' pixels, in finest pixels.
    calibration : Calibration or None
        How far it errs. None unless who uses the ensemble has read it.
    applicability : Applicability or None
        What it was trained on, likewise.
    """

    def __init__(
        self,
        folder: Path,
        model: Model,
        method: DrawingMethod = "auto",
        device: Device = CPU,
    ) -> None:
        self.folder = folder
        self.name = folder.name
        self.model = model
        self.method = method
        self.layout = Layout.of(model.experiment)
        variables = model.experiment.variables()
        self.align = math.lcm(*(model.experiment.factor(v) for v in variables))
        self.seeds = finished_seeds(folder)
        with torch.random.fork_rng(devices=[]):
            self._network = Network(model.experiment).eval()
        self._n_bytes = sum(w.nbytes for w in self._network.parameters())
        self.plan = plan_dense(self._network, self.layout)
        self.device = device
        self.calibration: Calibration | None = None
        self.applicability: Applicability | None = None
        self._given = device  # less at once where its memory has not sufficed
        self._loaded_seeds: list[int] = []
        self._loaded: list[Network] = []

    @cached_property
    def digest(self) -> str:
        """
        What its predictions follow from, as a digest: network, normalisation, weights.

        Raises
        ------
        ModelError
            Weights are not those that were written.
        """
        return digest_members(self.folder, self.seeds, self.model.identity)

    def predict(
        self, inputs: Mapping[str, ArrayLike], transform: Affine | Sequence[float]
    ) -> dict[str, PredictedMap]:
        """
        Predict the outputs wherever the arrays hold the patch around a point.

        Parameters
        ----------
        inputs : mapping of arrays, shape (n_rows, n_cols) each
            Every input of the model by its name, in the unit and at the resolution that
            it was trained with, NaN or masked where unknown. All cover the same ground:
            the n_rows of one are those of another times the ratio of their resolutions.
        transform : affine.Affine, or its first six numbers
            From (col, row) of the finest input to (x, y): north up.

        Returns
        -------
        maps : dict of PredictedMap
            By output. A pixel's centre is the point that is predicted: with an even
            number of pixels in the patch a corner of the finest pixels. NaN where fewer
            inputs are known than training asked for.

        Raises
        ------
        ValueError
            An input is missing or unknown, or the arrays do not fit the model.
        DeviceError
            The GPU fails, or its memory does not suffice.
        """
        tiles = tiles_of_arrays(self.model.experiment, inputs, transform)
        points = lattice(tiles.grid, self.layout.window_px)
        shape = len(self.seeds), *points.shape
        members = {o: np.full(shape, np.nan, np.float32) for o in self.layout.outputs}
        noises: dict[str, Floats] = {}
        side = self.device.block_px
        for row in range(0, points.n_rows, side):
            for col in range(0, points.n_cols, side):
                rows = np.arange(row, min(row + side, points.n_rows))
                cols = np.arange(col, min(col + side, points.n_cols))
                part, at = self._part(tiles, rows, cols)
                wanted = np.zeros(lattice(part.grid, self.layout.window_px).shape, bool)
                wanted[at] = True
                prediction = self.predict_at(part, wanted)
                for output, image in members.items():
                    block = image[:, row : row + side, col : col + side]
                    block[:, prediction.predicted[at]] = prediction.values[output]
                for output, variance in prediction.noise.items():
                    image = noises.setdefault(
                        output, np.full(shape[1:], np.nan, np.float32)
                    )
                    block = image[row : row + side, col : col + side]
                    block[prediction.predicted[at]] = np.sqrt(variance)
        of_points = Affine(*points.transform)
        return {
            output: PredictedMap(image, of_points, noises.get(output))
            for output, image in members.items()
        }

    def _part(
        self, tiles: Tiles, rows: NDArray[np.intp], cols: NDArray[np.intp]
    ) -> tuple[Tiles, tuple[NDArray[np.intp], ...]]:
        """Return what some points need of tiles, and where they lie in its lattice."""
        window_px, grid = self.layout.window_px, tiles.grid
        needed = [
            needed_pixels(part, window_px, self.align, n_px)
            for part, n_px in ((rows, grid.n_rows), (cols, grid.n_cols))
        ]
        inputs = {}
        for variable in self.model.experiment.inputs:
            factor = self.model.experiment.factor(variable)
            own = (slice(n.start // factor, n.stop // factor) for n in needed)
            inputs[variable.name] = tiles.inputs[variable.name][tuple(own)]
        at = np.ix_(rows - needed[0].start, cols - needed[1].start)
        return replace(tiles, grid=grid.window(*needed), inputs=inputs), at

    def predict_at(self, tiles: Tiles, wanted: NDArray[np.bool_]) -> Prediction:
        """
        Predict the outputs of every member at points of the tiles' lattice.

        Parameters
        ----------
        tiles : Tiles
            Of a feature, or a window of it.
        wanted : bool array, shape of the lattice

        Raises
        ------
        DeviceMemoryError
            The GPU's memory does not suffice, however little is computed at once.
        DeviceError
            The GPU fails.
        """
        if not self.device.is_gpu:
            keep_freed_memory()
        part = to_lattice(tiles, self.layout)
        predicted = wanted & part.usable
        while True:
            try:
                with watching_gpu(self._need()):
                    values, noise = self._evaluate(part, predicted)
                break
            except DeviceMemoryError as error:
                self._use_less(error)
        targets = {name: known[wanted] for name, known in part.targets.items()}
        lacking = {}
        if (wanted & ~predicted).any():
            found = find_valid(part.images, part.scalars, self.layout, part.points)
            lacking = {name: ~is_valid[wanted] for name, is_valid in found}
        dissimilarity = None
        if self.applicability is not None:
            scales = self.model.scales.inputs
            statistics = lattice_statistics(part, self.layout, scales)[predicted]
            dissimilarity = self.applicability.dissimilarity(statistics)
        return Prediction(predicted, values, noise, targets, lacking, dissimilarity)

    def _need(self) -> str:
        side = self._given.block_px
        return (
            f"Must hold a block of {side} x {side} points. Stop what else it computes, "
            "or say --device cpu."
        )

    def _use_less(self, error: DeviceMemoryError) -> None:
        """Give the GPU less at once from now on; raise where that is too little."""
        smaller = self._given.smaller()
        if smaller is None:
            raise error
        logger.warning(
            "%s It is given blocks of %d x %d points from now on",
            str(error).partition(" Must ")[0],
            smaller.block_px,
            smaller.block_px,
        )
        self._given = smaller
        self._loaded_seeds, self._loaded = [], []

    def _evaluate(
        self, part: LatticeTiles, predicted: NDArray[np.bool_]
    ) -> tuple[dict[str, Floats], dict[str, Floats]]:
        """Return values and noise at points, as `Prediction` has them."""
        numbers = np.cumsum(predicted).reshape(predicted.shape) - 1
        shape = len(self.seeds), int(predicted.sum())
        values = {name: np.empty(shape, np.float32) for name in self.layout.outputs}
        variances = {  # the sums over the members
            name: np.zeros(shape[1])
            for name, n_units in self._network.n_units.items()
            if n_units == 2
        }
        first, scales, losses = 0, self.model.scales, self.model.experiment.losses_name
        for networks in self._groups() if predicted.any() else ():
            members = slice(first, first + len(networks))
            first = members.stop
            for rows, cols in self._pieces(predicted):
                own = _window(part, self.layout, rows, cols)
                device = self._given.torch_device
                block = BlockInputs(own, self.layout, scales.inputs, device)
                here = predicted[rows, cols]
                new = predict_points(
                    networks, block, here, self.plan, self.method, self._given
                )
                places = numbers[rows, cols][here]
                for output in self.model.experiment.outputs:
                    name, of_piece = output.name, new[output.name]
                    loss, scale = losses[name], scales.outputs[name]
                    own_unit = in_own_unit(of_piece[:, 0], output, loss, scale)
                    values[name][members, places] = own_unit.numpy()
                    if name in variances:
                        variance = variance_in_own_unit(of_piece[:, 1], scale)
                        variances[name][places] += variance.sum(dim=0).numpy()
        noise = {
            name: (total / len(self.seeds)).astype(np.float32)
            for name, total in variances.items()
        }
        return values, noise

    def _pieces(self, predicted: NDArray[np.bool_]) -> Iterator[tuple[slice, slice]]:
        """Cut what is predicted as memory asks for: not at all, as a rule."""
        n_rows, n_cols = predicted.shape
        side = self._given.block_px
        if self._given is self.device:
            side = max(n_rows, n_cols)
        for row in range(0, n_rows, side):
            for col in range(0, n_cols, side):
                piece = slice(row, row + side), slice(col, col + side)
                if predicted[piece].any():
                    yield piece

    def _groups(self) -> Iterator[list[Network]]:
        """Load as many members at once as memory is given to; all, as a rule, once."""
        most = MOST_WEIGHTS * self._given.block_px // self.device.block_px
        n_at_once = max(1, most // self._n_bytes)
        for begin in range(0, len(self.seeds), n_at_once):
            seeds = self.seeds[begin : begin + n_at_once]
            if self._loaded_seeds != seeds:
                self._loaded_seeds = []
                self._loaded.clear()  # who was given them has them no longer either
                for seed in seeds:
                    network = copy.deepcopy(self._network)
                    read_member(network, self.folder, seed, self.model.identity)
                    self._loaded.append(network.to(self.device.torch_device))
                self._loaded_seeds = seeds
            yield self._loaded


def _window(
    part: LatticeTiles, layout: Layout, rows: slice, cols: slice
) -> LatticeTiles:
    """Return the inputs of some of the points."""

    def inputs_of(image: Floats, margin: int) -> Floats:
        return image[rows.start : rows.stop + margin, cols.start : cols.stop + margin]

    images = {
        name: inputs_of(part.images[name], (layout.patch_px(name) - 1) * factor)
        for name, factor in layout.images.items()
    }
    scalars = {name: values[rows, cols] for name, values in part.scalars.items()}
    return replace(part, images=images, scalars=scalars)
