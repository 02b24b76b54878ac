"""A feature's tiles in memory: what the geodata modules and the networks share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glacier_inversion.grid import Grid


@dataclass(frozen=True)
class Tiles:
    """
    The rasters of one feature, or of a window of it.

    Attributes
    ----------
    feature, split : str
    grid : Grid
        The pixels at the finest resolution; every array covers its bounds.
    inputs : dict of float32 arrays, shape (n_rows, n_cols) of their own resolution
        What the network reads, NaN where unknown.
    targets : dict of float32 arrays, likewise
        What it predicts, NaN where unknown and inside other features' outlines.
    """

    feature: str
    split: str
    grid: Grid
    inputs: dict[str, NDArray[np.float32]]
    targets: dict[str, NDArray[np.float32]]
