"""Parameters of images that are put side by side: none."""

from __future__ import annotations

from typing import Literal

from glacier_inversion.experiment.operation import Operation


class Concatenation(Operation):
    """Images of one size become one, their channels side by side."""

    name: Literal["concatenation"]
