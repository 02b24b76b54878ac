"""A feature's tiles in memory: what the geodata modules and the networks share."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import ArrayLike, NDArray

from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.grid import Bounds, Grid, common_multiple

_SAME = 1e-9  # of a pixel: the rounding of a transform

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


def tiles_of_arrays(
    experiment: Experiment,
    inputs: Mapping[str, ArrayLike],
    transform: Affine | Sequence[float],
) -> Tiles:
    """
    Take arrays for the input tiles of a feature.

    Parameters
    ----------
    inputs : mapping of arrays, shape (n_rows, n_cols) of their own resolution
        Every input of the experiment, of the same ground. Masked and infinite values
        become NaN.
    transform : six numbers or more
        Of the finest input, as `affine.Affine` has them: north up.

    Raises
    ------
    ValueError
        An input is missing or unknown, its shape does not fit, or the transform does
        not.
    """
    names = [variable.name for variable in experiment.inputs]
    if set(inputs) != set(names):
        message = f"Invalid inputs {sorted(map(str, inputs))}. Must be {sorted(names)}."
        raise ValueError(message)
    finest = min(variable.resolution for variable in experiment.inputs)
    numbers = np.array([*transform][:6], dtype=np.float64)
    expected = np.array([finest, 0.0, np.nan, 0.0, -finest, np.nan])
    is_place = np.isnan(expected)
    if (
        numbers.shape != expected.shape
        or not np.isfinite(numbers).all()
        or np.abs(numbers - expected)[~is_place].max() > _SAME * finest
    ):
        message = (
            f"Invalid transform {tuple(numbers.tolist())}. Must be north up, with the "
            f"pixels of the finest input: ({finest:g}, 0, left, 0, -{finest:g}, top)."
        )
        raise ValueError(message)
    left, top = numbers[is_place].tolist()
    arrays = {name: _as_tile(name, inputs[name]) for name in names}
    sizes = {}
    for variable in experiment.inputs:
        array = arrays[variable.name]
        if array.ndim != 2:
            message = (
                f"Invalid inputs[{variable.name!r}] of shape {array.shape}. Must have "
                "rows and columns."
            )
            raise ValueError(message)
        sizes[variable.name] = [round(n * variable.resolution, 6) for n in array.shape]
    height, width = sizes[names[0]]
    step = common_multiple(v.resolution for v in experiment.variables())
    for name, size in sizes.items():
        if size != [height, width] or any(
            round(side % step, 6) % step for side in size
        ):
            message = (
                f"Invalid inputs[{name!r}] of shape {arrays[name].shape}: it covers "
                f"{size[0]:g} x {size[1]:g}. Must cover the same ground as the others, "
                f"whole multiples of {step:g}."
            )
            raise ValueError(message)
    bounds = left, top - height, left + width, top
    grid = Grid.from_bounds(bounds, experiment.finest_resolution)
    return Tiles("", None, grid, arrays, {})


def _as_tile(name: str, values: ArrayLike) -> NDArray[np.float32]:
    """Return an array of a user's as a tile: NaN where it is masked or no number."""
    array: np.ma.MaskedArray[Any, Any] = np.ma.asarray(values)
    if array.dtype.kind not in "iuf":
        kind = array.dtype
        message = f"Invalid inputs[{name!r}] of {kind}. Must be integers or floats."
        raise ValueError(message)
    with np.errstate(over="ignore"):
        tile = np.ma.filled(array.astype(np.float32), np.nan)
    tile[~np.isfinite(tile)] = np.nan
    return tile


def digest(array: NDArray[np.float32]) -> str:
    """Identify the pixels of a tile."""
    return digest_strips([array])


def digest_strips(strips: Iterable[NDArray[np.float32]]) -> str:
    """Identify the pixels of a tile from its rows, some at a time, as `digest` does."""
    summed = hashlib.sha256()
    for strip in strips:
        summed.update(np.ascontiguousarray(strip).data)
    return summed.hexdigest()


def digest_all(parts: Iterable[tuple[str, str | None, Bounds, str]]) -> str:
    """Identify tiles of several features: id, split, bounds and digest of each."""
    return hashlib.sha256(json.dumps(sorted(parts)).encode()).hexdigest()


class Contents:
    """
    What identifies tiles that a network is trained on, collected one by one.

    Parameters
    ----------
    whose : str
        With which the keys begin: 'dataset' or 'extra_training'.
    """

    def __init__(self, whose: str) -> None:
        self._whose = whose
        self._parts: dict[str, list[tuple[str, str | None, Bounds, str]]] = {}

    def add(self, tiles: Tiles) -> None:
        """Take the next feature; targets as they are masked."""
        for kind, arrays in (("inputs", tiles.inputs), ("targets", tiles.targets)):
            for name, array in arrays.items():
                entry = (tiles.feature, tiles.split, tiles.grid.bounds, digest(array))
                self._parts.setdefault(f"{self._whose}.{kind}.{name}", []).append(entry)

    def digests(self) -> dict[str, str]:
        """Return a digest by variable, with keys such as ``dataset.inputs.slope``."""
        return {key: digest_all(entries) for key, entries in self._parts.items()}


def contents(tiles: Iterable[Tiles]) -> dict[str, str]:
    """Identify the tiles of features, as `Contents` does."""
    collected = Contents("dataset")
    for part in tiles:
        collected.add(part)
    return collected.digests()
