"""How long work says how far it is: the library reports, the command line shows."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Somebody who wants to know how far the work is."""

    def start(self, stage: str, total: int, unit: str) -> None:
        """Hear that a stage begins, such as 'building', and of how many steps."""

    def advance(self, note: str = "") -> None:
        """Hear that one step is done, and something about it."""


class Silent:
    """Nobody listens."""

    def start(self, stage: str, total: int, unit: str) -> None:
        """Do nothing."""

    def advance(self, note: str = "") -> None:
        """Do nothing."""


def duration(seconds: float | None) -> str:
    """
    Write a duration with two digits that count.

    >>> duration(0.0123), duration(75), duration(5000), duration(3e5)
    ('0.012 s', '1.2 min', '1.4 h', '3.5 days')
    """
    if seconds is None:
        return "?"
    for unit, size in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{two_digits(seconds / size)} {unit}"
    return f"{two_digits(seconds)} s"


def two_digits(number: float) -> str:
    """
    Write a number with two digits that count.

    >>> two_digits(1234.5), two_digits(0.0567)
    ('1234', '0.057')
    """
    return f"{number:.0f}" if number >= 10 else f"{number:.2g}"
