"""Patches and samples: gathered in batches from tiles on the lattice, by index."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch

from glacier_inversion.patches.array_store import SampleFiles, map_array
from glacier_inversion.patches.gathering import PatchSource
from glacier_inversion.patches.lattice_points import LatticePoints


@dataclass(frozen=True)
class Chosen:
    """
    The samples of an epoch.

    Attributes
    ----------
    index : int64 tensor, shape (n,)
        Of points, on the samples' device, as the targets are.
    targets : float32 tensor, shape (n, n_outputs)
        In the targets' own units. NaN where unknown, and where another point of the
        cell serves the output.
    """

    index: torch.Tensor
    targets: torch.Tensor


@dataclass(frozen=True)
class KnownPoints:
    """
    The points at which an output is known.

    Attributes
    ----------
    points : int64 tensor, shape (n,), or None
        Their index, sorted by cell, the nearest to its centre first. None: all points.
    cells : int64 tensor, shape (n_cells,)
        The cells that hold any.
    first, counts : int64 tensors, shape (n_cells,)
        Where a cell's points begin, and how many there are.
    """

    points: torch.Tensor | None
    cells: torch.Tensor
    first: torch.Tensor
    counts: torch.Tensor

    def __getitem__(self, number: torch.Tensor) -> torch.Tensor:
        """Return the index of some of them."""
        return number if self.points is None else self.points[number]

    def within(self, wanted: torch.Tensor) -> KnownPoints:
        """Return those of the cells that are wanted, bool tensor, shape (n_all,)."""
        part = wanted[self.cells]
        return replace(
            self,
            cells=self.cells[part],
            first=self.first[part],
            counts=self.counts[part],
        )


class Samples:
    """
    The points of a split that have targets.

    In each epoch every cell gives a point for each output that is known anywhere in it;
    one point serves all outputs that it can.

    Parameters
    ----------
    source : PatchSource
    points : LatticePoints
        Every point with a known target, sorted by cell.
    targets : float32 tensor, shape (n, n_outputs)
        In the targets' own units, NaN where unknown.
    known : list of KnownPoints
        One an output.
    n_cells : int
    """

    def __init__(
        self,
        source: PatchSource,
        points: LatticePoints,
        targets: torch.Tensor,
        known: list[KnownPoints],
        n_cells: int,
    ) -> None:
        self.source = source
        self.points = points
        self.targets = targets
        self._known = known
        self._n_cells = n_cells
        # of the outputs that a point drawn for another may serve
        self._is_known = torch.isfinite(targets[:, 1:])

    @property
    def device(self) -> torch.device:
        """Where batches are gathered."""
        return self.source.device

    @property
    def n_targets(self) -> list[int]:
        """How many known targets of each output an epoch has."""
        return [len(known.cells) for known in self._known]

    @property
    def nbytes(self) -> int:
        """Memory on the device."""
        return self.source.nbytes + self.points.places.nbytes + self.targets.nbytes

    def without_files(self) -> Samples:
        """Return the same without what lies in files, for `with_files`."""
        return self._with(*(torch.zeros(0) for _ in range(3)))

    def with_files(self, files: SampleFiles) -> Samples:
        """Return the same with what lies in files, which is mapped to memory."""
        return self._with(
            map_array(files.images, "f4"),
            map_array(files.places, "i4"),
            map_array(files.targets, "f4").view(-1, len(self._known)),
        )

    def _with(
        self, images: torch.Tensor, places: torch.Tensor, targets: torch.Tensor
    ) -> Samples:
        other = copy.copy(self)
        other.source = self.source.with_images(images)
        other.points = replace(self.points, places=places)
        other.targets = targets
        return other

    def to(self, device: torch.device) -> Samples:
        """Return the same samples on a device; they are still drawn on the CPU."""
        moved = copy.copy(self)
        moved.source = self.source.to(device)
        moved.points = self.points.to(device)
        moved.targets = self.targets.to(device)
        return moved

    def __len__(self) -> int:
        """Return the number of samples of an epoch of nominal points."""
        return len(self.nominal().index)

    @property
    def n_cells(self) -> int:
        """How many cells hold any point."""
        return self._n_cells

    def some(self, n_cells: int, generator: torch.Generator) -> Samples:
        """Return the samples of so many cells, drawn evenly; all if there are fewer."""
        if n_cells >= self._n_cells:
            return self
        wanted = torch.zeros(self._n_cells, dtype=torch.bool)
        wanted[torch.randperm(self._n_cells, generator=generator)[:n_cells]] = True
        other = copy.copy(self)
        other._known = [known.within(wanted) for known in self._known]
        return other

    def nominal(self) -> Chosen:
        """Choose the known point of each cell that is nearest to its centre."""
        return self._choose([known[known.first] for known in self._known])

    def draw(self, generator: torch.Generator) -> Chosen:
        """
        Draw a point of each cell evenly for the first output, and so for the next.

        But where a point that was drawn for an output before knows the next one too, it
        serves both.
        """
        drawn: list[torch.Tensor] = []
        at = torch.full((len(self._known), self._n_cells), -1)
        for i, known in enumerate(self._known):
            points = torch.full((len(known.cells),), -1)
            for before in at[:i]:
                there = before[known.cells]
                serves = (points < 0) & (there >= 0) & self._is_known[there, i - 1]
                points = torch.where(serves, there, points)
            left = (points < 0).nonzero()[:, 0]
            chance = torch.rand(len(left), generator=generator, dtype=torch.float64)
            number = known.first[left] + (chance * known.counts[left]).long()
            points[left] = known[number]
            at[i, known.cells] = points
            drawn.append(points)
        return self._choose(drawn)

    def _choose(self, by_output: list[torch.Tensor]) -> Chosen:
        """Put the points that serve each output together, by cell."""
        index, place = torch.unique(torch.cat(by_output), return_inverse=True)
        serves = torch.zeros((len(index), len(by_output)), dtype=torch.bool)
        output = torch.repeat_interleave(
            torch.arange(len(by_output)), torch.tensor([len(of) for of in by_output])
        )
        serves[place, output] = True
        index, serves = index.to(self.device), serves.to(self.device)
        return Chosen(index, self.targets[index].where(serves, torch.nan))

    def batches(
        self, chosen: Chosen, batch_size: int
    ) -> Iterator[tuple[torch.Tensor, dict[str, torch.Tensor], torch.Tensor]]:
        """Iterate over the indices, inputs and targets of *chosen* points, in order."""
        for begin in range(0, len(chosen.index), batch_size):
            part = slice(begin, begin + batch_size)
            index = chosen.index[part]
            yield index, self.source.gather(self.points[index]), chosen.targets[part]
