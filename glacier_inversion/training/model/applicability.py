"""
Where a model applies: how unlike its training points a point is.

The dissimilarity of Meyer and Pebesma (2021, doi:10.1111/2041-210X.13650) is the
distance to the nearest training point. Points are compared by few numbers of their
patches, each divided by its standard deviation over the training points, and not
weighted by importance, as theirs may be; an unknown input counts as the mean of
training, as networks see it. The threshold is the upper
whisker of the distances of training points themselves, each to those of other features
alone: the largest that is not above the upper quartile by more than 1.5 times the
distance between the quartiles. Here distances are divided by it: theirs are
divided by the mean distance between two training points, as is their threshold, so that
it cancels.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray
from safetensors import SafetensorError
from scipy.spatial import KDTree

from glacier_inversion.errors import ModelError, first_line
from glacier_inversion.files import write_bytes

APPLICABILITY = "applicability.safetensors"

_ORIGIN = "glacier_inversion"  # key of the metadata
_MOST_POINTS = 2000  # as a rule more than that hardly lie nearer
_LEAST_THRESHOLD = 1e-6

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Applicability:
    """
    What training points look like.

    Attributes
    ----------
    points : float32 array, shape (n_points, n_statistics)
        Statistics of training points.
    std : float32 array, shape (n_statistics,)
        What each statistic is divided by: its standard deviation over all of them, or 1
        where it is constant.
    threshold : float
        Distance, after that, up to which a point is like them.
    n_most : int or None
        So many points of a block, at equal steps, are compared at most; None: all.
    """

    points: Floats
    std: Floats
    threshold: float
    n_most: int | None = None

    def dissimilarity(self, statistics: Floats) -> Floats:
        """
        Return how unlike training points are; above 1 the model does not apply.

        Parameters
        ----------
        statistics : float32 array, shape (n, n_statistics)

        Returns
        -------
        dissimilarity : float32 array, shape (n,)
            NaN of those that are not compared.
        """
        n = len(statistics)
        step = 1 if self.n_most is None else max(1, -(-n // self.n_most))
        distance: NDArray[np.float64]
        distance, _ = self._tree.query(statistics[::step] / self.std)
        dissimilarity = np.full(n, np.nan, dtype=np.float32)
        dissimilarity[::step] = distance / self.threshold
        return dissimilarity

    @cached_property
    def digest(self) -> str:
        """All of it, as a digest."""
        content = hashlib.sha256(self.points.tobytes())
        content.update(self.std.tobytes())
        content.update(repr((self.points.shape, self.threshold, self.n_most)).encode())
        return content.hexdigest()

    @cached_property
    def _tree(self) -> KDTree:
        return KDTree(self.points / self.std)


def choose_points(n_points: int, n_turns: int = 1) -> NDArray[np.intp]:
    """
    Return the numbers of training points that are kept: all, or some evenly.

    *n_turns* is how often each of them is kept.
    """
    step = -(-n_points * n_turns // _MOST_POINTS)
    return np.arange(0, n_points, max(step, 1))


def fit_applicability(
    statistics: Floats, feature: NDArray[np.intp]
) -> Applicability | None:
    """
    Learn what training points look like; None where they are of one feature alone.

    Parameters
    ----------
    statistics : float32 array, shape (n_points, n_statistics)
    feature : int array, shape (n_points,)
        Each point's.
    """
    numbers = np.unique(feature)
    if len(numbers) < 2:
        return None
    std = statistics.std(axis=0)
    std[std == 0] = 1
    scaled = statistics / std
    distance = np.empty(len(scaled))
    for number in numbers:
        own = feature == number
        distance[own], _ = KDTree(scaled[~own]).query(scaled[own])
    low, high = np.percentile(distance, (25, 75))
    whisker = distance[distance <= high + 1.5 * (high - low)].max()
    return Applicability(statistics, std, max(float(whisker), _LEAST_THRESHOLD))


def write_applicability(
    applicability: Applicability, folder: Path, identity: str
) -> None:
    """
    Write what training points look like into a model's folder.

    Parameters
    ----------
    identity : str
        Of the model, as `Model.identity` has it.

    Raises
    ------
    WorkspaceError
        It cannot be written.
    """
    origin = {"model": identity, "threshold": applicability.threshold}
    arrays = {"points": applicability.points, "std": applicability.std}
    content = safetensors.numpy.save(arrays, {_ORIGIN: json.dumps(origin)})
    write_bytes(folder / APPLICABILITY, content)


def read_applicability(folder: Path, identity: str, n_statistics: int) -> Applicability:
    """
    Read what `write_applicability` wrote.

    Parameters
    ----------
    identity : str
        Of the model.
    n_statistics : int
        That its patches have.

    Raises
    ------
    ModelError
        It is missing, damaged, or of another model.
    """
    path = folder / APPLICABILITY
    if not path.exists():
        message = (
            f"{path}: is not there. Must say what the model was trained on, on two "
            "features at least. Run 'ginv train' with the model's experiment and "
            "dataset: finished members are kept."
        )
        raise ModelError(message)
    try:
        with safetensors.safe_open(path, "numpy") as file:
            origin = json.loads((file.metadata() or {})[_ORIGIN])
            points, std = file.get_tensor("points"), file.get_tensor("std")
        threshold = float(origin["threshold"])
        is_whole = (
            points.ndim == 2
            and len(points) > 1
            and points.shape[1:] == std.shape == (n_statistics,)
            and points.dtype == std.dtype == np.float32
            and np.isfinite(points).all()
            and np.isfinite(std).all()
            and (std > 0).all()
            and _LEAST_THRESHOLD <= threshold < np.inf
        )
        if not is_whole:
            raise _unusable(path, "its numbers are no training points")
        if origin["model"] != identity:
            raise _unusable(path, "it is of another model, or model.json was changed")
    except ModelError:
        raise
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise _unusable(path, first_line(error)) from error
    return Applicability(points, std, threshold)


def _unusable(path: Path, problem: str) -> ModelError:
    message = (
        f"{path}: cannot be used ({problem}). Must be as 'ginv train' wrote it. Run "
        "'ginv train' again: it is written anew, finished members are kept."
    )
    return ModelError(message)
