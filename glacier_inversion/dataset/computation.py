"""What every derived raster is computed with, and where its computation is found."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from glacier_inversion.dataset.ice import Ice
from glacier_inversion.experiment.derivation import Derivation
from glacier_inversion.grid import Grid

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Place:
    """
    The pixels that a raster is derived on, and what lies around them.

    Attributes
    ----------
    grid : Grid
        Those that are asked for, and as many around them as the derivation reaches.
    ice : Ice
        Where ice is.
    read_range : callable
        Takes the number of an outline, as `Ice.nearest` gives it; returns the least and
        the highest value of the first raster inside it, NaN where nothing is known.
    """

    grid: Grid
    ice: Ice
    read_range: Callable[[int], tuple[float, float]]


class Computation(Protocol):
    """A module that computes a derived raster."""

    def compute(
        self, given: Derivation, rasters: Sequence[Values], at: Place
    ) -> Values:
        """
        Compute the values of pixels.

        Parameters
        ----------
        given : Derivation
            The parameters.
        rasters : sequence of float64 arrays, shape (n_rows, n_cols)
            What it is computed from, in the order of its `of`, NaN where unknown.
        at : Place
            Where these pixels are.

        Returns
        -------
        values : float64 array, shape (n_rows, n_cols)
            NaN where unknown. Of pixels nearer to the sides than the derivation reaches
            anything.
        """


@functools.cache
def find_computation(name: str) -> Computation:
    """Find the module that computes the derivation called *name*."""
    folder = "glacier_inversion.dataset.derivations"
    return cast("Computation", importlib.import_module(f"{folder}.{name}"))
