"""Processes that are lost: what is told of them, and of the tasks they were at."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar

from glacier_inversion.errors import GlacierInversionError

logger = logging.getLogger(__name__)

MOST_TRIES = 2
"""Of a task whose process dies."""

Task = TypeVar("Task")
Result = TypeVar("Result")


class ProcessLostError(RuntimeError):
    """A process ended that should not have, or could not begin: how."""


@contextmanager
def needing_processes(folder: Path, keeps: bool = True) -> Iterator[None]:
    """
    Tell the user where no process is left that could begin within the block.

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
            f"{folder}: {error}, perhaps for want of memory. Must have enough, and be "
            f"allowed to start processes. {kept}Run it again, with fewer --jobs."
        )
        raise GlacierInversionError(message) from error


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
    logger.warning("%s, perhaps for want of memory: work goes on with %d", lost, n_left)


def setting_lost_aside(
    doing: Generator[tuple[Task, Result | ProcessLostError], None, None],
    lost: list[Task],
    name: Callable[[Task], str],
) -> Generator[tuple[Task, Result], None, None]:
    """Yield the tasks that were done; add the others to *lost*, and say so of each."""
    with closing(doing):
        for task, result in doing:
            if isinstance(result, ProcessLostError):
                logger.warning("%s: its process was lost (%s)", name(task), result)
                lost.append(task)
            else:
                yield task, result


def tell_lost(n_tried: int) -> str:
    """Say why there is no result of a task whose processes died, and what to do."""
    return (
        f"each of the {n_tried} processes that worked at it ended without a word. Must "
        "have enough memory, files that GDAL reads, and not be killed. Use fewer "
        "--jobs, shards or workers on a machine, and run it again."
    )
