"""Processes that are lost: what is told of them, and of the tasks they were at."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from glacier_inversion.errors import GlacierInversionError

logger = logging.getLogger(__name__)

MOST_TRIES = 2
"""Of a task whose process dies."""


class ProcessLostError(RuntimeError):
    """A process ended that should not have, or could not begin: how."""


@contextmanager
def needing_processes(folder: Path, keeps: bool = True) -> Iterator[None]:
    """
    Turn a ProcessLostError within the block into a message for the user.

    Parameters
    ----------
    folder : Path
        What is worked at.
    keeps : bool
        Whether what was made before is kept.

    Raises
    ------
    GlacierInversionError
        None is left.
    """
    try:
        yield
    except ProcessLostError as error:
        kept = "What was made is kept. " if keeps else ""
        message = (
            f"{folder}: {error}. Must have memory for one process at least, and be "
            f"allowed to start it. {kept}Close other programs, allow more processes "
            "and files ('ulimit -u', 'ulimit -n'), or use fewer --jobs, and run it "
            "again."
        )
        raise GlacierInversionError(message) from error


def ended_as_it_began(how: str) -> ProcessLostError:
    """Say of a process that it ended before it could do anything, and how."""
    message = f"a process ended as it began ({how}), perhaps for want of memory"
    return ProcessLostError(message)


def go_on_without(lost: ProcessLostError, n_left: int) -> None:
    """
    Say that work goes on with the processes that are left.

    Raises
    ------
    ProcessLostError
        None is left.
    """
    if not n_left:
        raise lost
    processes = "process" if n_left == 1 else "processes"
    logger.warning("%s: work goes on with %d %s", lost, n_left, processes)


def warn_of_lost(name: str, lost: ProcessLostError) -> None:
    """Say that the process of a task was lost."""
    logger.warning("%s: its process was lost (%s)", name, lost)


def tell_lost(n_tried: int = MOST_TRIES) -> str:
    """Say why there is no result of a task whose processes died, and what to do."""
    return (
        f"each of the {n_tried} processes that worked at it ended without a word. Must "
        "have enough memory, files that GDAL reads, and not be killed. Use fewer "
        "--jobs, shards or workers on a machine, and run it again."
    )
