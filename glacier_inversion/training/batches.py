"""
The samples of an epoch in batches: as patches, or as crops that hold many samples.

The patches of neighbouring samples overlap. Where a network treats all places alike,
the samples of a crop are evaluated in one dense pass, with the same loss and the same
gradient as their patches would give; a batch then is made of whole crops.
"""

from __future__ import annotations

import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator

import torch
from torch import Tensor

from glacier_inversion.errors import ExperimentError
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.experiment.extra_training import (
    extra_per_batch,
    n_mixed_in,
)
from glacier_inversion.patches.gathering import PatchSource
from glacier_inversion.patches.lattice import Layout
from glacier_inversion.patches.samples import Chosen, Samples
from glacier_inversion.patches.sampling import spacing_of
from glacier_inversion.patches.symmetries import (
    allowed_turns,
    turn_points,
    turn_vectors,
)
from glacier_inversion.training.batch import Batch, Crops, Patches
from glacier_inversion.training.network.dense import plan_dense
from glacier_inversion.training.network.fields import PatchField
from glacier_inversion.training.network.network import Network


class Batches(ABC):
    """
    How the samples of an epoch are put into batches.

    Parameters
    ----------
    experiment : Experiment
    """

    def __init__(self, experiment: Experiment) -> None:
        self._jitter = experiment.sampling.jitter
        self._batch_size = experiment.batch_size
        self._n_extra = extra_per_batch(experiment)
        self._n_mixed_in = functools.partial(n_mixed_in, experiment)
        self._turns = allowed_turns(experiment.augmentation)
        augmentation = experiment.augmentation
        self._vectors = augmentation.vectors if augmentation else []

    def drawn(
        self,
        samples: Samples,
        generator: torch.Generator,
        batch_size: int | None = None,
    ) -> Iterator[Batch]:
        """
        Iterate over an epoch: points, order and turns are drawn from *generator*.

        The batch size is the experiment's unless another is given.
        """
        chosen = samples.draw(generator) if self._jitter else samples.nominal()
        return self._batches(samples, chosen, batch_size or self._batch_size, generator)

    def mixed(
        self, samples: Samples, extra: Samples, generator: torch.Generator
    ) -> Iterator[Batch]:
        """
        Iterate over an epoch as `drawn` does, with extra samples in each batch.

        The extra ones are drawn anew in each epoch, too, and as often as they are
        needed: an epoch has each of *samples* once.
        """
        n_extra = self._n_extra
        own = self.drawn(samples, generator, self._batch_size - n_extra)
        n_cells = self._n_mixed_in(samples.n_cells) + n_extra  # more than an epoch's
        others = self._endless(extra, n_cells, generator, n_extra)
        for batch in own:
            mixed, n_left = batch, self._n_mixed_in(len(batch.targets))
            while n_left > 0:
                more = next(others).first(n_left)
                mixed = mixed.joined(more)
                n_left -= len(more.targets)
            yield mixed

    def _endless(
        self,
        samples: Samples,
        n_cells: int,
        generator: torch.Generator,
        batch_size: int,
    ) -> Iterator[Batch]:
        while True:
            part = self._part(samples, n_cells, generator)
            yield from self.drawn(part, generator, batch_size)

    def _part(
        self, samples: Samples, n_cells: int, generator: torch.Generator
    ) -> Samples:
        """Return the samples of some cells: to draw all for a few would take longer."""
        return samples.some(n_cells, generator)

    def nominal(self, samples: Samples, batch_size: int) -> Iterator[Batch]:
        """Iterate over the nominal points, as they are."""
        return self._batches(samples, samples.nominal(), batch_size, None)

    @abstractmethod
    def _batches(
        self,
        samples: Samples,
        chosen: Chosen,
        batch_size: int,
        generator: torch.Generator | None,
    ) -> Iterator[Batch]:
        """
        Iterate over chosen samples, shuffled and turned if there is a generator.

        The generator is the CPU's; what is chosen lies where the samples do.
        """

    def _draw_turns(
        self, n: int, samples: Samples, generator: torch.Generator | None
    ) -> Tensor | None:
        if self._turns is None or generator is None:
            return None
        drawn = torch.randint(len(self._turns), (n,), generator=generator)
        return self._turns[drawn].to(samples.device)


class PatchBatches(Batches):
    """Every sample is a patch."""

    def _batches(
        self,
        samples: Samples,
        chosen: Chosen,
        batch_size: int,
        generator: torch.Generator | None,
    ) -> Iterator[Batch]:
        n = len(chosen.index)
        if generator is not None:
            order = torch.randperm(n, generator=generator).to(samples.device)
            chosen = Chosen(chosen.index[order], chosen.targets[order])
        turns = self._draw_turns(n, samples, generator)
        for begin in range(0, n, batch_size):
            part = slice(begin, begin + batch_size)
            own = None if turns is None else turns[part]
            inputs = samples.source.gather(samples.points[chosen.index[part]], own)
            if own is not None:
                turn_vectors(inputs, self._vectors, own)
            yield Patches(inputs, chosen.targets[part])


