"""The known pixels of features: what is evaluated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class KnownPixels:
    """
    The pixels of features at which an output is known.

    Attributes
    ----------
    features : list of str
        All that were looked at, those without a known pixel, too.
    feature : int array, shape (n_pixels,)
        The number of each pixel's feature among them.
    x, y : float64 arrays, shape (n_pixels,), CRS units
        The pixels' centres.
    observed : float64 array, shape (n_pixels,), the output's unit
    rasters : dict of float64 arrays, shape (n_pixels,)
        Other rasters there, read bilinearly, NaN where unknown.
    members : float64 array, shape (n_members, n_pixels), the output's unit
        What each member predicts, NaN where nothing can be predicted. No member where
        nothing was asked for.
    """

    features: list[str]
    feature: NDArray[np.intp]
    x: Floats
    y: Floats
    observed: Floats
    rasters: dict[str, Floats]
    members: Floats
