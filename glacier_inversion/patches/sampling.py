"""Samples: which points of the lattice give one, and whether their targets serve."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from glacier_inversion.choices import UNKNOWN_LEFT_OUT
from glacier_inversion.errors import DatasetError
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.experiment.sections import Output
from glacier_inversion.experiment.transforms import LogTransform
from glacier_inversion.grid import Grid
from glacier_inversion.patches.interpolation import Floats
from glacier_inversion.patches.lattice import LatticeTiles, Layout
from glacier_inversion.patches.target_ranges import ROUNDING, find_out_of_reach

_MOST_RAISED = 0.1  # of the targets, to the floor of their logarithm


def spacing_of(experiment: Experiment) -> float:
    """Return the side of the cells that give one sample each, CRS units."""
    return experiment.sampling.spacing or experiment.area_size


def find_points(
    part: LatticeTiles, layout: Layout
) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats]:
    """
    Find the points that may be samples: a known target, and inputs valid enough.

    Returns
    -------
    row, col : int arrays, shape (n,)
    targets : float32 array, shape (n, n_outputs), NaN where unknown
    """
    values = np.stack([part.targets[name] for name in layout.outputs], axis=-1)
    known = np.isfinite(values).any(axis=-1) & part.usable
    row, col = np.nonzero(known)
    return row, col, values[row, col]


def find_cells(
    points: Grid, row: NDArray[np.intp], col: NDArray[np.intp], spacing: float
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """
    Return the cells that points fall into, and their distances from the centres.

    A point on the side of a cell belongs to the cell beyond it, and points that are as
    far from a centre as each other are so to the last digit.

    Returns
    -------
    cell : int array, shape (n, 2)
    distance : float array, shape (n,), pixels of *points*
    """
    place = np.column_stack([points.x(col), points.y(row)]) / spacing
    cell_px = spacing / points.resolution
    # neighbours lie a pixel apart; coordinates are rounded by far less than 1e-6 of it
    cell = np.floor(place + 1e-6 / cell_px)
    distance = np.hypot(*(place - cell - 0.5).T) * cell_px
    return cell.astype(np.intp), np.round(distance, 6)


def sort_by_cell(
    cells: NDArray[np.intp], distances: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """
    Sort points by cell, in each the nearest to its centre first.

    Parameters
    ----------
    cells : int array, shape (n, n_indices)
    distances : float array, shape (n,)

    Returns
    -------
    order : int array, shape (n,)
    number : int array, shape (n,)
        Of each point's cell, from 0 on, in this order.
    """
    order = np.lexsort((distances, *cells.T[::-1]))
    begins = (np.diff(cells[order], axis=0) != 0).any(axis=1)
    number = np.concatenate([[0], np.cumsum(begins)])[: len(order)]
    return order, number.astype(np.intp)


def count_samples(
    part: LatticeTiles,
    row: NDArray[np.intp],
    col: NDArray[np.intp],
    targets: Floats,
    spacing: float,
) -> int:
    """Count the points that serve a feature's cells: the nearest for each output."""
    cells, distances = find_cells(part.points, row, col, spacing)
    order, number = sort_by_cell(cells, distances)
    nearest = []
    for known in np.isfinite(targets[order]).T:
        points = np.flatnonzero(known)
        _, first = np.unique(number[points], return_index=True)
        nearest.append(points[first])
    return len(np.unique(np.concatenate(nearest)))


def check_targets(
    experiment: Experiment,
    targets: Mapping[str, Floats],
    n_features: Mapping[str, int],
    warn: Callable[[str], object],
) -> None:
    """
    Check that there are samples, with the targets that losses and metrics need.

    Parameters
    ----------
    targets : mapping of float32 arrays, shape (n_points, n_outputs)
        Of all points that may be samples, by split: 'train' and 'validation', and
        'extra' where there is extra_training.
    n_features : mapping of int
        By split.
    warn : callable
        Hears of targets that are odd.

    Raises
    ------
    DatasetError
        There are no training samples, or none to mix in; no validation samples, with a
        criterion that needs them; unknown targets, with a loss or metric that needs
        them all; or targets of a crossentropy below 0 or above 1.
    """
    for split, needed in (
        ("train", True),
        ("validation", experiment.criterion.startswith("val_")),
    ):
        if needed and len(targets[split]) == 0:
            word = "training" if split == "train" else split
            message = (
                f"{experiment.dataset_description.dataset_name}: the {word} features "
                f"({n_features[split]}) hold no samples. Must hold one at least: a "
                "point with a known target whose window lies in the tile and is valid. "
                "Look at the split and the shares of valid pixels, which 'ginv check "
                "-v' shows."
            )
            raise DatasetError(message)
        _check_losses(experiment, targets[split], split, warn)
    extra = experiment.extra_training
    if extra is not None and "extra" in targets:
        if len(targets["extra"]) == 0:
            message = describe_none_to_mix_in(extra.dataset, n_features["extra"])
            raise DatasetError(message)
        _check_losses(experiment, targets["extra"], "extra", warn)
    _check_criterion(experiment, targets["validation"])
    for odd in find_out_of_reach(experiment, targets["train"], targets["validation"]):
        warn(odd)


