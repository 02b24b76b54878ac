"""What the parameters of derived rasters are, and where those of each are found."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field

from glacier_inversion.experiment.named_modules import find_classes
from glacier_inversion.experiment.values import Section, Text


def _as_list(value: Any) -> Any:
    """Take a name for a list of one."""
    return [value] if isinstance(value, str) else value


OneRaster = Annotated[
    list[Text],
    Field(min_length=1, max_length=1),
    BeforeValidator(_as_list, json_schema_input_type=str | list[str]),
]
"""The name of the raster that another is derived from."""

TwoRasters = Annotated[list[Text], Field(min_length=2, max_length=2)]
"""The names of two rasters that another is derived from, in order."""

Metres = Annotated[float, Field(gt=0, le=1e6)]
Degrees = Annotated[float, Field(gt=0, lt=90)]


class Derivation(Section):
    """
    How a raster is computed from others, or from the outlines.

    Constants only: nothing is fitted to data. One that is computed from rasters names
    them in `of`.

    Attributes
    ----------
    own_unit : str, optional
        Of its values. Where it is None they have the unit of what they derive from.
    given_units : tuple of str
        That its rasters must have, in their order; none where any will do.
    of_one_unit : bool
        Whether its rasters must have the same.
    """

    own_unit: ClassVar[str | None] = None
    given_units: ClassVar[tuple[str, ...]] = ()
    of_one_unit: ClassVar[bool] = False

    name: str  # each derivation says which

    @property
    def rasters(self) -> list[str]:
        """The names of the rasters that it is computed from."""
        names: list[str] = getattr(self, "of", [])
        return names

    @property
    def uses_outlines(self) -> bool:
        """Whether it depends on where ice is."""
        return False

    def reach_px(self, resolution: float) -> int:
        """Return how many pixels around a pixel its value depends on."""
        del resolution
        return 0

    def unit(self, units: Sequence[str | None]) -> str | None:
        """Return the unit of its values, given those of its rasters."""
        return self.own_unit or (units[0] if units else None)

    def __str__(self) -> str:
        """
        Say it in words.

        >>> from glacier_inversion.experiment.derivations.slope import Slope
        >>> str(Slope(name="slope", of=["dem"]))
        'slope of dem'
        """
        return " of ".join([self.name, *filter(None, [", ".join(self.rasters)])])


def pixels_within(distance: float, resolution: float) -> int:
    """
    Return how many pixels are as far apart as *distance*, or a little farther.

    >>> pixels_within(200.0, 50.0), pixels_within(210.0, 50.0)
    (4, 5)
    """
    return math.ceil(distance / resolution - 1e-9)


@functools.cache
def find_derivations() -> Mapping[str, type[Derivation]]:
    """Find the derivations in the folder of their parameters, by their names."""
    return find_classes("derivations")
