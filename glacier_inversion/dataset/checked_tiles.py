"""Tiles that were found to be as they were built; small ones are held to be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glacier_inversion.errors import RasterError
from glacier_inversion.geodata.geotiffs import opened_pixels
from glacier_inversion.grid import Grid
from glacier_inversion.patches.tiles import digest, digest_strips

_MOST_HELD = 2**20  # pixels of a tile


class CheckedTiles:
    """
    Tiles that were found to be as they were built, each checked once.

    Tiles of up to a million pixels are held until those of another feature are checked,
    so that they are read once.
    """

    def __init__(self) -> None:
        self._checked: set[Path] = set()
        self._held: dict[Path, NDArray[np.float32]] = {}

    def is_as_built(self, path: Path, grid: Grid, sha256: str) -> bool:
        """Tell whether a tile is there and whole; the grid says where it lies."""
        if path in self._checked:
            return True
        try:
            is_ours = self._digest(path, grid) == sha256
        except RasterError:
            return False
        if is_ours:
            self._checked.add(path)
        return is_ours

    def held(self, path: Path) -> NDArray[np.float32] | None:
        """Return all values of a tile, if it was checked and is held."""
        return self._held.get(path) if path in self._checked else None

    def _digest(self, path: Path, grid: Grid) -> str | None:
        """Return the digest of a tile, None if it has other pixels than its grid."""
        with opened_pixels(path) as src:
            if src.shape != grid.shape:  # it may say that it has any number of pixels
                return None
            if grid.n_rows * grid.n_cols > _MOST_HELD:
                return digest_pixels(src, grid)
            values: NDArray[np.float32] = src.read(1)
        if any(held.parent != path.parent for held in self._held):
            self._held.clear()
        self._held[path] = values
        return digest(values)


def digest_pixels(src: Any, grid: Grid) -> str:
    """Return the digest of an open tile, of which only some rows are held."""
    return digest_strips(
        src.read(1, window=((rows.start, rows.stop), (0, grid.n_cols)))
        for rows in grid.strips()
    )
