"""What training and drawing will cost: parameters, memory, and the time they take."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glacier_inversion.errors import ExperimentError, first_line
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.grid import Bounds, Grid, lattice
from glacier_inversion.machine.cores import available_cores
from glacier_inversion.patches.collecting import collect_samples
from glacier_inversion.patches.lattice import Layout, to_lattice
from glacier_inversion.patches.sampling import spacing_of
from glacier_inversion.patches.tiles import Tiles
from glacier_inversion.training.batch import Batch
from glacier_inversion.training.batches import make_batches
from glacier_inversion.training.epoch_log import Tally
from glacier_inversion.training.model.ensemble import MOST_WEIGHTS
from glacier_inversion.training.model.normalization import NO_SCALE
from glacier_inversion.training.network.dense import DensePlan, plan_dense
from glacier_inversion.training.network.devices import CPU
from glacier_inversion.training.network.network import Network, Row
from glacier_inversion.training.network.predict import BlockInputs, predict_points
from glacier_inversion.training.network.threads import one_thread
from glacier_inversion.training.workers import best_number

_FLOAT = 4  # bytes
_MOST_WORK = 1e9  # multiply-adds of the samples that are timed, some 0.1 s
_MOST_DRAWN = 1e11  # of the points that are drawn, 10 s if each were drawn alone
# Values that optimizers keep of each weight.
_MOMENTS = {"adam": 2, "adamw": 2, "nadam": 2, "rmsprop": 1, "sgd": 0}
# What is not measured of a network beyond that: a step takes three times a prediction,
# and keeps what each operation makes, before and after its ReLU.
_TIMES_OF_GRADIENTS, _KEPT = 3, 2
_SPARE_PX = 64  # side of the square of points that made-up patches lie on
_SECONDS = 0.1  # for which each measurement is repeated


@dataclass(frozen=True)
class Cost:
    """
    What a network costs, measured on one thread with made-up values.

    Attributes
    ----------
    table : list of Row
    parameters, multiply_adds : int
        Of the whole network; multiply-adds for one patch.
    state_bytes : int
        Weights, gradients, the optimizer's state, and the weights of the best epoch.
    activation_bytes : int
        What a training step keeps of each sample until its gradients are known.
    batch_samples : int
        Samples of a batch that is full: a crop at least.
    train_seconds, predict_seconds : float
        Per sample of a batch; in crops, where targets are known everywhere.
    draw_seconds : float
        Per point of a block that is wanted whole.
    plan : DensePlan
        How it is drawn.
    """

    table: list[Row]
    parameters: int
    multiply_adds: int
    state_bytes: int
    activation_bytes: int
    batch_samples: int
    train_seconds: float
    predict_seconds: float
    draw_seconds: float
    plan: DensePlan

    def epoch_seconds(self, n_train: int, n_validation: int) -> float:
        """Estimate the time of an epoch with so many samples."""
        return n_train * self.train_seconds + n_validation * self.predict_seconds

    def training_seconds(
        self, experiment: Experiment, n_train: int, n_validation: int
    ) -> float:
        """Estimate the time of all members, trained side by side if that is faster."""
        n_members = experiment.seeds_number
        each = self.epoch_seconds(n_train, n_validation) * experiment.epochs
        n_jobs = best_number(n_members, available_cores(), each)
        return math.ceil(n_members / n_jobs) * each

    def drawing_seconds(self, experiment: Experiment, n_pixels: int) -> float:
        """Estimate the time of drawing so many pixels with all members and cores."""
        seconds = n_pixels * self.draw_seconds * experiment.seeds_number
        return seconds / CPU.n_threads

    def network_bytes(self, n_samples: int | None = None) -> int:
        """
        Estimate what a member takes in a step.

        Parameters
        ----------
        n_samples : int, optional
            Of an epoch, if it is known: a batch holds no more.
        """
        n_together = self.batch_samples
        if n_samples is not None:
            n_together = min(n_together, n_samples)
        return self.state_bytes + self.activation_bytes * n_together

    def drawing_bytes(self, experiment: Experiment) -> int:
        """Estimate the memory of drawing a block, likewise."""
        side = (CPU.block_px + experiment.window_px) * experiment.finest_resolution
        tiles = _tile_bytes(experiment, (0.0, 0.0, side, side))
        n_values = CPU.block_px**2 * len(experiment.outputs) * experiment.seeds_number
        values = n_values * 2 * _FLOAT  # of all members, and as a group predicted them
        passes = self.plan.bytes_per_patch * CPU.batch(self.plan.bytes_per_patch)
        if self.plan.is_partly_dense:
            passes = max(passes, int(CPU.most_bytes))
        weights = self.parameters * _FLOAT * experiment.seeds_number
        weights = min(weights, MOST_WEIGHTS)
        return tiles + values + passes * CPU.n_threads + weights


@one_thread()
def measure_cost(experiment: Experiment) -> Cost:
    """
    Build the network and time a short training step and a batch of patches.

    The batches are smaller for a large network; of one of which a single patch is too
    much, the step is not tried. The global generator is left alone.

    Raises
    ------
    ExperimentError
        The network does not fit together, or not into memory.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Network(experiment)
        multiply_adds = sum(row.multiply_adds for row in network.table)
        affordable = max(1, int(_MOST_WORK / max(multiply_adds, 1)))
        n_most = max(1, affordable // 3)
        n_predicted = min(CPU.most_patches, affordable)
        try:
            patches = _MadeUpPatches(experiment, network)
            n_samples = experiment.batch_size
            predict_seconds = (
                _time(lambda: _predict(network, patches, n_predicted)) / n_predicted
            )
            if multiply_adds > _MOST_WORK:
                train_seconds = _TIMES_OF_GRADIENTS * predict_seconds
                values = sum(math.prod(s) for row in network.table for s in row.shapes)
                activation_bytes = _KEPT * values * _FLOAT
            else:
                step = _TrainingStep(experiment, network, patches, n_most)
                activation_bytes = step.count_bytes()
                train_seconds = _time(step.find_gradients) / step.n_samples
                if experiment.sampling.dense is not None:
                    n_samples = max(n_samples, step.n_samples)
                train_seconds += _time(step.update) / n_samples
            plan = plan_dense(network, patches.layout)
            wanted = _wanted_points(plan, multiply_adds)
            draw_seconds = (
                _time(lambda: patches.predict(network, plan, wanted)) / wanted.sum()
            )
        except RuntimeError as error:  # torch's word for no memory
            message = (
                f"model_description: the network cannot be trained here "
                f"({first_line(error)}). Must fit into memory. Use fewer or smaller "
                "filters, or a smaller batch_size."
            )
            raise ExperimentError(message) from error
    # weights, gradients, a copy of the best weights, and the optimizer's
    copies = 3 + _MOMENTS[experiment.optimizer_name]
    return Cost(
        network.table,
        network.n_parameters(),
        multiply_adds,
        copies * sum(weight.nbytes for weight in network.parameters()),
        activation_bytes,
        n_samples,
        train_seconds,
        predict_seconds,
        float(draw_seconds),
        plan,
    )


def _time(run: Callable[[], None]) -> float:
    """Return the median seconds of some runs, the first of which warms up."""
    runs: list[float] = []
    while len(runs) < 2 or sum(runs[1:]) < _SECONDS:
        begin = time.perf_counter()
        run()
        runs.append(time.perf_counter() - begin)
        if runs[0] > 10 * _SECONDS:
            return runs[0]
    return float(np.median(runs[1:]))


class _MadeUpPatches:
    """Patches of one made-up tile, put into batches as those of a dataset are."""

    def __init__(self, experiment: Experiment, network: Network) -> None:
        self.layout = layout = Layout.of(experiment)
        factors = {v.name: experiment.factor(v) for v in experiment.variables()}
        whole = math.lcm(*factors.values())
        spacing, spare = experiment.finest_resolution, _SPARE_PX
        self._batch_size: int | None = experiment.batch_size
        if experiment.sampling.dense is not None:
            spacing = spacing_of(experiment)
            crop = experiment.sampling.dense * spacing / experiment.finest_resolution
            spare, self._batch_size = max(spare, math.ceil(crop)), None
        side = -(-(layout.window_px + spare) // whole) * whole
        rng = np.random.default_rng(0)
        arrays = {
            name: rng.random((side // k, side // k), dtype=np.float32)
            for name, k in factors.items()
        }
        grid = Grid(0.0, 0.0, layout.resolution, side, side)
        part = to_lattice(Tiles("", "", grid, arrays, arrays), layout)
        scales = dict.fromkeys(factors, NO_SCALE)
        self._samples = collect_samples([part], layout, scales, spacing)
        self._batches = make_batches(experiment, network)
        self._block = BlockInputs(part, layout, scales, CPU.torch_device)

    def batch_to_train(self, n_most: int) -> Batch:
        """Return a batch of at most so many samples, or a single crop."""
        generator = torch.Generator().manual_seed(0)
        n = min(self._batch_size or 1, n_most)
        return next(self._batches.drawn(self._samples, generator, n))

    def patches(self, n: int) -> dict[str, Tensor]:
        """Return a batch of patches to predict."""
        chosen = torch.randint(len(self._samples.points), (n,))
        return self._samples.source.gather(self._samples.points[chosen])

    def predict(
        self, network: Network, plan: DensePlan, wanted: NDArray[np.bool_]
    ) -> None:
        """Predict as maps are drawn."""
        predict_points([network.eval()], self._block, wanted, plan, "auto", CPU)


def _wanted_points(plan: DensePlan, multiply_adds: int) -> NDArray[np.bool_]:
    """Tell which made-up points are drawn: all, or as many as are affordable."""
    n_affordable = _MOST_DRAWN / max(multiply_adds, 1)
    if plan.per_gathered:
        n_affordable = min(n_affordable, _MOST_WORK / plan.per_gathered)
    wanted = np.ones((_SPARE_PX, _SPARE_PX), dtype=np.bool_)
    wanted.ravel()[max(1, int(n_affordable)) :] = False
    return wanted


@torch.inference_mode()
def _predict(network: Network, patches: _MadeUpPatches, n: int) -> None:
    network.eval()(patches.patches(n))


class _TrainingStep:
    """One step of training on made-up samples."""

    def __init__(
        self,
        experiment: Experiment,
        network: Network,
        patches: _MadeUpPatches,
        n_most: int,
    ) -> None:
        self.experiment = experiment
        self.network = network
        self.patches = patches
        self.n_most = n_most
        self.n_samples = len(patches.batch_to_train(n_most).targets)
        self.weights = list(network.parameters())
        self.moments = [
            (torch.zeros_like(w), torch.zeros_like(w)) for w in self.weights
        ]

    def find_gradients(self) -> None:
        """Predict, compare, and find how to change the weights."""
        scales = {variable.name: NO_SCALE for variable in self.experiment.outputs}
        self.network.train()
        tally = Tally(self.experiment, scales)
        batch = self.patches.batch_to_train(self.n_most)
        loss = tally.add(batch.predict(self.network), batch.targets)
        self.network.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]

    @torch.no_grad()
    def update(self) -> None:
        """Change the weights as Adam does, whose module takes a second to import."""
        for weight, (first, second) in zip(self.weights, self.moments, strict=True):
            if weight.grad is not None:
                first.lerp_(weight.grad, 0.1)
                second.mul_(0.999).addcmul_(weight.grad, weight.grad, value=0.001)
                weight.addcdiv_(first, second.sqrt().add_(1e-8), value=-1e-6)

    def count_bytes(self) -> int:
        """Return the bytes that a step keeps per sample."""
        kept: dict[int, int] = {}

        def keep(value: Tensor) -> Tensor:
            kept[value.untyped_storage().data_ptr()] = value.untyped_storage().nbytes()
            return value

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
            self.find_gradients()
        for weight in self.weights:
            kept.pop(weight.untyped_storage().data_ptr(), None)
        return sum(kept.values()) // self.n_samples


def _tile_bytes(experiment: Experiment, bounds: Bounds) -> int:
    """Count the bytes of a feature's tiles: as read, on the lattice, normalised."""
    tile = Grid.from_bounds(bounds, experiment.finest_resolution)
    points = lattice(tile, experiment.window_px)
    n_tile, n_points = tile.n_rows * tile.n_cols, points.n_rows * points.n_cols
    n_values = n_points * len(experiment.outputs)
    for variable in experiment.variables():
        n_values += n_tile // experiment.factor(variable) ** 2
    for variable in experiment.inputs:
        n_lattice = n_points if variable.scalar else n_tile
        interpolated = variable.scalar or experiment.factor(variable) > 1
        n_values += n_lattice * (1 + interpolated)
    return n_values * _FLOAT + n_points
