"""
Where ``ginv``, and ``python -m glacier_inversion``, begin.

Signals are heard before anything else is imported, which takes seconds.
"""

import os
from _signal import SIG_IGN, SIGINT, SIGTERM, getsignal, signal  # signal takes 20 ms


def main() -> None:
    """Run the command line, and end with its exit code."""
    for number in (SIGINT, SIGTERM):
        if getsignal(number) != SIG_IGN:  # as nohup sets it
            signal(number, _end)
    from glacier_inversion.interrupts import ignore, listen  # noqa: PLC0415

    listen()
    from glacier_inversion.cli import main as command_line  # noqa: PLC0415
    from glacier_inversion.commands.console import run  # noqa: PLC0415

    try:
        run(command_line)
    finally:
        ignore()


def _end(number: int, frame: object) -> None:  # noqa: ARG001
    """End at once, as `interrupts` does from its import on."""
    name = "Ctrl-C" if number == SIGINT else "SIGTERM"
    os.write(2, f"ginv: stopped by {name}.\n".encode())
    os._exit(128 + number)


if __name__ == "__main__":
    main()
