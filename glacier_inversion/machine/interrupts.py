"""
Ctrl-C, SIGTERM and SIGHUP, told apart, at any moment of a command.

SIGHUP comes when the terminal is closed, or the connection to it breaks.

A command listens before it imports anything else. What a signal does then depends on
what the command is at:

- importing, checking, printing: nothing needs to be put away, and an exception would
  break libraries that are half imported; the process says its line and ends at once;
- working (`raising`): KeyboardInterrupt, so that files and processes are put away;
- training (`heeding_signals`): a flag is set, which is looked at between two steps;
- done (`ignore`): nothing any more.

Signals that were ignored when the command was started, as by nohup, stay so.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

SIGNALS = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}
"""Those that stop a command, and what messages call them."""
if hasattr(signal, "SIGHUP"):  # not on Windows
    SIGNALS[signal.SIGHUP] = "SIGHUP"
# Within this time a signal is the one before: some wrappers pass on what the process
# has heard already, as `timeout` does.
_ONE_SIGNAL = 0.5  # seconds

_Handler = Callable[[int, "FrameType | None"], object]


class _Heard:
    """What this process has heard."""

    is_listening = False
    number: int | None = None
    at = 0.0
    was_raised = False


def listen() -> None:
    """Hear signals from now on; the first of them ends the process at once."""
    _Heard.is_listening = True
    expect_lost(KeyboardInterrupt)  # `check` raises it again
    _install(_end_at_once)


def expect_lost(kind: type[BaseException]) -> None:
    """Let Python not complain of a *kind* of error, raised where none can be."""
    before = sys.unraisablehook

    def hook(unraisable: sys.UnraisableHookArgs) -> None:
        if not issubclass(unraisable.exc_type, kind):
            before(unraisable)

    sys.unraisablehook = hook


def ignore() -> None:
    """Hear nothing from now on: the work is done, and its result is known."""
    _install(signal.SIG_IGN)


def was_stopped() -> bool:
    """Tell whether a signal asked this process, which listens, to stop."""
    return _Heard.is_listening and _Heard.number is not None


def exit_code() -> int:
    """Return the exit code of the signal that was heard, by default Ctrl-C's."""
    return 128 + (_Heard.number or signal.SIGINT)


def farewell() -> str:
    """Say what stopped the process."""
    name = SIGNALS[signal.Signals(_Heard.number or signal.SIGINT)]
    return f"ginv: stopped by {name}."


@contextmanager
def raising() -> Iterator[None]:
    """
    Let signals raise KeyboardInterrupt meanwhile.

    Only where the process listens: elsewhere signals are the caller's.
    """
    if not _Heard.is_listening:
        yield
        return
    with _handled_by(_interrupt):
        yield
        check()


def check() -> None:
    """Raise KeyboardInterrupt if it was raised before, and a library swallowed it."""
    if _Heard.was_raised:
        raise KeyboardInterrupt


class Flag:
    """
    Whether somebody asked to stop; a signal's handler may set it.

    No `threading.Event`: to set one takes a lock, and where another signal comes in its
    midst, its handler would wait for that lock for ever.
    """

    def __init__(self) -> None:
        self._is_set = False

    def set(self) -> None:
        """Ask to stop."""
        self._is_set = True

    def is_set(self) -> bool:
        """Tell whether somebody asked."""
        return self._is_set


@contextmanager
def heeding_signals() -> Iterator[Flag]:
    """
    Yield a flag that the first of the signals sets; the second acts as ever.

    Outside the main thread, where Python hears no signals, nothing sets it.
    """
    asked = Flag()
    before = _handlers()

    def ask(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        _note(number)
        asked.set()
        _restore(before)

    with _handled_by(ask):
        yield asked


@contextmanager
def postponing() -> Iterator[None]:
    """Let a signal that comes meanwhile act afterwards, however the block ends."""
    came: list[int] = []
    try:
        with _handled_by(lambda number, frame: came.append(number)):  # noqa: ARG005
            yield
    finally:
        for number in came[:1]:
            signal.raise_signal(number)


def _end_at_once(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    if not _note(number):  # it is ending
        return
    with suppress(OSError):
        os.write(2, f"{farewell()}\n".encode())
    os._exit(exit_code())


def _interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    if _note(number):
        _Heard.was_raised = True
        raise KeyboardInterrupt


def _note(number: int) -> bool:
    """Remember the first signal; tell whether this one is no echo of another."""
    now = time.monotonic()
    is_new = _Heard.number is None or now - _Heard.at > _ONE_SIGNAL
    _Heard.number = _Heard.number or number
    _Heard.at = now
    return is_new


@contextmanager
def _handled_by(handler: _Handler) -> Iterator[None]:
    """Set a handler meanwhile, as far as it can be: in the main thread alone."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = _handlers()
    _install(handler)
    try:
        yield
    finally:
        _restore(before)


def _handlers() -> dict[signal.Signals, Any]:
    """Return what handles each signal, but for those that nothing of ours should."""
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    # None: set by something that is not Python, and could not be put back
    return {n: h for n, h in handlers.items() if h not in (None, signal.SIG_IGN)}


def _install(handler: _Handler | signal.Handlers) -> None:
    for number in _handlers():
        signal.signal(number, handler)


def _restore(handlers: dict[signal.Signals, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)
