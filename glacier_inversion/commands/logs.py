"""What is logged while a command runs, by the package and by libraries."""

from __future__ import annotations

import logging
import sys
import warnings
from contextlib import suppress

import click


class _Handler(logging.Handler):
    """Write log records to stderr, above the progress bar."""

    def emit(self, record: logging.LogRecord) -> None:
        message = self.format(record)
        with suppress(OSError):  # nobody reads it, or there is no space: work goes on
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
    # what GDAL says while a file fails is in our message; else Python would print it
    for name in ("rasterio", "fiona"):
        library = logging.getLogger(name)
        library.handlers, library.propagate = [logging.NullHandler()], False
    # it warns of a home that it cannot keep its own files in, which changes nothing
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    # of letters in names that its font lacks, which are boxes in pictures
    warnings.filterwarnings("ignore", r"Glyph .* missing from")
    level = logging.DEBUG if verbose else logging.INFO
    package.setLevel(logging.ERROR if quiet else level)
