"""Hands and work for tests of jobs; other processes import it."""

from __future__ import annotations

import logging
import os
import signal
import time
from pathlib import Path
from unittest import mock

from glacier_inversion.errors import RasterError, StoppedError
from glacier_inversion.machine.interrupts import heeding_signals
from glacier_inversion.sharing import attempts
from glacier_inversion.sharing.attempts import attempt, once, share_of_cores

logger = logging.getLogger("glacier_inversion.tests")


class Here:
    """Does tasks in this process."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.array = ""  # all are of one
        self.waits = False

    def each(self, place, work, given, tasks):
        """Attempt each task."""
        for task in tasks:
            yield task, attempt(place, work, given, task)


def square(folder: Path, number: int) -> dict[str, int]:
    """Do a task, and count how often it was done."""
    with (folder / f"done {number}").open("a") as file:
        file.write(f"{os.getpid()}\n")
    logger.warning("done: %d", number)
    return {"square": number**2}


def slow_square(folder: Path, number: int) -> dict[str, int]:
    """Do a task, for half a second."""
    time.sleep(0.5)
    return square(folder, number)


def killed(folder: Path, number: int) -> dict[str, int]:
    """Do a task; but 13 kills its process each time, and 15 the first time."""
    result = square(folder, number)
    n_done = (folder / f"done {number}").read_text().count("\n")
    if number == 13 or (number == 15 and n_done == 1):
        os.kill(os.getpid(), signal.SIGKILL)
    return result


def done(folder: Path) -> dict[int, int]:
    """Return how often each task was done."""
    return {
        int(path.name.split()[1]): path.read_text().count("\n")
        for path in folder.glob("done *")
    }


def unlucky(folder: Path, number: int) -> dict[str, int]:
    """Refuse a task."""
    message = f"{number}: is unlucky"
    raise RasterError(message)


def share_of_eight(given: object, task: object) -> dict[str, int]:
    """Return the cores of the process that does a task, of eight of a large machine."""
    with (
        mock.patch.object(attempts, "available_cores", return_value=8),
        mock.patch.object(os, "cpu_count", return_value=64),
    ):
        return {"cores": share_of_cores()}


def square_of_opened(offset: int, number: int) -> int:
    """Do a task at once, by what takes a second to open."""
    once("what tasks need", lambda: time.sleep(1.0))
    return offset + number**2


def square_of_opened_once(folder: Path, number: int) -> int:
    """Do a task, by what one process alone can open: others are killed."""
    once("what tasks need", lambda: _open_alone(folder))
    time.sleep(0.05)
    return number**2


def _open_alone(folder: Path) -> None:
    try:
        (folder / "opened").touch(exist_ok=False)
    except FileExistsError:
        os.kill(os.getpid(), signal.SIGKILL)


def stopped(_, number: int) -> dict[str, int]:
    """Do a task; but 16 is stopped by a signal, as a training is."""
    if number == 16:
        with heeding_signals() as asked:
            signal.raise_signal(signal.SIGTERM)
            assert asked.is_set()
        message = "stopped"
        raise StoppedError(message)
    return {"square": number**2}


def asked_to_end(_, number: int) -> dict[str, int]:
    """Do a task; but at 16 the process is asked to end, as any may be."""
    if number == 16:
        signal.raise_signal(signal.SIGTERM)
    return {"square": number**2}
