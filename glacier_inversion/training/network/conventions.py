"""What an architecture decides of the operations of its networks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Conventions:
    """
    How an architecture builds operations, where the experiment does not say.

    Attributes
    ----------
    is_residual : bool
        Convolutions one after the other are a residual block, else a plain row.
    padding : {"same", "valid"}
        Theirs, unless the experiment has its own.
    hidden_bias : bool
        Dense layers but the last have a bias; the last has none.
    """

    is_residual: bool
    padding: str
    hidden_bias: bool
