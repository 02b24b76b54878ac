"""Parameters of the magnitude of a vector: none."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from glacier_inversion.experiment.derivation import Derivation, TwoRasters


class Magnitude(Derivation):
    """Magnitude of a vector, in the unit of its components."""

    of_one_unit: ClassVar[bool] = True

    name: Literal["magnitude"]
    of: TwoRasters = Field(description="The two components, in one unit.")
