"""Points of the lattices of many features, each kept as one number."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class LatticePoints:
    """
    Points of the lattices of many features, one feature after the other.

    Attributes
    ----------
    places : int32 tensor, shape (n,)
        Where each lies on its lattice, counted row by row.
    first, widths : int64 tensors, shape (n_features,)
        The index of a feature's first point, and the columns of its lattice.

    Examples
    --------
    >>> points = LatticePoints(
    ...     torch.tensor([0, 5, 0, 7]), torch.tensor([0, 2]), torch.tensor([3, 4])
    ... )
    >>> points[torch.tensor([3, 1])].tolist()  # feature, row, column
    [[1, 1, 3], [0, 1, 2]]
    >>> points[2:].tolist(), len(points)
    ([[1, 0, 0], [1, 1, 3]], 4)
    """

    places: torch.Tensor
    first: torch.Tensor
    widths: torch.Tensor

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.places)

    def __getitem__(self, index: torch.Tensor | slice) -> torch.Tensor:
        """Return feature, row and column: an int64 tensor of shape (n, 3)."""
        if isinstance(index, slice):
            index = torch.arange(len(self), device=self.places.device)[index]
        feature = torch.searchsorted(self.first, index, right=True) - 1
        place, width = self.places[index].long(), self.widths[feature]
        row = torch.div(place, width, rounding_mode="floor")
        return torch.stack([feature, row, place - row * width], dim=1)

    def to(self, device: torch.device) -> LatticePoints:
        """Return the same on a device."""
        return LatticePoints(
            self.places.to(device), self.first.to(device), self.widths.to(device)
        )
