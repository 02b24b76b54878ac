"""Numbers that mean "no data" as a rule, and are asked about where nothing says so."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

_LARGEST = float(np.finfo("f4").max)
_FILLER_OF_NETCDF = 9.969209968386869e36  # where a file names no other

# Numbers that stand for "no data" where a file does not say so. None of them is a
# slope, a speed, a thickness, an elevation or a class.
USUAL_NODATA = (
    *(-9999.0, -99999.0, -32768.0, -32767.0),
    *(-_LARGEST, _LARGEST, 1e20, _FILLER_OF_NETCDF),
)


def usual_nodata(src: Any, band: int, nodata: Sequence[float]) -> tuple[float, ...]:
    """
    Return the numbers of an open raster that mean no data as a rule, declared or not.

    None of a packed one, whole numbers with a scale or an offset, if it is known which
    of them mean no data: each of the others is a value, -9999 as well as -9998.
    """
    is_packed = (src.scales[band - 1], src.offsets[band - 1]) != (1.0, 0.0)
    is_whole = np.dtype(src.dtypes[band - 1]).kind in "iu"
    return () if is_packed and is_whole and nodata else USUAL_NODATA


def undeclared(path: Path, nodata: Sequence[float], number: float) -> str:
    """Say that a file holds a usual nodata number that is not among the declared."""
    named = [known for known in nodata if not math.isnan(known)]
    says = f"only {', '.join(f'{n:.9g}' for n in named)}" if named else "no number"
    wanted = ", ".join(f"{n!r}".removesuffix(".0") for n in (*named, number))
    wanted = f"[{wanted}]" if named else wanted
    return (
        f"{path}: holds {number:.9g}, and {says} is declared as nodata. Must "
        f'say what is no data. Add "nodata": {wanted} to the raster in the experiment.'
    )
