"""The samples of a split, collected feature by feature, each let go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from glacier_inversion.patches.array_store import ArrayStore
from glacier_inversion.patches.gathering import PatchSource, normalise
from glacier_inversion.patches.lattice import LatticeTiles, Layout
from glacier_inversion.patches.lattice_points import LatticePoints
from glacier_inversion.patches.samples import KnownPoints, Samples
from glacier_inversion.patches.sampling import find_cells, find_points, sort_by_cell
from glacier_inversion.patches.scale import Scale


@dataclass(frozen=True)
class Stores:
    """
    What takes a split's samples: in files, or in memory.

    Attributes
    ----------
    images, targets : ArrayStore of float32
    places : ArrayStore of int32
    """

    images: ArrayStore
    places: ArrayStore
    targets: ArrayStore

    @classmethod
    def in_memory(cls) -> Stores:
        """Return empty ones."""
        return cls(ArrayStore("f4"), ArrayStore("i4"), ArrayStore("f4"))


class SampleCollector:
    """
    Collects the points with targets, and the images that their patches are read from.

    Parameters
    ----------
    layout : Layout
    spacing : float, CRS units
        Side of the cells, counted from the CRS's origin.
    stores : Stores
        The images are stored as they are until `normalise`.

    Attributes
    ----------
    images : dict of lists of int
        Their numbers in the store, by input, one a feature.
    n_cells : int
        With any known target.
    """

    def __init__(self, layout: Layout, spacing: float, stores: Stores) -> None:
        self.images: dict[str, list[int]] = {
            name: [] for name in (*layout.images, *layout.scalars)
        }
        self.stores = stores
        self._layout = layout
        self._spacing = spacing
        self._widths: list[int] = []
        self._known = [_Known() for _ in layout.outputs]
        self.n_cells = self._n_points = 0

    def add(self, part: LatticeTiles) -> None:
        """Take the next feature."""
        for name, image in {**part.images, **part.scalars}.items():
            self.images[name].append(self.stores.images.append(image))
        row, col, targets = find_points(part, self._layout)
        cells, distances = find_cells(part.points, row, col, self._spacing)
        order, cell = sort_by_cell(cells, distances)
        targets = targets[order]
        self._widths.append(part.points.n_cols)
        self.stores.places.append((row * part.points.n_cols + col)[order])
        self.stores.targets.append(targets)
        cell += self.n_cells
        for known, is_known in zip(self._known, np.isfinite(targets).T, strict=True):
            known.add(is_known, cell, self._n_points)
        self._n_points += len(cell)
        self.n_cells = int(cell[-1]) + 1 if len(cell) else self.n_cells

    def normalise(self, scales: Mapping[str, Scale]) -> None:
        """Normalise the images, each input by its scale, NaN as 0."""
        store = self.stores.images
        for name, numbers in self.images.items():
            for number in numbers:
                store[number] = normalise(store[number], scales[name])

    def samples(self) -> Samples:
        """Return the samples of all features."""
        stores = self.stores
        first = torch.tensor(stores.places.starts, dtype=torch.int64)
        widths = torch.tensor(self._widths, dtype=torch.int64)
        return Samples(
            PatchSource(self._layout, stores.images, self.images),
            LatticePoints(stores.places.flat(), first, widths),
            stores.targets.flat().view(-1, len(self._known)),
            [known.join(self._n_points) for known in self._known],
            self.n_cells,
        )


def collect_samples(
    lattices: Iterable[LatticeTiles],
    layout: Layout,
    scales: Mapping[str, Scale],
    spacing: float,
) -> Samples:
    """Return the samples of features in memory, normalised by input."""
    collector = SampleCollector(layout, spacing, Stores.in_memory())
    for part in lattices:
        collector.add(part)
    collector.normalise(scales)
    return collector.samples()


class _Known:
    """The points at which an output is known, of one feature after the other."""

    def __init__(self) -> None:
        self._points = [np.zeros(0, dtype=np.int64)]
        self._cells = [np.zeros(0, dtype=np.int64)]
        self._counts = [np.zeros(0, dtype=np.int64)]
        self._n_complete = 0

    def add(
        self, is_known: NDArray[np.bool_], cell: NDArray[np.intp], begin: int
    ) -> None:
        """Take the points of the next feature, sorted by cell, counted from *begin*."""
        cells, counts = np.unique(cell[is_known], return_counts=True)
        self._cells.append(cells)
        self._counts.append(counts)
        if is_known.all() and begin == self._n_complete:
            self._n_complete += len(is_known)  # none is left out so far
        else:
            self._points.append(np.flatnonzero(is_known) + begin)

    def join(self, n_points: int) -> KnownPoints:
        """Return those of all features, which have *n_points*."""
        cells, counts = (
            torch.from_numpy(np.concatenate(part))
            for part in (self._cells, self._counts)
        )
        points = None
        if self._n_complete < n_points:
            complete = np.arange(self._n_complete)
            joined = np.concatenate([complete, *self._points])
            points = torch.from_numpy(joined)
        return KnownPoints(points, cells, torch.cumsum(counts, 0) - counts, counts)
