"""Cut the points of a block into parts that dense passes are worth their cost for."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from glacier_inversion.training.network.dense import DensePlan
from glacier_inversion.training.network.devices import Device

Part = tuple[slice, slice]
"""Rows and columns of a block."""

# The multiply-adds of patches take this many times as long as those of a dense pass.
_SLOWNESS = 1.5
# Parts of fewer rows and columns are not cut further.
_SHORTEST = 16
# What cutting must gain for the parts to be kept.
_GAIN = 0.95


def cut(
    wanted: NDArray[np.bool_], plan: DensePlan, device: Device, with_patches: bool
) -> list[Part]:
    """
    Cover the points that are wanted with rectangles, at the least cost.

    Parameters
    ----------
    wanted : bool array, shape of the block
    device : Device
        Limits the memory of a dense pass, unless it is over a single period.
    with_patches : bool
        Leave out points that are so scattered that evaluating them patch by patch
        costs less.

    Returns
    -------
    parts : list of Part
        They do not overlap.
    """
    return _cut(wanted, 0, 0, plan, device, with_patches)[1]


def _cut(
    wanted: NDArray[np.bool_],
    row: int,
    col: int,
    plan: DensePlan,
    device: Device,
    with_patches: bool,
) -> tuple[float, list[Part]]:
    """Return the cost, in multiply-adds, and the parts of a rectangle at (row, col)."""
    rows, cols = (np.flatnonzero(wanted.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return 0.0, []
    wanted = wanted[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
    row, col = row + int(rows[0]), col + int(cols[0])
    n_rows, n_cols = wanted.shape
    n_wanted = int(wanted.sum())

    height, width = plan.rounded(n_rows), plan.rounded(n_cols)
    shortest = max(_SHORTEST, plan.period)
    is_small = max(n_rows, n_cols) <= shortest
    cost, parts = math.inf, [(slice(row, row + n_rows), slice(col, col + n_cols))]
    if is_small or plan.n_bytes(height, width) <= device.most_bytes:
        gathered = n_wanted * plan.per_gathered * _SLOWNESS
        cost = plan.multiply_adds(height, width) + gathered + device.calls
        if n_wanted == n_rows * n_cols:
            is_small = True  # two halves have more edge
    cost_of_patches = n_wanted * plan.per_patch * _SLOWNESS
    if with_patches and cost_of_patches < cost:
        cost, parts = cost_of_patches, []
    if is_small:
        return cost, parts

    if n_rows >= n_cols:
        half = plan.rounded(n_rows // 2)
        halves = (wanted[:half], row, col), (wanted[half:], row + half, col)
    else:
        half = plan.rounded(n_cols // 2)
        halves = (wanted[:, :half], row, col), (wanted[:, half:], row, col + half)
    costs, of_halves = zip(
        *(_cut(*part, plan, device, with_patches) for part in halves), strict=True
    )
    if sum(costs) < _GAIN * cost:
        return sum(costs), of_halves[0] + of_halves[1]
    return cost, parts
