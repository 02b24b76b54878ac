"""Rasters around a grid."""

import numpy as np
import rasterio

from glacier_inversion.geodata.rasters import open_source
from glacier_inversion.grid import Grid
from tests.synthetic import EPSG, NODATA, write_raster

GRID = Grid(420_600.0, 5_149_400.0, 50.0, 31, 44)


def source(path, resolution=50.0, epsg=EPSG, band=1, nodata=None, resampling=None):
    """Open a source with the defaults of an experiment."""
    numbers = [nodata] if isinstance(nodata, (int, float)) else nodata
    return open_source(path, band, numbers, resampling, resolution, epsg)


def noise(path, epsg, resolution=20.0, dtype="f4"):
    """Write a raster of noise with holes around GRID."""
    rng = np.random.default_rng(1)
    values = (rng.normal(size=(260, 310)) * 1000).astype(dtype)
    values[rng.random(values.shape) < 0.1] = NODATA
    left, bottom, right, top = GRID.bounds
    if epsg != EPSG:
        left, _, _, top = rasterio.warp.transform_bounds(
            f"EPSG:{EPSG}", f"EPSG:{epsg}", left, bottom, right, top
        )
    write_raster(path, values, left - 1007, top + 1003, resolution, epsg)
    return path
