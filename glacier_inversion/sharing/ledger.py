"""What has become of a task: a file that whoever works at the task holds alone."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glacier_inversion.locks import Lock

_TRIED, _TAKEN_BACK, _RESULT = b"tried", b"taken back", b"result "
_GLANCE = 0.05  # seconds after which who only looks has let go again


@dataclass(frozen=True)
class Entry:
    """
    What has become of a task.

    Attributes
    ----------
    n_tried : int
        How often it was begun, by processes that did not end in good order too.
    result : dict or None
        What JSON can hold of its result, None until it is done.
    """

    n_tried: int
    result: dict[str, Any] | None


class Ledger:
    """
    The file of a task: lines that are appended by who holds it.

    Lock and content are one file, as other machines see what was written before a lock
    was let go once they hold it themselves; a file beside it they may see too late.

    Parameters
    ----------
    path : Path
        Made when it is held first.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = Lock(path)

    @contextmanager
    def held(self) -> Iterator[bool]:
        """
        Hold the task for a block, unless somebody else does; tell whether.

        Somebody who only looks whether it is held keeps nobody from it.
        """
        is_ours = self._lock.try_alone()
        if not is_ours:
            time.sleep(_GLANCE)
            is_ours = self._lock.try_alone()
        try:
            yield is_ours
        finally:
            self._lock.release()

    def is_held(self) -> bool:
        """Tell whether somebody is at the task; nothing is made to find that out."""
        return self._lock.is_held_alone()

    def read(self) -> Entry:
        """Read what has become of the task; it need not be held."""
        try:
            lines = self._lock.read().split(b"\n")
        except FileNotFoundError:
            return Entry(0, None)
        result: dict[str, Any] | None = None
        for line in lines:
            if line.startswith(_RESULT):
                with suppress(ValueError):  # a part that its writer was killed at
                    result = json.loads(line.removeprefix(_RESULT))
        n_tried = lines.count(_TRIED) - lines.count(_TAKEN_BACK)
        return Entry(n_tried, result)

    def note_begin(self) -> None:
        """Note that the task, which is held, is tried once more."""
        self._note(_TRIED)

    def take_back(self) -> None:
        """Note that the last try was ended in good order, and does not count."""
        self._note(_TAKEN_BACK)

    def note_result(self, result: dict[str, Any]) -> None:
        """Note that the task, which is held, is done."""
        self._note(_RESULT + json.dumps(result).encode())

    def _note(self, line: bytes) -> None:
        # a line of its own, whatever a process that was killed has left of one
        self._lock.append(b"\n" + line + b"\n")
