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
    tell_lost,
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
) -> Generator[tuple[Task, Result | str], None, None]:
    """
    Yield each task with its result, as it is done; what it logs is logged here.

    A task whose process dies is tried once more; if that one dies, too, what tells the
    user so is yielded. The processes have ended when this has, or is closed.

    Parameters
    ----------
    work : callable
        A function of a module, which processes import: takes what is given for all
        tasks, and a task. Its share of the cores is `share_of_cores`.
    jobs : int
        Processes at most; others than the first begin where there is enough to do.

    Raises
    ------
    ProcessLostError
        No process is left that could begin. What *work* raises is raised, too.
    """
    level = PACKAGE.getEffectiveLevel()
    left = [*tasks]
    for _ in range(MOST_TRIES):
        lost: list[Task] = []
        with closing(each(_do, (work, given, level), left, jobs)) as doing:
            for task, answer in doing:
                if isinstance(answer, ProcessLostError):
                    warn_of_lost(str(task), answer)
                    lost.append(task)
                    continue
                result, records = answer
                pass_on(records)
                yield task, result
        left = lost
    for task in left:
        yield task, tell_lost(MOST_TRIES)


def _do(
    work: Callable[[Given, Task], Result],
    given: Given,
    level: int,
    task: Task,
) -> tuple[Result, list[logging.LogRecord]]:
    with keeping_logs(level) as records:
        result = work(given, task)
    return result, records
