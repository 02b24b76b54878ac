"""Predict with a trained ensemble at points of a lattice, patch by patch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from glacier_inversion.lattices import Layout, to_lattice
from glacier_inversion.patches import PatchSource
from glacier_inversion.tiles import Tiles
from glacier_inversion.training.model import Model, finished_seeds, read_member
from glacier_inversion.training.network import Network
from glacier_inversion.training.threads import map_in_threads
from glacier_inversion.workspace import Workspace

# Patches of a batch stay in the processor's caches: 64 of them are faster than 1,024.
BATCH = 64


@dataclass(frozen=True)
class Prediction:
    """
    What an ensemble predicts at points of a lattice.

    Attributes
    ----------
    predicted : bool array, shape of the lattice
        The points that were wanted and whose inputs are valid enough.
    values : dict of float32 arrays, shape (n_members, n_points), by output
        In the outputs' units, points in row-major order.
    targets : dict of float32 arrays, by output
        Of all points that were wanted, in row-major order, NaN where unknown.
    """

    predicted: NDArray[np.bool_]
    values: dict[str, NDArray[np.float32]]
    targets: dict[str, NDArray[np.float32]]


class Ensemble:
    """
    The finished members of a model.

    Members are streamed: one network is in memory, and takes the weights of one member
    after the other.

    Parameters
    ----------
    name : str
        The model's folder, which may have been renamed since it was trained.
    model : Model
    workspace : Workspace
    """

    def __init__(self, name: str, model: Model, workspace: Workspace) -> None:
        self.name = name
        self.model = model
        self.workspace = workspace
        self.layout = Layout.of(model.experiment)
        self.seeds = finished_seeds(workspace, self.name)
        with torch.random.fork_rng(devices=[]):
            self._network = Network(model.experiment)

    def predict(self, tiles: Tiles, wanted: NDArray[np.bool_]) -> Prediction:
        """
        Predict the outputs of every member at points of the tiles' lattice.

        Parameters
        ----------
        tiles : Tiles
            Of a feature, or a window of it.
        wanted : bool array, shape of the lattice
        """
        part = to_lattice(tiles, self.layout)
        predicted = wanted & part.usable
        row, col = np.nonzero(predicted)
        points = torch.from_numpy(np.stack([np.zeros_like(row), row, col], axis=1))
        source = PatchSource([part], self.layout, self.model.scales)
        shape = (len(self.seeds), len(points))
        values = {name: np.empty(shape, np.float32) for name in self.layout.outputs}
        if len(points):
            for number, network in enumerate(self._members()):
                for name, new in self._predict_member(network, source, points).items():
                    values[name][number] = new
        targets = {name: known[wanted] for name, known in part.targets.items()}
        return Prediction(predicted, values, targets)

    def _members(self) -> Iterator[Network]:
        for seed in self.seeds:
            yield read_member(self._network, self.workspace, self.name, seed)

    def _predict_member(
        self, network: Network, source: PatchSource, points: torch.Tensor
    ) -> dict[str, NDArray[np.float32]]:
        def predict_batch(batch: torch.Tensor) -> dict[str, torch.Tensor]:
            with torch.inference_mode():  # of a thread, not of the process
                predictions = network(source.gather(batch))
                return {name: values[:, 0] for name, values in predictions.items()}

        parts = map_in_threads(predict_batch, torch.split(points, BATCH))
        return {
            name: torch.cat([part[name] for part in parts]).numpy()
            * np.float32(self.model.scales[name].std)
            for name in self.layout.outputs
        }
