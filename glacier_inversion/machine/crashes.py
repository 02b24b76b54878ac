"""
Crashes of libraries: a command is a process that another one waits for.

GDAL at a broken file, or any library without memory, may end a process without a word;
and a system without memory ends one by SIGKILL. The one that waits, which has imported
nothing that could crash, says then how the command ended, and at which file it was.
"""

from __future__ import annotations

import mmap
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from glacier_inversion.machine.interrupts import SIGNALS

_NOTE_BYTES = 8192  # a path has 4,096 at most
_PR_SET_PDEATHSIG = 1  # of Linux
_FROM_KERNEL = 0x80  # si_code of a signal of the terminal


class _Here:
    """What this process is."""

    note: mmap.mmap | None = None  # shared with the one that waits, if one does
    reading: tuple[Path, ...] = ()


def is_watched() -> bool:
    """Tell whether another process waits for this one, and says how it ended."""
    return _Here.note is not None


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Let messages name a file of the user's, if this process ends meanwhile."""
    before = _Here.reading
    _write(*before, path)
    try:
        yield
    finally:
        _write(*before)


def _write(*paths: Path) -> None:
    """Note the files that are being read, the last one for whoever waits."""
    _Here.reading = paths
    if _Here.note is not None:
        content = os.fsencode(paths[-1])[: _NOTE_BYTES - 1] if paths else b""
        _Here.note[: len(content) + 1] = content + b"\0"


def watch() -> None:
    """
    Go on in a process of its own, for which this one waits, and ends as it does.

    Call it before anything is imported that has threads. Signals that are sent to this
    process alone are handed on; where this one is killed, the other is killed, too.
    Nothing happens where no process can be made, or not on Linux.
    """
    if sys.platform != "linux":
        return
    heard = {n for n in SIGNALS if signal.getsignal(n) != signal.SIG_IGN}
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, it would take the status
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {*heard, signal.SIGCHLD})
    parent = os.getpid()
    try:
        note = mmap.mmap(-1, _NOTE_BYTES)
        child = os.fork()
    except OSError:  # there are as many as may be
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return
    if child:
        os._exit(_wait(child, heard, note))
    _end_with(parent)
    _Here.note = note
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_with(parent: int) -> None:
    """Be killed when the process that waits is, also within a library."""
    with suppress(ImportError, OSError):  # where there is hardly any memory
        import ctypes  # noqa: PLC0415  the one that waits needs it not

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it has gone before
        os._exit(1)


def _wait(child: int, heard: set[signal.Signals], note: mmap.mmap) -> int:
    """
    Wait for the end of a command, hand signals on to it; return its exit code.

    A command that was told to stop has done so, too, where C++ aborts as it ends: for a
    thread of a library that was still at work.
    """
    told = 0
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            break
        came = signal.sigwaitinfo({*heard, signal.SIGCHLD})
        if came.si_signo == signal.SIGCHLD:
            continue
        told = told or came.si_signo
        if came.si_code != _FROM_KERNEL:
            os.kill(child, came.si_signo)  # a corpse until it is waited for
    code = os.waitstatus_to_exitcode(status)
    if code >= 0 or -code in heard:
        return abs(code) + (128 if code < 0 else 0)
    if told and -code == signal.SIGABRT:
        return 128 + told
    path = bytes(note).partition(b"\0")[0]
    said = describe_end(-code, os.fsdecode(path))
    with suppress(OSError):  # nobody reads it
        # a bar may be on the line
        start = "\n" if os.isatty(2) else ""
        os.write(2, f"{start}Error: {said}\n".encode(errors="surrogateescape"))
    return 1


def describe_end(number: int, path: str = "") -> str:
    """
    Say what a signal may mean that ended a process, and what to do.

    Parameters
    ----------
    number : int
        Of the signal.
    path : str, optional
        The file that was being read.

    Examples
    --------
    >>> print(describe_end(11, "data/slope.tif"))
    data/slope.tif: the library that reads it crashed (SIGSEGV). Must be a whole file \
that GDAL reads. See whether 'gdalinfo -checksum' or 'ogrinfo -al' crashes, too, and \
put the file there again.
    """
    try:
        name = signal.Signals(number).name
    except ValueError:  # one of the realtime
        name = f"signal {number}"
    what_to_do = (
        "See whether 'gdalinfo -checksum' or 'ogrinfo -al' {ends}, too, and put the "
        "file there again."
    )
    if path and name == "SIGXCPU":
        return (
            f"{path}: GDAL did not come to an end with it ({name}). Must be a whole "
            f"file that GDAL reads. {what_to_do.format(ends='does not end')}"
        )
    if path and name != "SIGKILL":
        return (
            f"{path}: the library that reads it crashed ({name}). Must be a whole file "
            f"that GDAL reads. {what_to_do.format(ends='crashes')}"
        )
    if name == "SIGKILL":
        at = " while it was read" if path else ""
        return (
            f"{path or 'the command'}: the process was killed{at} ({name}), as a "
            "system does that has no more memory. Must have enough. What was made is "
            "kept. Close other programs, use fewer --jobs, a smaller batch_size or "
            "coarser rasters, and run it again."
        )
    return (
        f"the command: a library crashed ({name}), perhaps for want of memory. What "
        "was made is kept. Run it again, with more memory; if it crashes again, please "
        "report it to the project."
    )
