"""Units of rasters and outputs, as far as they are compared."""

from __future__ import annotations

import re

_SPELLINGS = {
    "m": r"(m|met(re|er)s?)",
    "m a.s.l.": r"(m|met(re|er)s?)(am?sl|above.*)",
    "degree": r"°|(arc)?deg(ree)?s?",
    "m/yr": r"(m|met(re|er)s?)((/|per)(yrs?|y|a|years?|annum)|(yrs?|y|a|years?)-1)",
}
# Between the words of a unit or around it, as in m yr^-1, m·a⁻¹ or [m a.s.l.].
_APART = re.compile(r"[\s.·⋅*^_(){}\[\]]+")
_ALIKE = str.maketrans("⁻\u2212¹²³", "--123")  # what is raised, and a minus sign
# As in m (EGM96); not in m (w.e.) or m (a.s.l.), which say of what the metres are.
_REMARK = re.compile(
    r" +\((?!s?w\.? ?e|.*water|a\.?m?\.?s\.?l|above).*\)$", re.IGNORECASE
)


def is_metres(unit: str | None) -> bool:
    """
    Return whether a unit is that of a thickness in metres.

    >>> [is_metres(unit) for unit in (" Metres ", "[m]", "km", "m a.s.l.", None)]
    [True, True, False, False, False]
    """
    return _as_one(unit) == "m"


def may_be_same(one: str | None, other: str | None) -> bool:
    """
    Return whether two units are the same, however they are written, or not known.

    >>> may_be_same("m", "metres"), may_be_same("m", None), may_be_same("m", "cm")
    (True, True, False)
    >>> may_be_same("m/d", "m d^-1"), may_be_same("m", "m a.s.l.")
    (True, False)
    """
    first, second = _as_one(one), _as_one(other)
    return not first or not second or first == second


def may_be(unit: str | None, wanted: str) -> bool:
    """
    Return whether a unit is m, degree or m/yr in one of its spellings, or not known.

    >>> [may_be(unit, "m/yr") for unit in ("m a-1", "meters/year", "", "m/d", "m")]
    [True, True, True, False, False]
    >>> may_be("m a.s.l.", "m"), may_be("ft", "m"), may_be("percent", "degree")
    (True, False, False)
    """
    given = _as_one(unit)
    return not given or given == wanted or (wanted, given) == ("m", "m a.s.l.")


def _as_one(unit: str | None) -> str:
    """
    Return how a unit is written here, nothing where it is not known.

    >>> _as_one("Meters per year"), _as_one("kg m⁻³"), _as_one("km/h"), _as_one(None)
    ('m/yr', 'kgm-3', 'kmh-1', '')
    """
    given = _REMARK.sub("", (unit or "").strip().translate(_ALIKE))
    given = _APART.sub("", given)
    for known, spellings in _SPELLINGS.items():
        if re.fullmatch(spellings, given, re.IGNORECASE):
            return known
    return re.sub(r"(?<=\w)(?:/|per)([a-zA-Z]+)$", r"\1-1", given)
