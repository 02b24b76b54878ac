"""How long work says how far it is: the library reports, the command line shows."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Somebody who wants to know how far the work is."""

    def start(self, total: int, unit: str) -> None:
        """Hear that *total* steps lie ahead."""

    def advance(self, note: str = "") -> None:
        """Hear that one step is done, and something about it."""


class Silent:
    """Nobody listens."""

    def start(self, total: int, unit: str) -> None:
        """Do nothing."""

    def advance(self, note: str = "") -> None:
        """Do nothing."""
