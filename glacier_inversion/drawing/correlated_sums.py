"""The variance of a sum over the pixels of a map whose errors are correlated."""

from __future__ import annotations

import math

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

    Maps with more than a million pixels are kept in square cells of several, and their
    distances are those of the cells; between near cells, the mean over their pixels as
    if all erred alike. So memory is bounded, whatever the size of the map.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the map.
    resolution : float, metres
        Side of a pixel.
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
        most_cells: int = _MOST_CELLS,
    ) -> None:
        self._step = max(1, math.ceil(math.sqrt(shape[0] * shape[1] / most_cells)))
        self._resolution = resolution
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
        covariogram says of their distance; by a Fourier transform, as the number of
        pairs at each distance is the autocorrelation of the map.
        """
        shape = [fft.next_fast_len(2 * n - 1, real=True) for n in self._cells.shape]
        spectrum = fft.rfft2(self._cells, shape)
        pairs = fft.irfft2(np.abs(spectrum) ** 2, shape)
        offsets = [np.minimum(np.arange(n), n - np.arange(n)) for n in shape]
        shared = covariogram.near(
            self._resolution * self._step * np.hypot(offsets[0][:, None], offsets[1])
        )
        if self._step > 1:
            for down, row in enumerate(offsets[0]):
                for along, col in enumerate(offsets[1]):
                    if max(row, col) <= _NEAR:
                        shared[down, along] = self._near(covariogram, row, col)
        return (
            float((pairs * shared).sum())
            + covariogram.nugget * self.squares
            + covariogram.plateau * self.total**2
        )

    def _near(self, covariogram: Covariogram, row: int, col: int) -> float:
        """Return the mean over the pixels of two cells that are so many cells apart."""
        within = np.arange(1 - self._step, self._step)
        weight = 1 - np.abs(within) / self._step
        down, along = (n * self._step + within for n in (row, col))
        distance = self._resolution * np.hypot(down[:, None], along)
        mean = weight @ covariogram.near(distance) @ weight / self._step**2
        return float(mean)
