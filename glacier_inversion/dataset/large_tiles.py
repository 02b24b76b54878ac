"""Tiles that memory should not hold whole: made part by part, by way of the disk."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from glacier_inversion.grid import Grid

_PIXEL = 4  # bytes
Part = tuple[slice, slice, NDArray[np.float32]]
"""Rows and columns of a tile, and the values there."""


class LaidAside:
    """
    The pixels of a tile in a file, row after row.

    A tile says in its first bytes what its pixels sum up to, so all must be there
    before it is written.

    Attributes
    ----------
    digest : str
        As `patches.tiles.digest` has it.
    valid : float
        The share of pixels that are known.
    """

    def __init__(self, file: BinaryIO, grid: Grid, parts: Iterable[Part]) -> None:
        self._file, self._grid = file, grid
        for rows, cols, values in parts:
            for row, line in zip(range(rows.start, rows.stop), values, strict=True):
                file.seek(_PIXEL * (row * grid.n_cols + cols.start))
                file.write(np.ascontiguousarray(line).data)
        file.flush()  # what cannot be written is found here
        summed, n_known = hashlib.sha256(), 0
        for rows in grid.strips():
            strip = self.strip(rows)
            summed.update(strip.data)
            n_known += int(np.isfinite(strip).sum())
        self.digest = summed.hexdigest()
        self.valid = n_known / (grid.n_rows * grid.n_cols)

    def strip(self, rows: slice) -> NDArray[np.float32]:
        """Return some rows, of all columns."""
        n_cols = self._grid.n_cols
        self._file.seek(_PIXEL * rows.start * n_cols)
        content = self._file.read(_PIXEL * (rows.stop - rows.start) * n_cols)
        return np.frombuffer(content, dtype=np.float32).reshape(-1, n_cols)
