"""Tiles that were found to be as they were built; small ones are held to be used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glacier_inversion.errors import RasterError
from glacier_inversion.geodata.geotiffs import read_grid, read_tile
from glacier_inversion.geodata.tile_files import read_on
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
        """Tell whether a tile is there, on its grid and with its values."""
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
        """Return the digest of a tile, None if it is on another grid."""
        if grid.n_rows * grid.n_cols > _MOST_HELD:
            if read_grid(path) != grid:
                return None
            cols = slice(0, grid.n_cols)
            return digest_strips(read_tile(path, rows, cols) for rows in grid.strips())
        values = read_on(path, grid)
        if values is None:
            return None
        if any(held.parent != path.parent for held in self._held):
            self._held.clear()
        self._held[path] = values
        return digest(values)
