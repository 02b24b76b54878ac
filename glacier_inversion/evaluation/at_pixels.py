"""What an ensemble predicts at the centres of the pixels of its outputs."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from glacier_inversion.dataset.opened import BuiltDataset
from glacier_inversion.drawing.maps import predict_window
from glacier_inversion.grid import lattice
from glacier_inversion.training.model.ensemble import Ensemble

Floats = NDArray[np.float64]
Places = tuple[NDArray[np.intp], NDArray[np.intp]]
"""Rows and columns of pixels, or of points."""


class PredictedPixels(NamedTuple):
    """
    What is predicted of an output at some of its pixels.

    Attributes
    ----------
    members : float64 array, shape (n_members, n_pixels)
    noise : float64 array, shape (n_pixels,)
        As `evaluation.pixels.KnownPixels` has both.
    """

    members: Floats
    noise: Floats

    @classmethod
    def nowhere(cls, n_members: int, n_pixels: int) -> PredictedPixels:
        """Return that nothing can be predicted."""
        return cls(np.full((n_members, n_pixels), np.nan), np.full(n_pixels, np.nan))


def predict_at_pixels(
    ensemble: Ensemble,
    dataset: BuiltDataset,
    feature: str,
    places: Mapping[str, Places],
) -> dict[str, PredictedPixels]:
    """
    Predict outputs at the centres of their pixels.

    The prediction there is that of the point there; where points are at the pixels'
    corners, or the other way round, it is the mean of the four around it, of those that
    can be predicted, if two can: as a map is read bilinearly.

    Parameters
    ----------
    places : mapping of Places
        Pixels of a feature's tile, by output; one at least of each.
    """
    layout = ensemble.layout
    points = lattice(dataset.grid(feature, layout.resolution), layout.window_px)
    around = {
        name: _points_around(place, layout.outputs[name], layout.window_px)
        for name, place in places.items()
    }
    every = [place for four in around.values() for place in four]
    all_rows, all_cols = (
        np.arange(min(p[i].min() for p in every), max(p[i].max() for p in every) + 1)
        for i in (0, 1)
    )
    wanted = np.zeros((len(all_rows), len(all_cols)), dtype=np.bool_)
    for row, col in every:
        wanted[row - all_rows[0], col - all_cols[0]] = True
    wanted &= ((all_rows >= 0) & (all_rows < points.n_rows))[:, None]
    wanted &= (all_cols >= 0) & (all_cols < points.n_cols)
    if not wanted.any():
        n_members = len(ensemble.seeds)
        return {
            name: PredictedPixels.nowhere(n_members, len(row))
            for name, (row, _) in places.items()
        }
    prediction = predict_window(ensemble, dataset, feature, all_rows, all_cols, wanted)
    # of each point its column among the values, where it is predicted
    columns = np.cumsum(prediction.predicted).reshape(wanted.shape) - 1

    def mean(values: NDArray[np.float32], four: list[Places]) -> Floats:
        """Return the mean of the points around each pixel, NaN of less than two."""
        n_pixels = len(four[0][0])
        total, n_there = np.zeros((len(values), n_pixels)), np.zeros(n_pixels)
        for row, col in four:
            at = row - all_rows[0], col - all_cols[0]
            there = prediction.predicted[at]
            total[:, there] += values[:, columns[at][there]]
            n_there += there
        with np.errstate(invalid="ignore"):
            return np.where(n_there >= 2, total / n_there, np.nan)

    nothing = np.full(int(prediction.predicted.sum()), np.nan, dtype=np.float32)
    return {
        name: PredictedPixels(
            mean(prediction.values[name], four),
            mean(prediction.noise.get(name, nothing)[None], four)[0],
        )
        for name, four in around.items()
    }


def _points_around(place: Places, factor: int, window_px: int) -> list[Places]:
    """
    Return the four points of the lattice around the centres of an output's pixels.

    All are one and the same where a point is at the centre; some may lie beyond the
    lattice.

    Parameters
    ----------
    factor : int
        Points across a pixel.
    """
    # twice the place on the lattice: odd between two points
    row, col = ((2 * along + 1) * factor - window_px for along in place)
    rows, cols = ((doubled // 2, (doubled + 1) // 2) for doubled in (row, col))
    return list(itertools.product(rows, cols))
