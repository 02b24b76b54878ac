"""
What the commands have in common: exit codes and options.

The only place that turns errors into messages and exit codes.
"""

from __future__ import annotations

import errno
import logging
import os
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, get_args

import click

from glacier_inversion.choices import DeviceName, DrawingMethod
from glacier_inversion.commands.limits import check_limits
from glacier_inversion.commands.streams import open_streams
from glacier_inversion.errors import (
    GlacierInversionError,
    LeftToOthersError,
    StoppedError,
    first_line,
    is_out_of_memory,
    name_some,
)
from glacier_inversion.files import FULL
from glacier_inversion.machine import interrupts

logger = logging.getLogger(__name__)

FAILED_FEATURES = 3
UNEXPECTED = 70
# Each is a process: no machine has as many cores, and torch takes 200 MB of memory.
MOST_JOBS = 1000
_ERROR_FILE = "ginv-error.txt"


class _Failure(click.ClickException):
    """A message and an exit code."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # click reads it per instance


class _Stop(_Failure):
    """What is said when a command ends without its result, and without an error."""

    def show(self, file: Any = None) -> None:
        """Write the message as it is: it is no error."""
        click.echo(self.message, file=file, err=file is None)


@dataclass
class _Said:
    """What was said on the command line, for messages after the command's end."""

    workspace: Path = Path()


class FriendlyCommand(click.Command):
    """A command whose summary is never cut off."""

    def get_short_help_str(self, limit: int = 45) -> str:  # noqa: ARG002
        """Return the first sentence of the help, whatever its length."""
        return super().get_short_help_str(limit=1000)


class FriendlyGroup(click.Group):
    """Print errors that were foreseen as messages; others keep their traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; end with the exit code of the error that it raises."""
        try:
            check_limits()
            return super().invoke(ctx)
        except BaseException as error:
            failure = _failure_of(error)
            if failure is None:
                raise
            raise failure from error


def _failure_of(error: BaseException) -> _Failure | None:
    """Return message and exit code of an error that was foreseen, None of others."""
    if isinstance(error, StoppedError | LeftToOthersError):
        was_stopped = isinstance(error, StoppedError)
        return _Stop(f"ginv: {error}", interrupts.exit_code() if was_stopped else 0)
    # whatever libraries made of it on its way
    if isinstance(error, KeyboardInterrupt) or interrupts.was_stopped():
        message = (
            f"{interrupts.farewell()} What was made so far is kept. Run it again to go "
            "on."
        )
        return _Stop(message, interrupts.exit_code())
    if isinstance(error, GlacierInversionError):
        return _Failure(str(error), error.exit_code)
    if is_out_of_memory(error):
        reason = first_line(error) or type(error).__name__
        message = (
            f"the memory does not suffice ({reason}). Must hold what is worked on. "
            "Close other programs, use fewer --jobs, a smaller batch_size or coarser "
            "rasters."
        )
        return _Failure(message, 1)
    return _Failure(_describe(error), 1) if isinstance(error, OSError) else None


def _describe(error: OSError) -> str:
    """Say what the system refused, and what to do."""
    reason = error.strerror or first_line(error) or type(error).__name__
    where = error.filename or "a file, or the output"
    if isinstance(error, BrokenPipeError):
        return (
            f"the output: nobody reads it any more ({reason}). Must be read to its "
            "end. What was made is kept."
        )
    if isinstance(error, PermissionError) or error.errno == errno.EROFS:
        return (
            f"{where}: permission denied. Must be readable, and writable in datasets, "
            "models and drawings. Change its permissions, or choose another "
            "workspace."
        )
    if error.errno in FULL:
        return (
            f"{where}: cannot be written ({reason}). Must be on a disk with space. "
            "Free some, or choose another workspace, and run it again."
        )
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return (
            f"{where}: cannot be opened ({reason}). Must be one of as many as the "
            "system allows. Allow more, as 'ulimit -n 1024' does, or use fewer --jobs."
        )
    return (
        f"{where}: cannot be used ({reason}). Must be there, and on a disk that works. "
        "Look at it, and run the command again."
    )


def run(command_line: click.Command) -> NoReturn:
    """
    Run the command line as a program: whatever happens ends in an exit code.

    What nobody foresaw is caught here, and nowhere else.
    """
    open_streams()
    said = _Said()
    code = UNEXPECTED
    try:
        command_line.main(prog_name="ginv", obj=said)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    except Exception as error:
        with suppress(OSError):  # nobody reads the error stream
            if failure := _failure_of(error):
                code = failure.exit_code
                failure.show()
            else:
                click.echo(_keep_traceback(error, said.workspace), err=True)
    _let_go_of_output()
    # Python would end by SIGINT, whatever the code, where a KeyboardInterrupt that was
    # caught had passed through code given as text, as templates are; this is forgotten
    exec("")
    sys.exit(code)


