"""Rasters in other units than those from which others can be derived are named."""

import pytest

from tests.dataset.helpers import plan

GIVEN = ["x", "y"]
DERIVED = {
    "slope of feet": ("slope", "x", ["ft"], "slope needs x in m, and its unit is 'ft'"),
    "slope of metres": ("slope", "x", ["m a.s.l."], None),
    "slope of what nobody says": ("slope", "x", [None], None),
    "sine of percent": ("sine", "x", ["percent"], "needs x in degree"),
    "sine of degrees": ("sine", "x", ["Degrees"], None),
    "plasticity of radians": ("plasticity", "x", ["rad"], "needs x in degree"),
    "speed a day": ("velocity_slope", GIVEN, ["m/d", "°"], "needs x in m/yr"),
    "speed a year": ("velocity_slope", GIVEN, ["m a-1", "deg"], None),
    "two units": ("magnitude", GIVEN, ["m/yr", "m/d"], "x is in 'm/yr', y is in 'm/d'"),
    "two spellings": ("magnitude", GIVEN, ["m/yr", "meters per year"], None),
    "one unit": ("magnitude", GIVEN, ["cm/d", "cm/d"], None),
}


@pytest.mark.parametrize("kind", DERIVED)
def test_units_that_make_derived_rasters_wrong_are_named(run, kind):
    "In a warning, as any spelling may be right that is not known."
    name, of, units, told = DERIVED[kind]
    rasters = run.raw["dataset_description"]["rasters"]
    same = {"resolution": rasters[0]["resolution"]}
    for raster, unit in zip(GIVEN, units, strict=False):
        named = {} if unit is None else {"unit": unit}
        rasters.append(same | {"name": raster, "file": rasters[0]["file"]} | named)
    rasters.append(same | {"name": "derived", "derive": {"name": name, "of": of}})
    planned = plan(run)
    found = [odd for odd in planned.find_oddities({}) if odd.startswith("derived: ")]
    assert [told in odd for odd in found] == ([] if told is None else [True])
