"""Patches and samples: gathered in batches from tiles on the lattice, by index."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from glacier_inversion.patches.gathering import PatchSource
from glacier_inversion.patches.interpolation import Floats
from glacier_inversion.patches.lattice import LatticeTiles, Layout
from glacier_inversion.patches.sampling import find_cells, find_points, sort_by_cell
from glacier_inversion.patches.scale import Scale


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
    points : int64 tensor, shape (n,)
        Their index, sorted by cell, the nearest to its centre first.
    cells : int64 tensor, shape (n_cells,)
        The cells that hold any.
    first, counts : int64 tensors, shape (n_cells,)
        Where a cell's points begin, and how many there are.
    """

    points: torch.Tensor
    cells: torch.Tensor
    first: torch.Tensor
    counts: torch.Tensor


class Samples:
    """
    The points of a split that have targets.

    In each epoch every cell gives a point for each output that is known anywhere in it;
    one point serves all outputs that it can.

    Parameters
    ----------
    lattices : list of LatticeTiles
    layout : Layout
    scales : mapping of Scale
    spacing : float, CRS units
        Side of the cells, counted from the CRS's origin.

    Attributes
    ----------
    points : int64 tensor, shape (n, 3)
        Feature, row and column of every point with a known target, sorted by cell.
    targets : float32 tensor, shape (n, n_outputs)
        In the targets' own units, NaN where unknown.
    """

    def __init__(
        self,
        lattices: list[LatticeTiles],
        layout: Layout,
        scales: Mapping[str, Scale],
        spacing: float,
    ) -> None:
        self.source = PatchSource(lattices, layout, scales)
        points: list[NDArray[np.intp]] = []
        targets: list[Floats] = []
        cells: list[NDArray[np.intp]] = []
        distances: list[NDArray[np.float64]] = []
        for number, part in enumerate(lattices):
            row, col, values = find_points(part, layout)
            cell, distance = find_cells(part.points, row, col, spacing)
            points.append(np.stack([np.full_like(row, number), row, col], axis=1))
            targets.append(values)
            cells.append(np.column_stack([np.full_like(row, number), cell]))
            distances.append(distance)
        if not lattices:
            points.append(np.zeros((0, 3), dtype=np.intp))
            targets.append(np.zeros((0, len(layout.outputs)), dtype=np.float32))
            cells.append(np.zeros((0, 3), dtype=np.intp))
            distances.append(np.zeros(0))
        order, number_of = sort_by_cell(
            np.concatenate(cells), np.concatenate(distances)
        )
        self.points = torch.from_numpy(np.concatenate(points)[order])
        self.targets = torch.from_numpy(np.concatenate(targets)[order].astype("f4"))
        self._is_known = torch.isfinite(self.targets)
        self._n_cells = int(number_of[-1]) + 1 if len(number_of) else 0
        self._known = []
        for of_output in self._is_known.T:
            known = of_output.nonzero()[:, 0]
            cells_of, counts = torch.unique_consecutive(
                torch.from_numpy(number_of)[known], return_counts=True
            )
            first = torch.cumsum(counts, 0) - counts
            self._known.append(KnownPoints(known, cells_of, first, counts))

    @property
    def device(self) -> torch.device:
        """Where batches are gathered."""
        return self.points.device

    @property
    def nbytes(self) -> int:
        """Memory on the device."""
        return self.source.nbytes + self.points.nbytes + self.targets.nbytes

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

    def nominal(self) -> Chosen:
        """Choose the known point of each cell that is nearest to its centre."""
        return self._choose([known.points[known.first] for known in self._known])

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
                serves = (points < 0) & (there >= 0) & self._is_known[there, i]
                points = torch.where(serves, there, points)
            left = (points < 0).nonzero()[:, 0]
            chance = torch.rand(len(left), generator=generator, dtype=torch.float64)
            number = known.first[left] + (chance * known.counts[left]).long()
            points[left] = known.points[number]
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
