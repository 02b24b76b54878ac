"""What a command does alone, beside the tasks of a job."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass


def _do_nothing() -> None:
    pass


@dataclass(frozen=True)
class Steps:
    """
    What a command does while it holds the folder of a job alone; by default nothing.

    Attributes
    ----------
    check : callable
        What the first command does before *prepare*: it may refuse to begin, and leaves
        what was made by others as it is.
    prepare : callable
        What the first command does next: it may put away what is there.
    resume : callable
        What a command does that goes on with a job that did not come to its end. It may
        be called several times.
    undo : callable
        What is done where one of these fails; not where a task does.
    """

    check: Callable[[], object] = _do_nothing
    prepare: Callable[[], object] = _do_nothing
    resume: Callable[[], object] = _do_nothing
    undo: Callable[[], object] = _do_nothing

    @contextmanager
    def undoing(self) -> Iterator[None]:
        """Undo what steps in a block have made, if it fails."""
        with ExitStack() as unless_done:
            unless_done.callback(self.undo)
            yield
            unless_done.pop_all()
