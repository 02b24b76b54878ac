"""Units, in the spellings that files have."""

import pytest

from glacier_inversion.experiment.units import is_metres, may_be, may_be_same

SPELLED = {
    "m": "m|Metres|m a.s.l.|masl|m amsl|m a.m.s.l.|m above sea level|[m]|m (EGM96)",
    "degree": "°|deg|Degrees|[deg]|arc_degree|degrees (0-90)",
    "m/yr": "m/yr|m a-1|m yr^(-1)|m·a⁻¹|m year\u22121|meters/year|m per annum|m yrs-1|[m/a]",
}
OTHERS = {
    "m": "ft|km|m2|m-1|m/yr|feet (m)|US survey foot",
    "degree": "percent|%|rad|m/m|degC",
    "m/yr": "m|m/d|m d-1|cm/yr|m yr|m yr-2|m/day (mean)",
}


@pytest.mark.parametrize("unit", SPELLED)
def test_units_are_known_by_their_spellings(unit):
    "And none that is another."
    assert [s for s in SPELLED[unit].split("|") if not may_be(s, unit)] == []
    assert [s for s in OTHERS[unit].split("|") if may_be(s, unit)] == []


def test_units_are_the_same_however_they_are_written():
    "And where one is not known; not where a letter's case makes another of it."
    alike = ["m/d", "m d-1", "m·d⁻¹", " m per d", "m d^(-1)", "[m/d]"]
    assert [s for s in alike if not may_be_same(s, "m/d")] == []
    assert may_be_same("kg/m²", "kg/m2")
    assert may_be_same(None, "m/d")
    others = ["m", "m/h", "cm/d", "m/yr", "d", "m d", "M/d"]
    assert [s for s in others if may_be_same(s, "m/d")] == []


def test_brackets_around_metres_change_nothing():
    "Else there were no volumes of a thickness in [m], and nothing said so."
    assert is_metres("[m]")
    assert is_metres("(metres)")
    assert may_be_same("[m]", "m")
    for other in ("[m/yr]", "m (w.e.)", "m a.s.l.", "[]", "m2"):
        assert not is_metres(other)


def test_what_metres_are_of_may_stand_in_brackets():
    "Heights and water are no thickness of ice, however they are written."
    heights = [
        "m (a.s.l.)",
        "m (asl)",
        "m (AMSL)",
        "m (a.m.s.l.)",
        "m (above sea level)",
    ]
    assert [s for s in heights if is_metres(s) or not may_be(s, "m")] == []
    water = ["m (W.E.)", "m (w. e.)", "m (SWE)", "m (Water equivalent)"]
    assert [s for s in water if may_be(s, "m")] == []
    assert is_metres("m (average)")
