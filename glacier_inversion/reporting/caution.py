"""A caution: what limits the trust in the maps."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Caution:
    """Something that limits the trust in the maps: what, what it means, what to do."""

    what: str
    meaning: str
    remedy: str
