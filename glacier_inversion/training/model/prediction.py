"""What an ensemble predicts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Prediction:
    """
    What an ensemble predicts at points of a lattice.

    Attributes
    ----------
    predicted : bool array, shape of the lattice
        The points that were wanted and whose inputs are valid enough.
    values : dict of float32 arrays, shape (n_members, n_points), by output
        In the outputs' units, points in row-major order.
    noise : dict of float32 arrays, shape (n_points,), by output
        The variance of the noise in the data, the mean of what the members say, in the
        outputs' units squared. Only of outputs whose loss is gaussian_nll, or
        nan_gaussian_nll.
    targets : dict of float32 arrays, by output
        Of all points that were wanted, in row-major order, NaN where unknown.
    lacking : dict of bool arrays, by input
        Of all points that were wanted, likewise: its patch has too few valid pixels.
        Empty where all that was wanted is predicted.
    dissimilarity : float32 array, shape (n_points,), optional
        As `Applicability.dissimilarity` has it; None of an ensemble without.
    """

    predicted: NDArray[np.bool_]
    values: dict[str, Floats]
    noise: dict[str, Floats]
    targets: dict[str, Floats]
    lacking: dict[str, NDArray[np.bool_]]
    dissimilarity: Floats | None = None
