"""Predict with a trained ensemble at points of a lattice."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from glacier_inversion.choices import DrawingMethod
from glacier_inversion.lattices import Layout, to_lattice
from glacier_inversion.tiles import Tiles
from glacier_inversion.training.dense import make_plan
from glacier_inversion.training.devices import CPU, Device
from glacier_inversion.training.evaluation import Block, predict_points
from glacier_inversion.training.model import Model, finished_seeds, read_member
from glacier_inversion.training.network import Network
from glacier_inversion.training.normalization import in_own_unit
from glacier_inversion.workspace import Workspace

MOST_WEIGHTS = 2**30
"""Weights that are in memory at once, bytes: those of all members, as a rule."""

Floats = NDArray[np.float32]


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
    values: dict[str, Floats]
    targets: dict[str, Floats]


class Ensemble:
    """
    The finished members of a model.

    Parameters
    ----------
    name : str
        The model's folder, which may have been renamed since it was trained.
    model : Model
    workspace : Workspace
    method : {"auto", "dense", "patches"}
        How points are evaluated; see `predict_points`.
    device : Device

    Attributes
    ----------
    plan : Plan
        How far a dense pass is exact.
    """

    def __init__(
        self,
        name: str,
        model: Model,
        workspace: Workspace,
        method: DrawingMethod = "auto",
        device: Device = CPU,
    ) -> None:
        self.name = name
        self.model = model
        self.workspace = workspace
        self.method = method
        self.layout = Layout.of(model.experiment)
        self.seeds = finished_seeds(workspace, self.name)
        with torch.random.fork_rng(devices=[]):
            self._network = Network(model.experiment).eval()
        self.plan = make_plan(self._network, self.layout)
        self.device = device
        self._loaded_seeds: list[int] = []
        self._loaded: list[Network] = []

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
        parts: dict[str, list[Floats]] = {name: [] for name in self.layout.outputs}
        scales = self.model.scales
        block = Block(part, self.layout, scales.inputs, self.device.torch_device)
        for networks in self._groups() if predicted.any() else ():
            new = predict_points(
                networks, block, predicted, self.plan, self.method, self.device
            )
            for name, values in new.items():
                loss = self.model.experiment.losses_name[name]
                own = in_own_unit(values, loss, scales.outputs[name])
                parts[name].append(own.numpy())
        nothing = np.zeros((len(self.seeds), 0), dtype=np.float32)
        joined = {name: np.concatenate(of or [nothing]) for name, of in parts.items()}
        targets = {name: known[wanted] for name, known in part.targets.items()}
        return Prediction(predicted, joined, targets)

    def _groups(self) -> Iterator[list[Network]]:
        """Load as many members at once as memory is given to; all, as a rule, once."""
        size = sum(weight.nbytes for weight in self._network.parameters())
        n_at_once = max(1, MOST_WEIGHTS // size)
        for begin in range(0, len(self.seeds), n_at_once):
            seeds = self.seeds[begin : begin + n_at_once]
            if self._loaded_seeds != seeds:
                self._loaded_seeds, self._loaded = seeds, []
                for seed in seeds:
                    network = copy.deepcopy(self._network)
                    read_member(
                        network, self.workspace, self.name, seed, self.model.identity
                    )
                    self._loaded.append(network.to(self.device.torch_device))
            yield self._loaded
