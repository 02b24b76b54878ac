"""Esri's ASCII grids and their like, which GDAL reads line by line."""

from __future__ import annotations

from typing import Any

_DRIVERS = ("AAIGrid", "GRASSASCIIGrid", "ISG")


def find_lines(src: Any, n_rows: int) -> None:
    """
    Let GDAL find the first lines of an open file in their order; of others, do nothing.

    Where a line begins is known when the one before it has been read. GDAL looks for
    one that it does not know from the first line on, goes on where the file ends, and
    looks for each of the further ones in the same way: the time doubles with every line
    that is not there, and a file that was cut is read for ever.

    Parameters
    ----------
    src : rasterio dataset
    n_rows : int
        That will be known. To read them takes no more time than GDAL takes to find
        what is below them.

    Raises
    ------
    RasterioError
        The file ends before.

    References
    ----------
    AAIGRasterBand::IReadBlock in GDAL's frmts/aaigrid/aaigriddataset.cpp
    """
    if src.driver in _DRIVERS:
        for row in range(n_rows):
            src.read(1, window=((row, row + 1), (0, 1)))
