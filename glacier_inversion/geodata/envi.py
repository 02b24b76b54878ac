"""ENVI's rasters: a file of numbers, and a header that says how many."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from glacier_inversion.errors import RasterError


def check_size(path: Path, src: Any) -> None:
    """
    Refuse a file that is shorter than its header says, which GDAL fills with zeros.

    Of other formats, and of compressed or archived files, do nothing.

    Parameters
    ----------
    path : Path
    src : rasterio dataset
        The open file.

    Raises
    ------
    RasterError
        It was cut.
    """
    is_plain = path.is_file() and "file_compression" not in src.tags(ns="ENVI")
    if src.driver != "ENVI" or not is_plain:
        return
    n_bytes = path.stat().st_size
    pixel = sum(np.dtype(dtype).itemsize for dtype in src.dtypes)
    needed = src.height * src.width * pixel
    if n_bytes < needed:
        message = (
            f"{path}: has {n_bytes:,} bytes, and its pixels need {needed:,}. Must be "
            "whole. Put it there again."
        )
        raise RasterError(message)