def describe_none_to_mix_in(dataset: str, n_features: int) -> str:
    """Say that so many training features of the extra dataset give no sample."""
    return (
        f"extra_training.dataset: the {n_features} training features of {dataset!r} "
        "hold no samples. Must hold one at least: a point with a known target whose "
        "window lies in the tile and is valid. Look at its split and its rasters with "
        "'ginv check -v' and its file."
    )


def _check_criterion(experiment: Experiment, validation: Floats) -> None:
    """Refuse a criterion on an output that validation never sees."""
    criterion = experiment.criterion.removeprefix("val_")
    if criterion == experiment.criterion:
        return
    for i, output in enumerate(experiment.outputs):
        unknown = bool(np.isnan(validation[:, i]).all())
        if unknown and criterion.startswith(f"{output.name}_"):
            message = (
                f"criterion: {experiment.criterion!r} needs targets of "
                f"{output.name!r}, and the validation features hold none. Must be of "
                "an output that they hold. Use another criterion, or another split."
            )
            raise DatasetError(message)


def _check_losses(
    experiment: Experiment,
    targets: Floats,
    split: str,
    warn: Callable[[str], object],
) -> None:
    """Look for targets that an output's loss or metrics cannot use."""
    for i, output in enumerate(experiment.outputs):
        used: list[str] = [experiment.losses_name[output.name]]
        used += experiment.metrics_name.get(output.name, [])
        known = targets[~np.isnan(targets[:, i]), i]
        if split == "train" and len(known) == 0:
            message = (
                f"outputs: {output.name}: no training point has a target. Must have "
                "one. Look at its raster and the split, or remove the output."
            )
            raise DatasetError(message)
        _check_transform(output, known, split, warn)
        beyond = ((known < -ROUNDING) | (known > 1 + ROUNDING)).any()
        if beyond and any(name.endswith("binary_crossentropy") for name in used):
            message = (
                f"losses_name, metrics_name: {output.name}: a binary_crossentropy is "
                f"for targets of 0 to 1, and those of {split} are {known.min():g} to "
                f"{known.max():g}. Must be probabilities, such as 0 and 1 of a mask. "
                "Use another loss and metric, or correct the raster."
            )
            raise DatasetError(message)
        needing = [name for name in used if not name.startswith(UNKNOWN_LEFT_OUT)]
        n_unknown = len(targets) - len(known)
        if needing and n_unknown:
            message = (
                f"losses_name, metrics_name: {output.name}: {needing[0]!r} needs every "
                f"target, and {n_unknown} of {len(targets)} {split} points "
                f"have none. Must be known everywhere. Use '{UNKNOWN_LEFT_OUT}"
                f"{needing[0]}'."
            )
            raise DatasetError(message)


def _check_transform(
    output: Output, known: Floats, split: str, warn: Callable[[str], object]
) -> None:
    """Look for targets that the output's transform does not keep."""
    transform = output.transform
    if transform is None or len(known) == 0:
        return
    if known.min() < 0:
        message = (
            f"outputs: {output.name}: the transform {transform.name!r} is of values "
            f"that are not below 0, and {int((known < 0).sum())} of the {len(known)} "
            f"known {split} targets are, down to {known.min():g}. Must not be. Leave "
            "the transform out, or mend the raster."
        )
        raise DatasetError(message)
    if isinstance(transform, LogTransform):
        raised = float((known < transform.floor).mean())
        if raised > _MOST_RAISED:
            warn(
                f"outputs: {output.name}: {raised:.0%} of the known {split} targets "
                f"are below the floor of the logarithm, {transform.floor:g}, and are "
                "learnt as if they were that"
            )
