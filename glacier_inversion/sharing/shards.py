"""Shards: commands that are started by hand, or by SLURM, and share one job."""

from __future__ import annotations

import logging
import re
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

from glacier_inversion.sharing.attempts import Hands, Place, Task, Work, attempt
from glacier_inversion.sharing.executors import each
from glacier_inversion.sharing.lost_processes import ProcessLostError
from glacier_inversion.workspace import Workspace

_SHARD = re.compile(r"([1-9][0-9]{0,5})/([1-9][0-9]{0,5})")


@dataclass(frozen=True)
class Shard:
    """
    One of several commands that share a job.

    It begins with the tasks that are its own, and goes on with those that others have
    not begun: so all are done, whichever of them are slow, late or dead.

    Attributes
    ----------
    number, of : int
        Which of how many, from 1 on.
    jobs : int
        Processes on this machine.
    """

    number: int
    of: int
    jobs: int
    waits: bool = False  # another shard is at them, which finishes

    @property
    def name(self) -> str:
        """What this command is called in a job."""
        return f"shard {self.number} {self.array}"

    @property
    def array(self) -> str:
        """How the names end of all that a user starts together with it."""
        return f"of {self.of}"

    def each(
        self, place: Place, work: Work, given: Any, tasks: Sequence[Task]
    ) -> Generator[tuple[Task, list[logging.LogRecord] | ProcessLostError], None, None]:
        """Yield each task once it was attempted, or how its process ended."""
        first = len(tasks) * (self.number - 1) // self.of
        ordered = [*tasks[first:], *tasks[:first]]
        yield from each(attempt, (place, work, given), ordered, self.jobs)


def parse_shard(text: str) -> tuple[int, int]:
    """
    Return which shard of how many is meant.

    Raises
    ------
    ValueError
        It is none.

    >>> parse_shard("2/4")
    (2, 4)
    """
    found = _SHARD.fullmatch(text)
    if found and int(found[1]) <= int(found[2]):
        return int(found[1]), int(found[2])
    message = (
        f"{text!r} is no shard. Must be I/N, such as 1/4, 2/4, 3/4 and 4/4 for four "
        "commands. SLURM counts them so with --array=1-4."
    )
    raise ValueError(message)


def find_hands(
    shard: str | None, scheduler: str | None, jobs: int, workspace: Workspace
) -> tuple[Hands | None, Workspace]:
    """
    Return who shares the work, None where one command does all of it, and its place.

    Workers of a scheduler were started in other folders: the workspace's path is
    absolute for them.

    Parameters
    ----------
    shard : str or None
        Such as "1/4".
    scheduler : str or None
        The address of a Dask scheduler.
    jobs : int
        Processes of a shard.
    workspace : Workspace
        Its path may be relative to where the command was started.

    Raises
    ------
    ValueError
        There is no such shard, or both are given.
    PackageError
        dask.distributed is not installed.
    """
    if shard is not None and scheduler is not None:
        message = f"Invalid shard {shard!r} beside {scheduler!r}. Must be one of them."
        raise ValueError(message)
    if scheduler is not None:
        from glacier_inversion.sharing.cluster import Cluster  # noqa: PLC0415  extra

        return Cluster(scheduler), Workspace(workspace.root.absolute())
    hands = None if shard is None else Shard(*parse_shard(shard), jobs)
    return hands, workspace
