"""Tasks that one command has done at the same time, by processes of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from typing import TypeVar

from glacier_inversion.errors import GlacierInversionError
from glacier_inversion.machine.cores import available_cores
from glacier_inversion.sharing.attempts import (
    MOST_TRIES,
    PACKAGE,
    keeping_logs,
    tell_lost,
)
from glacier_inversion.sharing.executors import (
    ProcessLostError,
    each,
)

logger = logging.getLogger(__name__)

Task = TypeVar("Task")
Result = TypeVar("Result")
Given = TypeVar("Given")


def do_side_by_side(
    work: Callable[[Given, int, Task], Result],
    given: Given,
    tasks: Sequence[Task],
    jobs: int,
) -> Generator[tuple[Task, Result | str], None, None]:
    """
    Yield each task with its result, as it is done; what it logs is logged here.

    A task whose process dies is tried once more; if that one dies, too, what tells the
    user so is yielded. The processes have ended when this has, or is closed.

    Parameters
    ----------
    work : callable
        A function of a module, which processes import: takes what is given for all
        tasks, the number of threads that are its own, and a task.
    jobs : int
        Processes at most; others than the first begin where there is enough to do.

    Raises
    ------
    GlacierInversionError
        No process is left that could begin. What *work* raises is raised, too.
    """
    level = PACKAGE.getEffectiveLevel()
    n_threads = max(1, available_cores() // max(1, min(jobs, len(tasks))))
    left = [*tasks]
    for n_tried in range(1, MOST_TRIES + 1):
        lost: list[Task] = []
        doing = each(_do, (work, given, level, n_threads), left, jobs)
        try:
            with closing(doing):
                for task, answer in doing:
                    if isinstance(answer, ProcessLostError):
                        logger.warning("%s: its process was lost (%s)", task, answer)
                        if n_tried < MOST_TRIES:
                            lost.append(task)
                        else:
                            yield task, tell_lost(n_tried)
                        continue
                    result, records = answer
                    for record in records:
                        logging.getLogger(record.name).handle(record)
                    yield task, result
        except ProcessLostError as error:
            message = (
                f"a process ended as it began ({error}), perhaps for want of memory. "
                "Must have enough. Run it again, with fewer --jobs."
            )
            raise GlacierInversionError(message) from error
        left = lost


def _do(
    work: Callable[[Given, int, Task], Result],
    given: Given,
    level: int,
    n_threads: int,
    task: Task,
) -> tuple[Result, list[logging.LogRecord]]:
    with keeping_logs(level) as records:
        result = work(given, n_threads, task)
    return result, records
