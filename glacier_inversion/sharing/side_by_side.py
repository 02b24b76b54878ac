"""Tasks that one command has done at the same time, by processes of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from typing import TypeVar

from glacier_inversion.sharing.attempts import PACKAGE, keeping_logs, pass_on
from glacier_inversion.sharing.executors import each
from glacier_inversion.sharing.lost_processes import (
    MOST_TRIES,
    ProcessLostError,
    warn_of_lost,
)

Task = TypeVar("Task")
Result = TypeVar("Result")
Given = TypeVar("Given")


def do_side_by_side(
    work: Callable[[Given, Task], Result],
    given: Given,
    tasks: Sequence[Task],
    jobs: int,
) -> Generator[tuple[Task, Result | ProcessLostError], None, None]:
    """
    Yield each task with its result, as it is done; what it logs is logged here.

    A task whose process dies is tried once more, when the others are done, by one
    process at a time, which has more memory; if that one dies, too, how it ended is
    yielded. The processes have ended when this has, or is closed.

    Parameters
    ----------
    work : callable
        A function of a module, which processes import: takes what is given for all
        tasks, and a task. Its share of the cores is `share_of_cores`.
    tasks : sequence
        Messages name them as `str` does.
    jobs : int
        Processes at most; others than the first begin where there is enough to do.

    Raises
    ------
    ProcessLostError
        No process is left that could begin. What *work* raises is raised, too.
    """
    level = PACKAGE.getEffectiveLevel()
    left = [*tasks]
    for n_tries in range(MOST_TRIES):
        lost: list[tuple[Task, ProcessLostError]] = []
        n_processes = 1 if n_tries else jobs
        with closing(each(_do, (work, given, level), left, n_processes)) as doing:
            for task, answer in doing:
                if isinstance(answer, ProcessLostError):
                    warn_of_lost(str(task), answer)
                    lost.append((task, answer))
                    continue
                result, records = answer
                pass_on(records)
                yield task, result
        left = [task for task, _ in lost]
    yield from lost


def _do(
    work: Callable[[Given, Task], Result],
    given: Given,
    level: int,
    task: Task,
) -> tuple[Result, list[logging.LogRecord]]:
    with keeping_logs(level) as records:
        result = work(given, task)
    return result, records
