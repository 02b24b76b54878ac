"""What commands note of their parts in a job: whether they came to the end of them."""

from __future__ import annotations

from pathlib import Path

from glacier_inversion.files import append_bytes
from glacier_inversion.locks import shared_work_of
from glacier_inversion.sharing.attempts import Hands
from glacier_inversion.workspace import shared_file

_AT_WORK, _ENDED = b"at work\n", b"ended\n"
"""The last line of a note; "at work" of a command that died, too."""


class Parts:
    """
    The notes of all that took part in the job of a folder, by name.

    A note grows by a line, since one that is replaced goes by a file of another name:
    a command that is started twice at once would take it away from itself.

    Parameters
    ----------
    hands : Hands
        Of the command whose own part is noted here.
    """

    def __init__(self, folder: Path, hands: Hands) -> None:
        self._folder = shared_work_of(folder) / "parts"
        self._own = shared_file(self._folder, hands.name, ".txt")
        self._hands = hands

    def note_at_work(self) -> None:
        """Note that this command takes part."""
        append_bytes(self._own, _AT_WORK)

    def note_end(self) -> None:
        """Note that this command has come to the end of its part."""
        append_bytes(self._own, _ENDED)

    def reopen(self) -> None:
        """Note of all that the end of their parts was not that of the job."""
        for part in self._folder.glob("*"):
            append_bytes(part, _AT_WORK)

    def is_back(self) -> bool:
        """Tell whether this command took part before, or comes with another array."""
        return self._own.exists() or self._is_of_another_array()

    def is_run_again(self) -> bool:
        """Tell whether a user wants a job that is finished to be done once more."""
        if self._hands.waits:  # nobody else is started with it, who would be late
            return True
        if self._own.exists():
            return self._own.read_bytes().endswith(_ENDED)
        return self._is_of_another_array()

    def _is_of_another_array(self) -> bool:
        """Tell whether none took part that is started with this command, or nobody."""
        parts = self._folder.glob("*")
        return not any(part.stem.endswith(self._hands.array) for part in parts)
