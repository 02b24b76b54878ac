"""The highest value within a circle around each pixel."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d


def highest_within(
    values: NDArray[np.float64], radius_px: float
) -> NDArray[np.float64]:
    """
    Return the highest known value of the pixels whose centres are within a circle.

    Parameters
    ----------
    values : float64 array, shape (n_rows, n_cols)
        NaN where unknown.
    radius_px : float
        In pixels.

    Returns
    -------
    highest : float64 array of the same shape
        NaN where nothing within the circle is known.

    Examples
    --------
    >>> highest_within(np.array([[1.0, 2.0], [np.nan, 4.0]]), 1.0).tolist()
    [[2.0, 4.0], [4.0, 4.0]]
    """
    known = np.where(np.isnan(values), -np.inf, values)
    highest = np.full(values.shape, -np.inf)
    n_rows = len(values)
    reach = min(math.floor(radius_px + 1e-9), n_rows - 1)
    for offset in range(reach + 1):
        half = math.floor(math.sqrt(max(radius_px**2 - offset**2, 0.0)) + 1e-9)
        rows = maximum_filter1d(
            known, 2 * half + 1, axis=1, mode="constant", cval=-np.inf
        )
        for to, of in (
            (slice(0, n_rows - offset), slice(offset, n_rows)),
            (slice(offset, n_rows), slice(0, n_rows - offset)),
        ):
            np.maximum(highest[to], rows[of], out=highest[to])
    return np.where(np.isneginf(highest), np.nan, highest)
