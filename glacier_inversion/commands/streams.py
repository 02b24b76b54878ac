"""Standard input, output and error, made what work can rely on."""

from __future__ import annotations

import codecs
import errno
import io
import os
import sys
from contextlib import suppress

from glacier_inversion.errors import GlacierInversionError


class _Results(io.TextIOWrapper):
    """Standard output, on which a failure to write is a message."""

    _has_failed = False

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError as error:
            raise self._failure(error) from error

    def flush(self) -> None:
        if self._has_failed:
            return  # what could not be written is still in the buffer
        try:
            super().flush()
        except OSError as error:
            raise self._failure(error) from error

    def _failure(self, error: OSError) -> Exception:
        self._has_failed = True
        if error.errno == errno.EPIPE:  # who read it has gone, and click knows that
            return error
        message = (
            f"standard output: cannot be written ({error.strerror}). Must have space. "
            "Free some, or send it elsewhere; the files that were made are in place."
        )
        return GlacierInversionError(message)


class _Notes(io.TextIOWrapper):
    """Standard error, which nobody may hear: that does not end any work."""

    def write(self, text: str) -> int:
        with suppress(OSError):
            super().write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            super().flush()


def open_streams() -> None:
    """
    Make standard input, output and error what work can rely on.

    One that is closed is that of nobody: else the next file that is opened would take
    its place, and hear what libraries print. Paths are written as the bytes that they
    are, in UTF-8 at least.
    """
    for number, name, mode in (
        (0, "stdin", "r"),
        (1, "stdout", "w"),
        (2, "stderr", "w"),
    ):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the first free
        if getattr(sys, name) is None:
            stream = open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)
    if sys.stdout is sys.__stdout__ and isinstance(sys.stdout, io.TextIOWrapper):
        is_utf8 = codecs.lookup(sys.stdout.encoding).name == "utf-8"
        sys.stdout = _Results(
            sys.stdout.buffer,
            encoding=sys.stdout.encoding,
            errors="surrogateescape" if is_utf8 else "backslashreplace",
            line_buffering=True,
        )
    if sys.stderr is sys.__stderr__ and isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr = _Notes(
            sys.stderr.buffer,
            encoding=sys.stderr.encoding,
            errors="backslashreplace",
            line_buffering=True,
        )
