"""Units that are not those from which a raster can be derived."""

from __future__ import annotations

from collections.abc import Iterator

from glacier_inversion.dataset.rasters import Rasters
from glacier_inversion.experiment.units import may_be, may_be_same


def find_odd_units(rasters: Rasters) -> Iterator[str]:
    """Say which rasters are in another unit than what is derived from them needs."""
    for name in rasters.usable:
        derive = rasters.description.raster(name).derive
        if derive is None:
            continue
        units = [rasters.unit(of) for of in derive.rasters]
        given = dict(zip(derive.rasters, units, strict=True))
        for of, needed in zip(derive.rasters, derive.given_units, strict=False):
            if not may_be(given[of], needed):
                yield (
                    f"{name}: {derive.name} needs {of} in {needed}, and its unit is "
                    f"{given[of]!r}: the values come out wrong. Convert it; or, if it "
                    f'is in {needed}, say "unit": "{needed}" of it'
                )
        are_speeds = all(may_be(unit, "m/yr") for unit in units)
        if derive.of_one_unit and not are_speeds and not may_be_same(*units):
            each = ", ".join(f"{of} is in {unit!r}" for of, unit in given.items())
            yield (
                f"{name}: {derive.name} needs both rasters in one unit, and {each}: "
                "the values come out wrong. Convert one; or correct 'unit'"
            )
