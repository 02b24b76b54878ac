"""Targets that a network's last activation cannot give."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from glacier_inversion.choices import RANGES
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.patches.interpolation import Floats

ROUNDING = 1e-6
"""Of float32 numbers, which warping may take beyond a bound."""


def find_out_of_reach(
    experiment: Experiment, train: Floats, validation: Floats
) -> Iterator[str]:
    """
    Say of which outputs targets lie where no prediction can.

    A network learns them as its bound, and the loss alone would not tell. A loss that
    is for targets of 0 to 1 is judged elsewhere, with its metrics.

    Parameters
    ----------
    train, validation : float32 arrays, shape (n_points, n_outputs)
        Targets of points that may be samples, in the outputs' units, NaN where unknown.
    """
    for i, variable in enumerate(experiment.outputs):
        activation = experiment.last_activation(variable.name)
        loss = experiment.losses_name[variable.name]
        if activation not in RANGES or loss.endswith("binary_crossentropy"):
            continue
        known = [part[np.isfinite(part[:, i]), i] for part in (train, validation)]
        values = np.concatenate(known)
        low, high = RANGES[activation]
        if math.isinf(high) and experiment.normalization != "none" and low:
            if experiment.extra_training is not None:
                continue  # its targets, which are not read here, move the bound
            low *= _std(known[0])  # in which targets are learnt
        margin = ROUNDING * np.abs(values).max(initial=0.0)
        n_beyond = int(((values < low - margin) | (values > high + margin)).sum())
        if not n_beyond:
            continue
        gives = f"{low:g} or more" if math.isinf(high) else f"{low:g} to {high:g}"
        other = "linear" if values.min() < 0 else "softplus"
        raster = experiment.dataset_description.raster(variable.name)
        yield (
            f"outputs: {variable.name}: the last_activation {activation!r} gives "
            f"{gives}, and {n_beyond:,} of {values.size:,} targets are beyond: those "
            f"of {raster.origin} are {values.min():g} to {values.max():g}. They would "
            f"be learnt as the bound. Use {other!r}, or correct the raster"
        )


def _std(known: Floats) -> float:
    return float(known.std(dtype=np.float64)) or 1.0 if known.size else 1.0
