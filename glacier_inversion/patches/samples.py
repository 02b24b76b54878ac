"""Patches and samples: gathered in batches from tiles on the lattice, by index."""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from glacier_inversion.experiment.sections import Augmentation
from glacier_inversion.patches.interpolation import Floats
from glacier_inversion.patches.lattice import LatticeTiles, Layout
from glacier_inversion.patches.sampling import find_cells, find_points, sort_by_cell


@dataclass(frozen=True)
class Scale:
    """Normalisation of one variable: (value - mean) / std."""

    mean: float
    std: float


@dataclass(frozen=True)
class Scales:
    """
    Normalisation of what a network reads and predicts.

    A variable may be both: each side has its own.

    Attributes
    ----------
    inputs, outputs : mapping of Scale
        By variable.
    """

    inputs: Mapping[str, Scale]
    outputs: Mapping[str, Scale]


class PatchSource:
    """
    Patches of any number of features, gathered by index into batches.

    Every image is kept once, normalised, NaN as 0 (the training mean), all features one
    after the other in a flat tensor. A batch is one gather per input.

    Parameters
    ----------
    lattices : iterable of LatticeTiles
    layout : Layout
    scales : mapping of Scale
        Normalisation of the inputs, by name.
    """

    def __init__(
        self,
        lattices: Iterable[LatticeTiles],
        layout: Layout,
        scales: Mapping[str, Scale],
    ) -> None:
        lattices = list(lattices)
        self.layout = layout
        self.device = torch.device("cpu")
        self._flat: dict[str, torch.Tensor] = {}
        self._start: dict[str, torch.Tensor] = {}
        self._height: dict[str, torch.Tensor] = {}
        self._width: dict[str, torch.Tensor] = {}
        for name in (*layout.images, *layout.scalars):
            images = [{**part.images, **part.scalars}[name] for part in lattices]
            sizes = np.array([image.size for image in images], dtype=np.int64)
            self._start[name] = torch.from_numpy(np.cumsum(sizes) - sizes)
            self._height[name] = torch.tensor([image.shape[0] for image in images])
            self._width[name] = torch.tensor([image.shape[1] for image in images])
            self._flat[name] = normalised(images, scales[name])

    def to(self, device: torch.device) -> PatchSource:
        """Return the same patches on a device."""
        moved = copy.copy(self)
        moved.device = device
        moved._flat, moved._start, moved._height, moved._width = (
            {name: values.to(device) for name, values in part.items()}
            for part in (self._flat, self._start, self._height, self._width)
        )
        return moved

    @property
    def nbytes(self) -> int:
        """Memory of the images."""
        return sum(values.nbytes for values in self._flat.values())

    def gather(
        self, points: torch.Tensor, turns: torch.Tensor | None = None
    ) -> dict[str, torch.Tensor]:
        """
        Return the inputs at points.

        Parameters
        ----------
        points : int64 tensor, shape (n, 3)
            Number of the feature, row and column on its lattice.
        turns : int64 tensor, shape (n,), optional
            Which of the 8 `TURNS` each patch gets.

        Returns
        -------
        inputs : dict of float32 tensors
            Images of shape (n, 1, side, side), scalars of shape (n, 1).
        """
        feature, row, col = points.T
        batch = {}
        for name, factor in self.layout.images.items():
            width = self._width[name][feature]
            first = self._start[name][feature] + row * width + col
            n_px = self.layout.patch_px(name)
            rows, cols = _patch_pixels(n_px, factor, turns, self.device)
            index = first[:, None, None] + rows * width[:, None, None] + cols
            batch[name] = self._flat[name][index].unsqueeze(1)
        for name in self.layout.scalars:
            width = self._width[name][feature]
            index = self._start[name][feature] + row * width + col
            batch[name] = self._flat[name][index].unsqueeze(1)
        return batch

    def gather_crops(
        self, corners: torch.Tensor, n_points: int, turns: torch.Tensor | None = None
    ) -> dict[str, torch.Tensor]:
        """
        Return what the patches of all points of crops are made of.

        A crop is a square of points of a feature's lattice.

        Parameters
        ----------
        corners : int64 tensor, shape (n, 3)
            Number of the feature, row and column of a crop's first point, which may lie
            beyond the lattice.
        n_points : int
            On each side of a crop.
        turns : int64 tensor, shape (n,), optional
            Which of the 8 `TURNS` each crop gets, points and all.

        Returns
        -------
        inputs : dict of float32 tensors, shape (n, 1, side, side)
            The side is n_points for scalars, and n_points + (patch side - 1) * factor
            for images. Beyond the tile: the value at its edge.
        """
        feature, row, col = (index[:, None, None] for index in corners.T)
        batch = {}
        for name in (*self.layout.images, *self.layout.scalars):
            side = n_points
            if name in self.layout.images:
                side += (self.layout.patch_px(name) - 1) * self.layout.images[name]
            rows, cols = _patch_pixels(side, 1, turns, self.device)
            height, width = self._height[name][feature], self._width[name][feature]
            rows = torch.minimum((row + rows).clamp(min=0), height - 1)
            cols = torch.minimum((col + cols).clamp(min=0), width - 1)
            index = self._start[name][feature] + rows * width + cols
            batch[name] = self._flat[name][index].unsqueeze(1)
        return batch


