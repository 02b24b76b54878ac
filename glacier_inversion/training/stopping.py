"""Ending on request: training hears of Ctrl-C and SIGTERM between two steps."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from types import FrameType

_SIGNALS = signal.SIGINT, signal.SIGTERM


@contextmanager
def heeding_signals() -> Iterator[threading.Event]:
    """
    Yield an event that the first SIGINT or SIGTERM sets; the second acts as ever.

    Outside the main thread, where Python hears no signals, nothing sets it.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def ask(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        asked.set()
        restore()

    for number in _SIGNALS:
        signal.signal(number, ask)
    try:
        yield asked
    finally:
        restore()


@contextmanager
def deaf_to_interrupts() -> Iterator[None]:
    """Let processes that are started here hear no Ctrl-C, which is their parent's."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    # which else is started with the first process, and ends the mask
    resource_tracker.ensure_running()
    # they inherit the mask; this process hears afterwards of what came meanwhile
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
