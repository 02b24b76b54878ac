"""Units of rasters and outputs, as far as they are compared."""

from __future__ import annotations

import re

_METRES = re.compile(r"m|met(re|er)s?", re.IGNORECASE)


def is_metres(unit: str | None) -> bool:
    """
    Return whether a unit is that of a thickness in metres.

    >>> is_metres(" Metres "), is_metres("km"), is_metres("m/yr"), is_metres(None)
    (True, False, False, False)
    """
    return _METRES.fullmatch((unit or "").strip()) is not None


def may_be_same(one: str | None, other: str | None) -> bool:
    """
    Return whether two units are written alike, or one of them is not known.

    >>> may_be_same("m", "metres"), may_be_same("m", None), may_be_same("m", "cm")
    (True, True, False)
    """
    one, other = (one or "").strip(), (other or "").strip()
    both_metres = is_metres(one) and is_metres(other)
    return not one or not other or one == other or both_metres
