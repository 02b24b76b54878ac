"""Numbers that a JSON file of a model holds, checked."""

from __future__ import annotations

from typing import Any

import numpy as np

_LARGEST = float(np.finfo(np.float32).max)


def read_number(value: Any, where: str) -> float:
    """
    Return a number from 0 on that float32 can hold.

    Raises
    ------
    ValueError
        It is none.

    Examples
    --------
    >>> read_number(3, "a")
    3.0
    """
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= _LARGEST:
        message = f"{where} is {value!r}, which is no number from 0 on"
        raise ValueError(message)
    return float(value)


def read_share(value: Any, where: str) -> float:
    """Return a number from 0 to 1; raise ValueError if it is none."""
    share = read_number(value, where)
    if share > 1:
        message = f"{where} is {share:g}, which is no share"
        raise ValueError(message)
    return share
