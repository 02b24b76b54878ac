"""Statistics over the members of an ensemble."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from glacier_inversion.choices import MEMBER_STATISTIC

# Points whose values are widened to float64 at once.
_SLICE = 65_536
_NAMES = "mean, std, median, min, max, or a quantile such as q05"
AnyFloat = TypeVar("AnyFloat", np.float32, np.float64)


@dataclass(frozen=True)
class PredictedMap:
    """
    What an ensemble predicts of one output, as a map.

    Attributes
    ----------
    members : float32 array, shape (n_members, n_rows, n_cols)
        In the output's unit, NaN where nothing is predicted.
    transform : affine.Affine
        From (col, row) to (x, y); the centres of pixels are the predicted points.
    noise : float32 array, shape (n_rows, n_cols), or None
        The standard deviation of the noise in the data, the root of the mean variance
        that the members say: with the losses gaussian_nll and nan_gaussian_nll.
    """

    members: NDArray[np.float32]
    transform: Affine
    noise: NDArray[np.float32] | None = None

    @cached_property
    def mean(self) -> NDArray[np.float32]:
        """The members' mean: float32, shape (n_rows, n_cols)."""
        return self.statistic("mean")

    @cached_property
    def std(self) -> NDArray[np.float32]:
        """Their standard deviation, ddof 1; NaN of one member."""
        return self.statistic("std")

    def statistic(self, name: str) -> NDArray[np.float32]:
        """Return mean, std, median, min, max, or a quantile such as q05, of them."""
        n_members, *shape = self.members.shape
        return statistic(name, self.members.reshape(n_members, -1)).reshape(shape)


def statistic(name: str, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """
    Compute a statistic over the members, in float64 and two passes.

    Parameters
    ----------
    name : str
        mean, std (ddof 1; NaN of one member), median, min, max, or qNN.
    values : float32 array, shape (n_members, n_points)

    Returns
    -------
    result : float32 array, shape (n_points,)

    Examples
    --------
    >>> statistic("std", np.array([[1], [3]], dtype=np.float32)).round(3).tolist()
    [1.4140000343322754]
    >>> statistic("std", np.array([[1]], dtype=np.float32)).tolist()
    [nan]
    """
    result = np.empty(values.shape[1:], dtype=np.float32)
    for begin in range(0, values.shape[1], _SLICE):
        part = slice(begin, begin + _SLICE)
        result[part] = _of_slice(name, values[:, part].astype(np.float64))
    return result


def total_spread(std: NDArray[AnyFloat], noise: NDArray[AnyFloat]) -> NDArray[AnyFloat]:
    """
    Join the spread of members and the noise in the data, by the law of total variance.

    The variance of what is observed is that of the members' means and the mean of the
    variances that they say.

    Parameters
    ----------
    std : float array, shape (n_points,)
        Of the members. NaN, as it is of one member, counts as 0 beside a noise.
    noise : float array, shape (n_points,), the unit of *std* squared
        The mean of the members' variances, NaN where they say nothing of it.

    Returns
    -------
    spread : float array, shape (n_points,), the unit of *std*
        That of the members alone where the noise is NaN.

    References
    ----------
    Lakshminarayanan, Pritzel and Blundell (2017), arXiv:1612.01474, section 2.4.

    Examples
    --------
    >>> std, noise = np.array([3.0, np.nan, 3.0]), np.array([16.0, 16.0, np.nan])
    >>> total_spread(std, noise).tolist()
    [5.0, 4.0, 3.0]
    """
    both = np.hypot(np.nan_to_num(std), np.sqrt(noise))
    spread: NDArray[AnyFloat] = np.where(np.isnan(noise), std, both)
    return spread


def _of_slice(name: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
    if name == "mean":
        return np.asarray(values.mean(axis=0))
    if name == "std":
        if len(values) < 2:
            return np.full(values.shape[1:], np.nan)
        return np.asarray(values.std(axis=0, ddof=1))
    if not re.fullmatch(MEMBER_STATISTIC, name):
        message = f"Invalid statistic {name!r}. Must be one of {_NAMES}."
        raise ValueError(message)
    share = {"min": 0.0, "median": 0.5, "max": 1.0}.get(name)
    share = int(name[1:]) / 100 if share is None else share
    return np.asarray(np.quantile(values, share, axis=0))
