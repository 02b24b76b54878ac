"""
What a patch holds in few numbers: the mean and the middle of every input.

They are those of what networks see: an unknown pixel counts as the mean by which inputs
are normalised, so a patch with many of them is nearer to it than its known pixels are.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from glacier_inversion.patches.interpolation import Floats
from glacier_inversion.patches.lattice import LatticeTiles, Layout, windows_sum
from glacier_inversion.patches.scale import Scale


def n_statistics(layout: Layout) -> int:
    """Return how many numbers a patch has."""
    return len(layout.scalars) + sum(
        2 if _has_middle(layout, n) else 1 for n in layout.images
    )


def gathered_statistics(inputs: Mapping[str, torch.Tensor], layout: Layout) -> Floats:
    """
    Return the statistics of patches as networks see them.

    Parameters
    ----------
    inputs : mapping of float32 tensors
        Images of shape (n, 1, side, side), scalars of shape (n, 1): normalised, and 0
        where unknown.

    Returns
    -------
    statistics : float32 array, shape (n, n_statistics)
        Of each image its mean and that of its middle pixel, or of the four around the
        middle; the values of scalars.
    """
    columns = []
    for name in layout.images:
        patches = inputs[name].flatten(2)[:, 0].double()
        columns.append(patches.mean(1))
        if _has_middle(layout, name):
            begin, n_px = _middle(layout, name)
            middle = inputs[name][:, 0, begin : begin + n_px, begin : begin + n_px]
            columns.append(middle.double().mean((1, 2)))
    columns += [inputs[name][:, 0].double() for name in layout.scalars]
    return torch.stack(columns, 1).cpu().numpy().astype(np.float32)


def lattice_statistics(
    part: LatticeTiles, layout: Layout, scales: Mapping[str, Scale]
) -> Floats:
    """
    Return the statistics of the patch at every point of a lattice.

    Parameters
    ----------
    scales : mapping of Scale
        Normalisation of the inputs.

    Returns
    -------
    statistics : float32 array, shape (n_rows, n_cols, n_statistics)
        As `gathered_statistics` returns them, within rounding.
    """
    shape = part.points.shape
    columns = []

    def seen(values: Floats, name: str) -> Floats:
        scale = scales[name]
        normal: Floats = (values - np.float32(scale.mean)) / np.float32(scale.std)
        return np.nan_to_num(normal, copy=False)

    for name, factor in layout.images.items():
        image = seen(part.images[name], name)
        n_px = layout.patch_px(name)
        windows = [(0, n_px)]
        if _has_middle(layout, name):
            windows.append(_middle(layout, name))
        for begin, n_of in windows:
            sums = windows_sum(image[begin * factor :, begin * factor :], n_of, factor)
            columns.append(sums[: shape[0], : shape[1]] / np.float32(n_of**2))
    columns += [seen(part.scalars[name], name) for name in layout.scalars]
    return np.stack(columns, axis=-1)


def _has_middle(layout: Layout, name: str) -> bool:
    """Tell whether the middle of a patch is not all of it."""
    return layout.patch_px(name) > 2


def _middle(layout: Layout, name: str) -> tuple[int, int]:
    """Return where the middle of a patch begins and how many pixels wide it is."""
    n_px = layout.patch_px(name)
    return (n_px - 1) // 2, 2 - n_px % 2
