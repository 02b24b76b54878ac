"""
Where ``ginv``, and ``python -m glacier_inversion``, begin.

Signals are heard before anything else is imported, which takes seconds.
"""

from glacier_inversion.interrupts import ignore, listen


def main() -> None:
    """Run the command line, and end with its exit code."""
    listen()
    from glacier_inversion.cli import main as command_line  # noqa: PLC0415
    from glacier_inversion.console import run  # noqa: PLC0415

    try:
        run(command_line)
    finally:
        ignore()


if __name__ == "__main__":
    main()
