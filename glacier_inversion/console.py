"""
What the commands have in common: errors, logging, progress bars, options.

The only place that configures logging, catches our errors and shows progress.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import click

from glacier_inversion.choices import DeviceName
from glacier_inversion.errors import GlacierInversionError


class _Failure(click.ClickException):
    """A message and an exit code."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # click reads it per instance


class FriendlyGroup(click.Group):
    """Print our own errors as messages; others keep their traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; end with the exit code of the error that it raises."""
        try:
            return super().invoke(ctx)
        except GlacierInversionError as error:
            raise _Failure(str(error), error.exit_code) from error
        except PermissionError as error:
            message = (
                f"{error.filename}: permission denied. Must be readable, and writable "
                "in datasets, models and drawings. Change its permissions, or choose "
                "another --workspace."
            )
            raise _Failure(message, 1) from error


class Bar:
    """A progress bar on stderr; none where that is no terminal."""

    def __init__(self) -> None:
        self._bar: Any = None

    def start(self, total: int, unit: str) -> None:
        """Show the bar."""
        from tqdm import tqdm

        self._bar = tqdm(total=total, unit=unit, disable=None, dynamic_ncols=True)

    def advance(self, note: str = "") -> None:
        """Move the bar on by a step."""
        self._bar.set_postfix_str(note, refresh=False)
        self._bar.update()

    def __enter__(self) -> Bar:
        """Wait for a start."""
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the terminal tidy."""
        if self._bar is not None:
            self._bar.close()


class _Handler(logging.Handler):
    """Write log records to stderr, above the progress bar."""

    def emit(self, record: logging.LogRecord) -> None:
        message = self.format(record)
        if "tqdm" in sys.modules:
            from tqdm import tqdm

            tqdm.write(message, file=sys.stderr)
        else:
            click.echo(message, err=True)


def configure_logging(verbose: bool, quiet: bool) -> None:
    """Let the package log to stderr."""
    handler = _Handler()
    handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    package = logging.getLogger("glacier_inversion")
    package.handlers = [handler]
    package.propagate = False
    level = logging.DEBUG if verbose else logging.INFO
    package.setLevel(logging.ERROR if quiet else level)


Command = Callable[..., Any]

_EXPERIMENT = click.argument(
    "experiment", type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
_WORKSPACE = click.option(
    "--workspace",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path(),
    show_default="the current folder",
    help="Folder with data/, in which datasets/, models/ and drawings/ are made.",
)
VERBOSE = click.option("-v", "--verbose", is_flag=True, help="Log details too.")
DEVICE = click.option(
    "--device",
    type=click.Choice(get_args(DeviceName)),
    default="auto",
    show_default=True,
    help="What computes: the processor, or a GPU, which auto prefers.",
)
QUIET = click.option("-q", "--quiet", is_flag=True, help="Log errors only.")


def with_common_options(command: Command) -> Command:
    """Give a command the argument and options that all of them have."""
    for decorate in (QUIET, VERBOSE, _WORKSPACE, _EXPERIMENT):
        command = decorate(command)
    return command


class SeedList(click.ParamType[list[int]]):
    """Seeds such as 3,7-9."""

    name = "seeds"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> list[int]:
        """Return the seeds in order, each once."""
        if isinstance(value, list):
            return value
        seeds: set[int] = set()
        for part in str(value).split(","):
            first, dash, last = part.strip().partition("-")
            numbers = [first, last] if dash else [first]
            if not all(n.isdecimal() and len(n) < 7 for n in numbers):
                message = f"{part!r} is neither a seed nor a range. Use 3,7-9, say."
                self.fail(message, param, ctx)
            if int(numbers[-1]) < int(first):
                self.fail(f"{part!r} is empty. Put the lesser first.", param, ctx)
            seeds |= set(range(int(first), int(numbers[-1]) + 1))
        return sorted(seeds)
