"""Derived rasters, computed from arrays."""

import numpy as np

from glacier_inversion.dataset.computation import Place, find_computation
from glacier_inversion.dataset.ice import Ice
from glacier_inversion.experiment.derivation import find_derivations
from glacier_inversion.grid import Grid

GRID = Grid(1000.0, 3000.0, 50.0, 40, 60)


def computed(given: dict, *rasters, grid: Grid | None = None, outlines=(), ranges=()):
    """Compute a derivation, written as in an experiment, from arrays."""
    named = {"of": [f"r{i}" for i in range(len(rasters))]} if rasters else {}
    parameters = find_derivations()[given["name"]].model_validate({**named, **given})
    if grid is None:
        grid = Grid(1000.0, 3000.0, 50.0, *np.shape(rasters[0]))
    ice = Ice({str(i): outline for i, outline in enumerate(outlines)})
    at = Place(grid, ice, lambda outline: ranges[outline])
    arrays = [np.asarray(raster, dtype="f8") for raster in rasters]
    return find_computation(given["name"]).compute(parameters, arrays, at)


def field(seed=0, shape=GRID.shape):
    """Return values from 0 to 100 with some unknown ones."""
    rng = np.random.default_rng(seed)
    values = 100 * rng.random(shape)
    values[rng.random(shape) < 0.1] = np.nan
    return values