def normalised(images: list[Floats], scale: Scale) -> torch.Tensor:
    """Return images one after the other in a flat tensor, normalised, NaN as 0."""
    flat = np.empty(sum(image.size for image in images), dtype=np.float32)
    end = 0
    for image in images:
        part = flat[end : end + image.size]
        np.subtract(image.ravel(), np.float32(scale.mean), out=part)
        end += image.size
    flat *= np.float32(1 / scale.std)
    np.nan_to_num(flat, copy=False, nan=0.0)
    return torch.from_numpy(flat)


# The 8 symmetries of a square: (quarter turns anticlockwise, then mirrored left-right).
TURNS = tuple((quarters, mirror) for mirror in (False, True) for quarters in range(4))


def _patch_pixels(
    n_px: int, stride: int, turns: torch.Tensor | None, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the offsets of a patch's pixels, per sample where there are turns."""
    rows, cols = _every_turn(n_px, stride, device)
    if turns is None:
        return rows[0], cols[0]
    return rows[turns], cols[turns]


@functools.lru_cache(maxsize=64)
def _every_turn(
    n_px: int, stride: int, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the offsets of a patch's pixels for each of the 8 `TURNS`."""
    line = torch.arange(n_px, device=device) * stride
    rows, cols = torch.meshgrid(line, line, indexing="ij")
    return (
        torch.stack([_turned(rows, turn) for turn in TURNS]),
        torch.stack([_turned(cols, turn) for turn in TURNS]),
    )


def _turned(image: torch.Tensor, turn: tuple[int, bool]) -> torch.Tensor:
    quarters, mirror = turn
    image = torch.rot90(image, quarters)
    return image.flip(1) if mirror else image


def turn_points(
    row: torch.Tensor, col: torch.Tensor, turns: torch.Tensor, n_points: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """
    Return where points of crops come to lie when the crops are turned.

    A quarter turn anticlockwise takes (row, col) to (n_points - 1 - col, row).

    >>> turns = torch.tensor([0, 1, 4])
    >>> turn_points(torch.tensor([0, 0, 0]), torch.tensor([2, 2, 2]), turns, 10)
    (tensor([0, 7, 0]), tensor([2, 0, 7]))
    """
    last = n_points - 1
    rows = torch.stack([row, last - col, last - row, col] * 2)
    cols = torch.stack([col, row, last - col, last - row] * 2)
    cols[4:] = last - cols[4:]
    return (
        rows.gather(0, turns[None])[0],
        cols.gather(0, turns[None])[0],
    )


def turn_vectors(
    batch: dict[str, torch.Tensor],
    vectors: list[list[str]],
    turns: torch.Tensor,
) -> None:
    """
    Turn the components of vectors with their images, in place.

    A quarter turn anticlockwise takes (east, north) to (-north, east); the mirror
    changes the sign of east.
    """
    cosines, sines = [1.0, 0.0, -1.0, 0.0] * 2, [0.0, 1.0, 0.0, -1.0] * 2
    signs = [1.0] * 4 + [-1.0] * 4
    cosine, sine, sign = torch.tensor([cosines, sines, signs], device=turns.device)[
        :, turns
    ]
    for east_name, north_name in vectors:
        east, north = batch[east_name], batch[north_name]
        shape = (-1,) + (1,) * (east.ndim - 1)
        c, s, m = cosine.view(shape), sine.view(shape), sign.view(shape)
        batch[east_name] = m * (c * east - s * north)
        batch[north_name] = s * east + c * north


def allowed_turns(augmentation: Augmentation | None) -> torch.Tensor | None:
    """
    Return the numbers of the `TURNS` that an augmentation draws from.

    >>> allowed_turns(Augmentation(rotations=True)).tolist()
    [0, 1, 2, 3]
    >>> allowed_turns(Augmentation(flips=True)).tolist()
    [0, 2, 4, 6]
    """
    if augmentation is None or not (augmentation.flips or augmentation.rotations):
        return None
    if augmentation.flips and augmentation.rotations:
        return torch.arange(8)
    # mirrors alone: left-right, up-down (a half turn and left-right), and both
    return torch.arange(4) if augmentation.rotations else torch.arange(0, 8, 2)


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