class CropBatches(Batches):
    """
    Samples lie in crops, which lie elsewhere in each epoch.

    A batch holds as many crops as have about `batch_size` samples.

    Parameters
    ----------
    experiment : Experiment
    side : int
        Points on each side of a crop.
    """

    def __init__(self, experiment: Experiment, side: int) -> None:
        super().__init__(experiment)
        self._names = [variable.name for variable in experiment.inputs]
        self._side = side

    def _batches(
        self,
        samples: Samples,
        chosen: Chosen,
        batch_size: int,
        generator: torch.Generator | None,
    ) -> Iterator[Batch]:
        if len(chosen.index) == 0:
            return
        points, shift = samples.points[chosen.index], torch.zeros(3, dtype=torch.int64)
        if generator is not None:
            shift[1:] = torch.randint(self._side, (2,), generator=generator)
        corners, crop = self._find_crops(points, shift.to(samples.device))
        if generator is not None:
            order = torch.randperm(len(corners), generator=generator)
            order = order.to(samples.device)
            corners, crop = corners[order], torch.argsort(order)[crop]
        turns = self._draw_turns(len(corners), samples, generator)
        crop, by_crop = torch.sort(crop, stable=True)
        points, targets = points[by_crop], chosen.targets[by_crop]

        n_samples = torch.bincount(crop)
        number = (torch.cumsum(n_samples, 0) - 1) // batch_size  # of a crop's batch
        _, n_crops = torch.unique_consecutive(number, return_counts=True)
        begin = first = 0
        for n in n_crops.tolist():
            end = begin + int(n_samples[first : first + n].sum())
            own, crops = slice(begin, end), slice(first, first + n)
            inputs, row, col = self._gather(
                samples.source,
                corners[crops],
                points[own],
                crop[own] - first,
                None if turns is None else turns[crops],
            )
            yield Crops(inputs, row, col, crop[own] - first, targets[own])
            begin, first = end, first + n

    def _part(
        self,
        samples: Samples,
        n_cells: int,  # noqa: ARG002
        generator: torch.Generator,  # noqa: ARG002
    ) -> Samples:
        """Return all samples: crops are to hold as many as there are."""
        return samples

    def _find_crops(self, points: Tensor, shift: Tensor) -> tuple[Tensor, Tensor]:
        """Return the corners of the crops that points lie in, and each point's crop."""
        size = torch.tensor([1, self._side, self._side], device=points.device)
        place = (points + shift) // size
        n_places = place.amax(dim=0) + 1
        key = (place[:, 0] * n_places[1] + place[:, 1]) * n_places[2] + place[:, 2]
        key, crop = torch.unique(key, return_inverse=True)
        feature_and_row, col = key // n_places[2], key % n_places[2]
        feature, row = feature_and_row // n_places[1], feature_and_row % n_places[1]
        return torch.stack([feature, row, col], dim=1) * size - shift, crop

    def _gather(
        self,
        source: PatchSource,
        corners: Tensor,
        points: Tensor,
        crop: Tensor,
        turns: Tensor | None,
    ) -> tuple[list[PatchField], Tensor, Tensor]:
        """Return the inputs of crops, and the rows and columns of points in them."""
        inputs = source.gather_crops(corners, self._side, turns)
        _, row, col = (points - corners[crop]).T
        if turns is not None:
            turn_vectors(inputs, self._vectors, turns)
            row, col = turn_points(row, col, turns[crop], self._side)
        layout = source.layout
        fields = []
        for name in self._names:
            is_vector, spacing = name in layout.scalars, layout.images.get(name, 1)
            n_px = 1 if is_vector else layout.patch_px(name)
            fields.append(PatchField.of(inputs[name], spacing, n_px, is_vector))
        return fields, row, col


def make_batches(experiment: Experiment, network: Network) -> Batches:
    """
    Return what puts an experiment's samples into batches, for any of its members.

    Raises
    ------
    ExperimentError
        sampling.dense is given, and the network does not treat all places alike.
    """
    if experiment.sampling.dense is None:
        return PatchBatches(experiment)
    plan = plan_dense(network, Layout.of(experiment))
    if not plan.is_dense:
        message = (
            f"sampling.dense: {plan.obstacles[0]}. Must be a network that treats all "
            "places alike. Use padding 'valid' or another operation, or leave "
            "sampling.dense out."
        )
        raise ExperimentError(message)
    side = experiment.sampling.dense * spacing_of(experiment)
    n_points = math.ceil(side / experiment.finest_resolution - 1e-9)
    return CropBatches(experiment, plan.rounded(n_points))
