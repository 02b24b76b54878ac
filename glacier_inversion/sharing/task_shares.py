"""How tasks are shared out among processes, and how many of those are worth it."""

from __future__ import annotations

import time
from collections.abc import Hashable, Sequence
from typing import Generic, TypeVar

Task = TypeVar("Task")
_WORTHWHILE = 2.0  # times its start, that a process must have to do


class Shares(Generic[Task]):
    """
    Tasks, each process's in a run of its own: neighbours have much in common.

    Who has done all of its run is given half of the longest of the others.
    """

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._runs: dict[Hashable, list[Task]] = {None: list(reversed(tasks))}

    def __len__(self) -> int:
        """Return how many are not taken yet."""
        return sum(map(len, self._runs.values()))

    def take(self, process: Hashable) -> Task:
        """Take the next task, of which there must be one."""
        own = self._runs.setdefault(process, [])
        if not own:
            longest = max(self._runs.values(), key=len)
            n = len(longest) if longest is self._runs[None] else -(-len(longest) // 2)
            own += longest[:n]
            del longest[:n]
        return own.pop()

    def give_back(self, process: Hashable, task: Task) -> None:
        """Let others take a task that a process has not done."""
        self._runs[process].append(task)


class Pace:
    """How long a process takes to begin, and a task, by those that were seen."""

    def __init__(self) -> None:
        self._first: Hashable = None
        self._start = 0.0  # seconds in which the first process began
        self._beginning: dict[Hashable, float] = {}  # since when
        self._working: dict[Hashable, float] = {}  # likewise
        self._busy = 0.0  # seconds of those that do not work any more
        self._n_done = 0

    def note_start(self, process: Hashable, since: float) -> None:
        """Note since when a process begins, or opens what its tasks need."""
        self._rest(process)
        self._beginning[process] = since

    def note_ready(self, process: Hashable) -> None:
        """Note that a process works at its tasks."""
        self._working[process] = now = time.perf_counter()
        seconds = now - self._beginning.pop(process)
        if self._first is None:
            self._first = process
        if process == self._first:
            self._start += seconds

    def note_lost(self, process: Hashable) -> None:
        """Note that a process is no more."""
        self._rest(process)
        if self._beginning.pop(process, None) is not None and process == self._first:
            self._first, self._start = None, 0.0  # the next one opens all anew

    def _rest(self, process: Hashable) -> None:
        now = time.perf_counter()
        self._busy += now - self._working.pop(process, now)

    def note_done(self) -> None:
        """Note that a task is done."""
        self._n_done += 1

    def n_worthwhile(self, n_left: int) -> int:
        """Return of how many processes each would work for longer than it begins."""
        if self._first is None or self._first in self._beginning:
            return 1
        now = time.perf_counter()
        busy = self._busy + sum(now - since for since in self._working.values())
        left = n_left * busy / max(self._n_done, 1)
        return max(1, int(left / (_WORTHWHILE * self._start)))
