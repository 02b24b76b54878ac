"""What a command does alone, beside the tasks of a job."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Steps:
    """What a command does while it holds a folder alone, as `working_together` says."""

    check: Callable[[], object]
    prepare: Callable[[], object]
    resume: Callable[[], object]
    undo: Callable[[], object]

    @contextmanager
    def undoing(self) -> Iterator[None]:
        """Undo what steps in a block have made, if it fails."""
        with ExitStack() as unless_done:
            unless_done.callback(self.undo)
            yield
            unless_done.pop_all()
