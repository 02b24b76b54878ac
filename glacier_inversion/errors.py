"""
What a user can mend.

Every error here carries one message, ``where: what is wrong, with the value. What is
allowed. What to do.``, and the exit code of a command that it ends. Commands also end
with 3, when they finished but some features failed, and with 70 upon an error that is
none of these and that nobody foresaw. Each is a standard exception too, so that callers
need not know this module::

    GlacierInversionError            exit 1
    ├── ExperimentError (ValueError) exit 2
    ├── OutlineError (ValueError)
    ├── RasterError (ValueError)
    ├── DatasetError (ValueError)
    ├── ModelError (ValueError)
    ├── DeviceError (RuntimeError)   exit 2
    │   └── DeviceMemoryError
    ├── TrainingError (RuntimeError)
    │   └── MemberError
    ├── StoppedError                 exit 130, 143 by SIGTERM, 129 by SIGHUP
    ├── LeftToOthersError            exit 0
    ├── PackageError (ImportError)   exit 2
    └── WorkspaceError (OSError)
"""

from __future__ import annotations

import difflib
import errno
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeGuard

# of torch's allocator, of C++, and of oneDNN, which finds no room for its code
_WITHOUT_MEMORY = ("DefaultCPUAllocator", "bad_alloc", "could not create a primitive")
# of the loader of libraries, and of Python, which finds no room for an exception
_NOT_LOADED = (
    "failed to map segment",
    "cannot allocate memory",
    "error return without exception set",
    "returned NULL without setting an exception",
)

_MOST_COMPARED = 5000  # names, each of which takes 20 microseconds
_LONGEST_NAME = 40  # characters of one of several


class GlacierInversionError(Exception):
    """Something that the user can mend."""

    exit_code = 1


class ExperimentError(GlacierInversionError, ValueError):
    """The experiment file is wrong."""

    exit_code = 2


class OutlineError(GlacierInversionError, ValueError):
    """A file of outlines or profiles cannot be used."""


class RasterError(GlacierInversionError, ValueError):
    """A raster cannot be used."""


class DatasetError(GlacierInversionError, ValueError):
    """A built dataset is missing, incomplete or does not fit the experiment."""


class ModelError(GlacierInversionError, ValueError):
    """A trained model is missing, incomplete or does not fit the experiment."""


class DeviceError(GlacierInversionError, RuntimeError):
    """What is to compute is not there."""

    exit_code = 2


class DeviceMemoryError(DeviceError):
    """The memory of what is to compute does not hold what it is given."""


class TrainingError(GlacierInversionError, RuntimeError):
    """A member could not be trained."""


class MemberError(TrainingError):
    """A member's network does not learn, and would not if it were trained again."""


class StoppedError(GlacierInversionError):
    """Work ended because the user asked for it."""

    exit_code = 130


class LeftToOthersError(GlacierInversionError):
    """Nothing is left to do for this command: others that work with it finish."""

    exit_code = 0


class PackageError(GlacierInversionError, ImportError):
    """A package that an option needs is not installed."""

    exit_code = 2


class WorkspaceError(GlacierInversionError, OSError):
    """A file or folder of the workspace cannot be used."""


def nearest(name: str, known: Iterable[str]) -> str:
    """
    Say which of *known* the user may have meant, unless they are too many to compare.

    >>> nearest("slop", ["velocity", "slope"])
    "Did you mean 'slope'? Known: slope, velocity."
    >>> nearest("seeds", ["seeds_number"])
    "Did you mean 'seeds_number'? Known: seeds_number."
    >>> nearest("x", [])
    'There is none.'
    """
    names = sorted(known)
    if not names:
        return "There is none."
    close = []
    if len(names) <= _MOST_COMPARED and len(name) <= _MOST_COMPARED:
        close = difflib.get_close_matches(name, names, n=1)
        close = close or [other for other in names if len(name) > 2 and name in other]
    shown = [*map(_shorten, names[:20])] + (["..."] if len(names) > 20 else [])
    meant = f"Did you mean {close[0]!r}? " if close else ""
    return f"{meant}Known: {', '.join(shown)}."


def name_some(names: Sequence[str], most: int = 20) -> str:
    r"""
    List names, long ones shortened, and say how many more there are.

    >>> name_some(["a", "b"]), name_some(["a", "b", "c"], most=2)
    ('a, b', 'a, b and 1 more')
    >>> name_some(["a\x1b[1m"])
    'a�[1m'
    >>> name_some(["Glacier\xa0d'Otemma", "a\u202eb"])
    "Glacier\xa0d'Otemma, a�b"
    >>> name_some(["x" * 200])
    'xxxxxxxxxxxxxxxxxxx…xxxxxxxxxxxxxxxxxxxx'
    """
    shown = ", ".join(map(_shorten, names[:most]))
    more = len(names) - most
    return f"{shown} and {more:,} more" if more > 0 else shown


def _shorten(name: str) -> str:
    # of a file that is no table, control characters would be the terminal's
    name = "".join(each if _is_seen(each) else "\ufffd" for each in name)
    if len(name) <= _LONGEST_NAME:
        return name
    half = _LONGEST_NAME // 2
    return f"{name[: half - 1]}…{name[-half:]}"


def _is_seen(char: str) -> bool:
    """Tell whether a character is text or a space, and nothing for a terminal to do."""
    return char.isprintable() or unicodedata.category(char) == "Zs"


def first_line(error: Exception) -> str:
    """
    Return the first line of an error's text.

    >>> first_line(ValueError("one"))
    'one'
    """
    return str(error).partition("\n")[0]


def is_out_of_memory(error: BaseException) -> TypeGuard[Exception]:
    """Tell whether an error, of whichever library, says that memory is short."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    # torch raises it for the processor's memory, and nothing else tells it apart
    if isinstance(error, RuntimeError):
        return any(words in str(error) for words in _WITHOUT_MEMORY)
    if isinstance(error, ImportError | SystemError):
        return any(words in str(error) for words in _NOT_LOADED)
    return isinstance(error, MemoryError)


@contextmanager
def unprinted() -> Iterator[None]:
    """Print nothing of what readers cannot hand on: messages that are no text."""
    hooks = sys.excepthook, sys.unraisablehook

    def say_nothing(*_: object) -> None:
        """Take no notice."""

    sys.excepthook = sys.unraisablehook = say_nothing
    try:
        yield
    finally:
        sys.excepthook, sys.unraisablehook = hooks
