"""Normalisation of variables: numbers only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """Normalisation of one variable: (value - mean) / std."""

    mean: float
    std: float


@dataclass(frozen=True)
class Scales:
    """
    Normalisation of what a network reads and predicts.

    A variable may be both: each side has its own.

    Attributes
    ----------
    inputs, outputs : mapping of Scale
        By variable.
    """

    inputs: Mapping[str, Scale]
    outputs: Mapping[str, Scale]
