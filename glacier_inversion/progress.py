"""How long work says how far it is: the library reports, the command line shows."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from glacier_inversion.machine import interrupts

logger = logging.getLogger(__name__)

_MINUTE = 60.0


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


@contextmanager
def working() -> Iterator[Progress]:
    """Show progress; a signal raises meanwhile, so that what is open is put away."""
    shown = Bar() if sys.stderr.isatty() else Heartbeat()
    with interrupts.raising(), shown:
        yield shown


class Bar:
    """A progress bar on the terminal, with the name of the stage."""

    def __init__(self) -> None:
        self._bar: Any = None

    def start(self, stage: str, total: int, unit: str) -> None:
        """Show the bar."""
        from tqdm import tqdm  # noqa: PLC0415  commands that work

        self.__exit__()
        self._bar = tqdm(desc=stage, total=total, unit=unit, dynamic_ncols=True)

    def advance(self, note: str = "") -> None:
        """Move the bar on by a step."""
        interrupts.check()
        self._bar.set_postfix_str(note, refresh=False)
        self._bar.update()

    def __enter__(self) -> Bar:
        """Wait for a start."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the terminal tidy."""
        if self._bar is not None:
            self._bar.close()


class Heartbeat:
    """
    Logs how far the work is, once a minute: for log files, which bars would fill.

    Parameters
    ----------
    clock : callable
        Returns the time, s.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ended = threading.Event()
        self._stage, self._done, self._total = "", 0, 0
        self._begun = self._last = clock()

    def start(self, stage: str, total: int, unit: str) -> None:  # noqa: ARG002
        """Begin a stage; the minute goes on."""
        self._stage, self._done, self._total = stage, 0, total
        self._begun = self._clock()

    def advance(self, note: str = "") -> None:  # noqa: ARG002
        """Count a step."""
        interrupts.check()
        self._done += 1

    def beat(self) -> None:
        """Log a line, if none was for a minute."""
        now = self._clock()
        if not self._total or now - self._last < _MINUTE:
            return
        self._last = now
        left = None
        if self._done:
            left = (now - self._begun) / self._done * (self._total - self._done)
        logger.info(
            "%s: %d of %d, %s left",
            self._stage,
            self._done,
            self._total,
            duration(left),
        )

    def __enter__(self) -> Heartbeat:
        """Beat, until the end: a step may take longer than a minute."""

        def go_on() -> None:
            while not self._ended.wait(1.0):
                self.beat()

        threading.Thread(target=go_on, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Fall silent."""
        self._ended.set()


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
