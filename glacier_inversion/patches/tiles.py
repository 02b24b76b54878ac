"""A feature's tiles in memory: what the geodata modules and the networks share."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glacier_inversion.grid import Bounds, Grid

Arrays = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Tiles:
    """
    The rasters of one feature, or of a window of it.

    Attributes
    ----------
    feature : str
    split : str or None
    grid : Grid
        The pixels at the finest resolution; every array covers its bounds.
    inputs : dict of float32 arrays, shape (n_rows, n_cols) of their own resolution
        What the network reads, NaN where unknown.
    targets : dict of float32 arrays, likewise
        What it predicts, NaN where unknown and where the target is another feature's.
    """

    feature: str
    split: str | None
    grid: Grid
    inputs: Arrays
    targets: Arrays


def digest(array: NDArray[np.float32]) -> str:
    """Identify the pixels of a tile."""
    return hashlib.sha256(array.tobytes()).hexdigest()


def digest_strips(strips: Iterable[NDArray[np.float32]]) -> str:
    """Identify the pixels of a tile from its rows, some at a time, as `digest` does."""
    summed = hashlib.sha256()
    for strip in strips:
        summed.update(np.ascontiguousarray(strip).data)
    return summed.hexdigest()


def digest_all(parts: Iterable[tuple[str, str | None, Bounds, str]]) -> str:
    """Identify tiles of several features: id, split, bounds and digest of each."""
    return hashlib.sha256(json.dumps(sorted(parts)).encode()).hexdigest()


def contents(tiles: Iterable[Tiles]) -> dict[str, str]:
    """
    Identify what a network is trained on, by variable.

    Returns
    -------
    contents : dict of str
        Keys such as ``dataset.inputs.slope``; targets as they are masked.
    """
    parts: dict[str, list[tuple[str, str | None, Bounds, str]]] = {}
    for part in tiles:
        for kind, arrays in (("inputs", part.inputs), ("targets", part.targets)):
            for name, array in arrays.items():
                entry = (part.feature, part.split, part.grid.bounds, digest(array))
                parts.setdefault(f"dataset.{kind}.{name}", []).append(entry)
    return {key: digest_all(entries) for key, entries in parts.items()}
