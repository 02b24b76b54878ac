"""Patches, gathered by index into batches."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from glacier_inversion.patches.array_store import ArrayStore
from glacier_inversion.patches.interpolation import Floats
from glacier_inversion.patches.lattice import Layout
from glacier_inversion.patches.scale import Scale
from glacier_inversion.patches.symmetries import _patch_pixels


class PatchSource:
    """
    Patches of any number of features, gathered by index into batches.

    Every image is kept once, normalised, NaN as 0 (the training mean), all one after
    the other in a flat tensor. A batch is one gather per input.

    Parameters
    ----------
    layout : Layout
    store : ArrayStore
        What holds the images.
    images : mapping of lists of int
        Their numbers in it, by input, one a feature.
    """

    def __init__(
        self,
        layout: Layout,
        store: ArrayStore,
        images: Mapping[str, Sequence[int]],
    ) -> None:
        self.layout = layout
        self.device = torch.device("cpu")
        self._flat = store.flat()
        self._start: dict[str, torch.Tensor] = {}
        self._height: dict[str, torch.Tensor] = {}
        self._width: dict[str, torch.Tensor] = {}
        for name, numbers in images.items():
            shapes = [store.shapes[number] for number in numbers]
            self._start[name] = torch.tensor([store.starts[n] for n in numbers])
            self._height[name] = torch.tensor([n_rows for n_rows, _ in shapes])
            self._width[name] = torch.tensor([n_cols for _, n_cols in shapes])

    def with_images(self, flat: torch.Tensor) -> PatchSource:
        """Return the same with the images of another tensor."""
        other = copy.copy(self)
        other._flat = flat
        return other

    def to(self, device: torch.device) -> PatchSource:
        """Return the same patches on a device."""
        moved = copy.copy(self)
        moved.device = device
        moved._flat = self._flat.to(device)
        moved._start, moved._height, moved._width = (
            {name: values.to(device) for name, values in part.items()}
            for part in (self._start, self._height, self._width)
        )
        return moved

    @property
    def nbytes(self) -> int:
        """Memory of the images."""
        return self._flat.nbytes

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
            batch[name] = self._flat[index].unsqueeze(1)
        for name in self.layout.scalars:
            width = self._width[name][feature]
            index = self._start[name][feature] + row * width + col
            batch[name] = self._flat[index].unsqueeze(1)
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
            batch[name] = self._flat[index].unsqueeze(1)
        return batch


def normalise(image: Floats, scale: Scale) -> Floats:
    """Return an image normalised, NaN as 0."""
    normalised = np.subtract(image, np.float32(scale.mean))
    normalised *= np.float32(1 / scale.std)
    return np.nan_to_num(normalised, copy=False, nan=0.0)
