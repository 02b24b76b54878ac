"""Rasters of the demonstration."""

import rasterio


def read(path):
    with rasterio.open(path) as src:
        return src.read(1), src
