"""
All patches of blocks at once: what flows through a network in a dense pass.

The patches of neighbouring points overlap. What an operation makes of them overlaps too
if it treats every place alike, so it is computed, and kept, only once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class PatchField:
    """
    An image, or a vector, for each point of one or more blocks of the lattice.

    The images of a block's points are windows of one large image: pixel (i, j) of the
    image at point (row, col) is its pixel (row + i * spacing, col + j * spacing). The
    large image is kept as its spacing x spacing phases, each of which takes every
    spacing-th row and column. So the image at a point is a plain window of one phase,
    and a convolution of the phases a plain convolution, not a dilated one.

    Attributes
    ----------
    values : tensor, shape (n_blocks * spacing**2, channels, m_rows, m_cols)
        One block's phases after the other's. Phase p * spacing + q has rows p,
        p + spacing, ... and columns q, q + spacing, ...; m_rows is n_rows / spacing +
        side - 1 for blocks of n_rows x n_cols points, whose numbers are multiples of
        the spacing.
    spacing : int
        Distance between neighbouring pixels of an image, in points.
    side : int
        Pixels per side of an image; 1 for a vector.
    is_vector : bool
        Channels are the units of a vector.
    """

    values: Tensor
    spacing: int
    side: int
    is_vector: bool = False

    @classmethod
    def of(cls, images: Tensor, spacing: int, side: int, is_vector: bool) -> PatchField:
        """
        Part images of shape (n_blocks, channels, rows, cols) into their phases.

        Rows and columns are multiples of the spacing: n_rows + (side - 1) * spacing.
        """
        n, channels, n_rows, n_cols = images.shape
        shape = (n, channels, n_rows // spacing, spacing, n_cols // spacing, spacing)
        phases = images.view(shape).permute(0, 3, 5, 1, 2, 4).flatten(0, 2)
        phases = phases.contiguous(memory_format=torch.channels_last)
        return cls(phases, spacing, side, is_vector)

    def images(self) -> Tensor:
        """Put the phases together to shape (n_blocks, channels, rows, cols)."""
        _, channels, m_rows, m_cols = self.values.shape
        k = self.spacing
        phases = self.values.view(-1, k, k, channels, m_rows, m_cols)
        shape = (-1, channels, m_rows * k, m_cols * k)
        return phases.permute(0, 3, 4, 1, 5, 2).reshape(shape)

    def respaced(self, spacing: int) -> PatchField:
        """Return images of a single pixel, or vectors, in the phases of a spacing."""
        if spacing == self.spacing:
            return self
        return PatchField.of(self.images(), spacing, self.side, self.is_vector)

    def halved(self, merge: Callable[[Tensor], Tensor]) -> PatchField:
        """
        Merge each 2 x 2 pixels of every image into one; an odd last row is dropped.

        Parameters
        ----------
        merge : function
            From images to images that are one row and column smaller: each pixel and
            its neighbours to the right, below, and below on the right made one.
        """
        side, k = self.side // 2, self.spacing
        merged = merge(self.values)
        channels, *rows_and_cols = self.values.shape[1:]
        # m = n / k + side - 1, before and after
        n_rows, n_cols = ((m - self.side + 1) // 2 + side - 1 for m in rows_and_cols)
        merged = merged[:, :, : 2 * n_rows, : 2 * n_cols]
        # images begin at even and odd pixels; row s of every 2 of phase p is phase
        # s * k + p of twice the spacing
        halves = merged.view(-1, k, k, channels, n_rows, 2, n_cols, 2)
        halves = halves.permute(0, 5, 1, 7, 2, 4, 6, 3)
        halves = halves.reshape(-1, n_rows, n_cols, channels)
        return PatchField(halves.permute(0, 3, 1, 2), 2 * k, side)

    def gather(self, row: Tensor, col: Tensor, block: Tensor | int = 0) -> Tensor:
        """Return the images, or vectors, at points of blocks, as a batch."""
        windows = self.values.unfold(2, self.side, 1).unfold(3, self.side, 1)
        k = self.spacing
        phase = (block * k + row % k) * k + col % k
        batch = windows[phase, :, row // k, col // k]
        return batch[..., 0, 0] if self.is_vector else batch


def common_spacing(fields: Sequence[PatchField]) -> int:
    """
    Return the spacing that fields can be brought to.

    Raises
    ------
    ValueError
        There is none; the text says of what.
    """
    fixed = {field.spacing for field in fields if field.side > 1}
    if len(fixed) > 1:
        spacings = " and ".join(map(str, sorted(fixed)))
        message = f"images whose pixels lie {spacings} of the finest pixels apart"
        raise ValueError(message)
    return max(fixed or {field.spacing for field in fields})
