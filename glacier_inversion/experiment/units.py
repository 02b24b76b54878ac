"""Units of rasters and outputs, as far as they are compared."""

from __future__ import annotations

import re

_METRES = re.compile(r"m|met(re|er)s?", re.IGNORECASE)
_SPELLINGS = {
    "m": r"(m|met(re|er)s?)(\b *(a\.?s\.?l\.?|above .*|\(.*\)))?",
    "degree": r"°|(arc_?)?deg(ree)?s?",
    "m/yr": r"(m|met(re|er)s?)((/|per)(yrs?|y|a|years?|annum)|(yr|y|a|year)(-1|⁻¹))",
}
_APART = re.compile(r"[\s.*^_{}]+")  # between the words of a unit, as in m yr^-1


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


def may_be(unit: str | None, wanted: str) -> bool:
    """
    Return whether a unit is m, degree or m/yr in one of its spellings, or not known.

    >>> [may_be(unit, "m/yr") for unit in ("m a-1", "meters/year", "", "m/d", "m")]
    [True, True, True, False, False]
    >>> may_be("m a.s.l.", "m"), may_be("ft", "m"), may_be("percent", "degree")
    (True, False, False)
    """
    given = (unit or "").strip().lower()
    spelled = re.compile(_SPELLINGS[wanted])
    either = given, _APART.sub("", given)
    return not given or any(spelled.fullmatch(each) for each in either)
