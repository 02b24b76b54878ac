"""The variance of a sum over the pixels of a map whose errors are correlated."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from glacier_inversion.training.model.covariogram import Covariogram

Floats = NDArray[np.float64]

_MOST_CELLS = 2**20
_NEAR = 3  # cells, within which the pixels' own distances count


class CorrelatedSum:
    """
    A sum over pixels of a map whose errors are correlated by their distance.

    A covariogram is measured at pixels of the truth, each with an error for itself: the
    nugget. A map of other pixels stands for the same ground. On a finer map some pixels
    have this error together; on a coarser one each stands for several errors, which
    cancel in part. So the nugget counts by the area of the truth's pixels, whatever the
    resolution of the map, and of pixels that are coarser the mean of what the truth's
    pixels in them share. That is right as far as the predictions between the drawn
    points are like those at them.

    Maps with more than a million pixels are kept in square cells of several, and their
    distances are those of the cells; between near cells, the mean over their pixels as
    if all erred alike. So memory is bounded, whatever the size of the map.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the map.
    resolution : float, metres
        Side of a pixel.
    truth_resolution : float, metres
        Side of the pixels at which the covariogram was measured.
    most_cells : int
        That are kept.

    Attributes
    ----------
    total, squares : float
        The sum of the sizes of the errors, and of their squares.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        resolution: float,
        truth_resolution: float,
        most_cells: int = _MOST_CELLS,
    ) -> None:
        self._step = max(1, math.ceil(math.sqrt(shape[0] * shape[1] / most_cells)))
        self._side = resolution * self._step
        self._ratio = truth_resolution / resolution
        n_rows, n_cols = (-(-n // self._step) for n in shape)
        self._cells = np.zeros((n_rows, n_cols))
        self.total = 0.0
        self.squares = 0.0

    def add(self, rows: NDArray[np.intp], cols: NDArray[np.intp], size: Floats) -> None:
        """
        Add pixels.

        Parameters
        ----------
        rows, cols : int arrays, shape (n_pixels,)
            Of the map; no pixel twice.
        size : float64 array, shape (n_pixels,)
            Of their errors: tau, as `Covariogram` has it.
        """
        np.add.at(self._cells, (rows // self._step, cols // self._step), size)
        self.total += float(size.sum())
        self.squares += float(size @ size)

    def variance(self, covariogram: Covariogram) -> float:
        """
        Return the variance of the sum of the errors, the unit of *size* squared.

        The sum over all pairs of pixels of the product of their sizes and of what the
        covariogram says of their distance. Pixels of a map that is smaller than one of
        the truth have one nugget together.
        """
        n_px = max(self._step, round(self._step / self._ratio))
        alone = min(self.squares * self._ratio**2, self.total**2)
        return (
            sum_over_pairs(self._cells, self._side, n_px, covariogram)
            + covariogram.nugget * alone
            + covariogram.plateau * self.total**2
        )


def sum_over_pairs(
    cells: Floats, side: float, n_px: int, covariogram: Covariogram
) -> float:
    """
    Sum over all pairs of cells the product of their sizes and of what near ones share.

    By a Fourier transform, as the number of pairs at each distance is the
    autocorrelation of the cells. Neither the nugget nor the plateau counts.

    Parameters
    ----------
    cells : float64 array, shape (n_rows, n_cols)
        The sizes of the errors in each, added up.
    side : float, metres
        Of a cell.
    n_px : int
        Pixels along the side, over which what near cells share is averaged.
    covariogram : Covariogram

    Returns
    -------
    sum : float, the unit of the sizes squared
    """
    shape = [fft.next_fast_len(2 * n - 1, real=True) for n in cells.shape]
    spectrum = fft.rfft2(cells, shape)
    pairs = fft.irfft2(np.abs(spectrum) ** 2, shape)
    down, along = (np.minimum(np.arange(n), n - np.arange(n)) for n in shape)
    shared = covariogram.near(side * np.hypot(down[:, None], along))
    if n_px > 1:
        for row in range(_NEAR + 1):
            for col in range(_NEAR + 1):
                mean = _mean_over_pixels(covariogram, side, n_px, row, col)
                shared[np.ix_(down == row, along == col)] = mean
    return float((pairs * shared).sum())


@lru_cache(maxsize=1024)
def _mean_over_pixels(
    covariogram: Covariogram, side: float, n_px: int, row: int, col: int
) -> float:
    """Return what two cells so many cells apart share: the mean over their pixels."""
    within = np.arange(1 - n_px, n_px)
    weight = 1 - np.abs(within) / n_px
    down, along = (n * n_px + within for n in (row, col))
    distance = side / n_px * np.hypot(down[:, None], along)
    mean = weight @ covariogram.near(distance) @ weight / n_px**2
    return float(mean)
