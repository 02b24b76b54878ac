"""A feature's tiles in memory: what the geodata modules and the networks share."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.grid import Bounds, Grid, common_multiple

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
    experiment: Experiment, inputs: Mapping[str, ArrayLike], transform: Sequence[float]
) -> Tiles:
    """
    Take arrays for the input tiles of a feature.

    Parameters
    ----------
    inputs : mapping of arrays, shape (n_rows, n_cols) of their own resolution
        Every input of the experiment, of the same ground.
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
        message = f"Invalid inputs {sorted(inputs)}. Must be {sorted(names)}."
        raise ValueError(message)
    finest = min(variable.resolution for variable in experiment.inputs)
    a, b, left, d, e, top = (float(number) for number in transform[:6])
    if (a, b, d, e) != (finest, 0.0, 0.0, -finest):
        message = (
            f"Invalid transform {(a, b, left, d, e, top)}. Must be north up, with the "
            f"pixels of the finest input: ({finest:g}, 0, left, 0, -{finest:g}, top)."
        )
        raise ValueError(message)
    arrays = {name: np.asarray(inputs[name], dtype=np.float32) for name in names}
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
