"""
Where ``ginv``, and ``python -m glacier_inversion``, begin.

Signals are heard before anything else is imported, which takes seconds; and the command
runs in a process of its own, so that what crashes there is told.
"""

import _signal  # signal takes 20 ms
import os
import sys
from _signal import SIG_IGN, SIGINT, SIGTERM, getsignal, signal

_NAMES = {SIGINT: "Ctrl-C", SIGTERM: "SIGTERM"}
if hasattr(_signal, "SIGHUP"):  # not on Windows
    _NAMES[_signal.SIGHUP] = "SIGHUP"


def main() -> None:
    """Run the command line, and end with its exit code."""
    _encode_names_as_utf8()
    for number in _NAMES:
        if getsignal(number) != SIG_IGN:  # as nohup sets it
            signal(number, _end)
    from glacier_inversion.machine.interrupts import ignore, listen  # noqa: PLC0415

    listen()
    from glacier_inversion.machine.crashes import watch  # noqa: PLC0415

    watch()
    from glacier_inversion.cli import main as command_line  # noqa: PLC0415
    from glacier_inversion.commands.console import run  # noqa: PLC0415

    try:
        run(command_line)
    finally:
        ignore()


def _encode_names_as_utf8() -> None:
    """
    Begin again where Python encodes names of files otherwise, as a locale may have it.

    Names in experiments, outlines and archives are text. In ASCII or Latin 1 a file
    with an umlaut in its name would not be found.
    """
    if sys.getfilesystemencoding() == "utf-8" or os.environ.get("PYTHONUTF8") == "1":
        return
    os.environ["PYTHONUTF8"] = "1"
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def _end(number: int, frame: object) -> None:  # noqa: ARG001
    """End at once, as `interrupts` does from its import on."""
    try:  # noqa: SIM105  without an import more
        os.write(2, f"ginv: stopped by {_NAMES[number]}.\n".encode())
    except OSError:  # nobody reads it
        pass
    os._exit(128 + number)


if __name__ == "__main__":
    main()