def _let_go_of_output() -> None:
    """Write what is not written yet, or give up on it: Python would complain."""
    try:
        sys.stdout.flush()
    except (OSError, GlacierInversionError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _keep_traceback(error: Exception, workspace: Path) -> str:
    """Write the traceback of an error that nobody foresaw; return what to say."""
    from glacier_inversion import __version__
    from glacier_inversion.files import write_bytes

    folder = workspace if workspace.is_dir() else Path()
    text = "".join(traceback.format_exception(error))
    head = f"glacier_inversion {__version__}, Python {sys.version}\n{sys.argv}\n\n"
    what = f"ginv: unexpected {type(error).__name__}: {first_line(error)}"
    try:
        write_bytes(folder / _ERROR_FILE, (head + text).encode(errors="replace"))
    except OSError:
        return f"{head}{text}{what}. Please report it with this text to the project."
    return (
        f"{what}; the traceback is in {folder.resolve() / _ERROR_FILE}. Please report "
        "it with that file to the project."
    )


# In helps, \b keeps the lines of a paragraph as they are.
WAY_AND_EXIT_CODES = """\b
From your data to maps:
  ginv new exp.json            propose an experiment for what lies in data/
  ginv check exp.json          see what is missing, and what it will cost
  ginv build-dataset exp.json  cut the rasters out around the outlines
  ginv train exp.json          train one network for each seed
  ginv draw exp.json           draw maps of the mean and the spread
  ginv evaluate exp.json       compare predictions with what is known
  ginv crossval exp.json       the same by networks that never saw it

Without data of your own, run ginv demo.

\b
Exit codes:
  0    done
  1    failed
  2    bad command line or experiment
  3    finished, but some features failed
  70   unexpected error, kept in ginv-error.txt
  129  stopped by SIGHUP, when its terminal is closed
  130  stopped by Ctrl-C
  143  stopped by SIGTERM
"""


def examples(*command_lines: str) -> str:
    """Return the end of a command's help."""
    return "\n  ".join(["\b\nFor example:", *command_lines])


Command = Callable[..., Any]


def note_workspace(
    ctx: click.Context,
    param: click.Parameter,  # noqa: ARG001
    folder: Path,
) -> Path:
    """Remember where the file of an error that nobody foresaw belongs."""
    if isinstance(ctx.obj, _Said):
        ctx.obj.workspace = folder
    return folder


_EXPERIMENT = click.argument(
    "experiment", type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
WORKSPACE = click.option(
    "--workspace",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path(),
    callback=note_workspace,
    show_default="the current folder",
    help="Folder that holds data/; datasets/, models/ and so on are made in it.",
)
VERBOSE = click.option("-v", "--verbose", is_flag=True, help="Log details, too.")
DEVICE = click.option(
    "--device",
    type=click.Choice(get_args(DeviceName)),
    default="auto",
    show_default=True,
    help="What computes. With auto it is the GPU, if there is one.",
)
JOBS = click.option(
    "--jobs",
    type=click.IntRange(min=1, max=MOST_JOBS),
    default=None,
    help="Number of members trained at the same time. On the processor the weights do "
    "not depend on it.  [default: the fastest, by an estimate]",
)
JOBS_OF_FEATURES = click.option(
    "--jobs",
    type=click.IntRange(min=1, max=MOST_JOBS),
    default=None,
    show_default="1",
    help="Number of features worked on at the same time, each by a process of its own. "
    "Pays for thousands of small ones: without it one process works on large ones on "
    "all cores, on small ones on one.",
)
METHOD = click.option(
    "--method",
    type=click.Choice(get_args(DrawingMethod)),
    default="auto",
    show_default=True,
    help="How pixels are evaluated: a block at once (dense), each by itself (patches), "
    "or the faster of these that is exact (auto). The numbers are equal within "
    "rounding.",
)
QUIET = click.option("-q", "--quiet", is_flag=True, help="Log errors only.")


def with_common_options(command: Command) -> Command:
    """Give a command the argument and options that all of them have."""
    for decorate in (QUIET, VERBOSE, WORKSPACE, _EXPERIMENT):
        command = decorate(command)
    return command


def end(ctx: click.Context, failures: dict[str, str]) -> None:
    """End with exit code 3 where features failed, naming them."""
    if failures:
        logger.error("%d features failed: %s", len(failures), name_some([*failures]))
        ctx.exit(FAILED_FEATURES)


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
