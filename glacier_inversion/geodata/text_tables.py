"""Tables as text: CSV and its kin, as spreadsheets and people write them."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np
import pandas as pd

from glacier_inversion.errors import RasterError

EMPTY = ["", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None"]
"""What stands for no number."""
_SEPARATORS = ",;\t|"
_SAYS_SEPARATOR = re.compile(rf'"?sep=([{_SEPARATORS}])"?\s*', re.IGNORECASE)
_LOOKED_AT = 1_000_000  # bytes, for the encoding
_BEYOND = "\0"  # names a field that the header does not have; no column is called so


@dataclass(frozen=True)
class TextForm:
    """
    How a text holds a table.

    Attributes
    ----------
    columns : tuple of str
    separator, encoding : str
    n_skipped : int
        Lines up to the header: what says the separator, as Excel writes it, and
        comments, which begin with a '#'.
    """

    columns: tuple[str, ...]
    separator: str
    encoding: str
    n_skipped: int


def read_form(path: Path) -> TextForm:
    """Read how a text holds a table: all but its rows."""
    encoding = _find_encoding(path)
    n_skipped, said = 0, None
    with path.open(encoding=encoding, errors="replace", newline="") as file:
        line = file.readline(_LOOKED_AT)
        if said := _SAYS_SEPARATOR.fullmatch(line):
            line = file.readline(_LOOKED_AT)
            n_skipped += 1
        while line.startswith("#"):
            line = file.readline(_LOOKED_AT)
            n_skipped += 1
    separator = said[1] if said else max(_SEPARATORS, key=line.count)
    # as a row, since pandas renames the second of two columns of one name
    header = pd.read_csv(
        path,
        sep=separator,
        header=None,
        nrows=1,
        dtype=str,
        keep_default_na=False,
        skiprows=n_skipped,
        encoding=encoding,
        encoding_errors="replace",
    )
    names = enumerate(map(str, header.iloc[0]))
    columns = tuple(name if name.strip() else f"Unnamed: {i}" for i, name in names)
    return TextForm(columns, separator, encoding, n_skipped)


def _find_encoding(path: Path) -> str:
    """Return the encoding of a text: UTF-8, or those that spreadsheets write."""
    with path.open("rb") as file:
        begin = file.read(_LOOKED_AT)
    if begin.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(begin)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8-sig"


def read_rows(
    path: Path, form: TextForm, wanted: Sequence[str], texts: set[str]
) -> pd.DataFrame:
    """
    Read some columns of a table.

    Parameters
    ----------
    wanted : sequence of str
        Names of columns.
    texts : set of str
        Those of them that are not read as numbers, whatever they look like.

    Raises
    ------
    RasterError
        A row has more fields than the header.
    """
    names = [*form.columns, _BEYOND]
    with path.open(encoding=form.encoding, errors="replace", newline="") as file:
        for _ in range(form.n_skipped + 1):
            file.readline()
        # Of some columns pandas reads longer rows without a word: an unquoted separator
        # in a name would move what follows into other columns. So there is a row
        # before all others that is longer by one.
        longer = form.separator * len(form.columns) + "\n"
        table = pd.read_csv(
            _Preceded(longer, file),
            sep=form.separator,
            header=None,
            names=names,
            usecols=[*wanted, _BEYOND],
            index_col=False,
            dtype=dict.fromkeys([*texts, _BEYOND], str),
            keep_default_na=False,
            na_values={name: [] if name in texts else EMPTY for name in names},
            low_memory=False,
        )[1:].reset_index(drop=True)
    beyond = table.pop(_BEYOND)
    too_long = beyond.notna()
    if too_long.any():
        row = int(np.argmax(too_long.to_numpy()))
        message = (
            f"{path}: data row {row + 1} has more fields than the header: "
            f"{beyond.iloc[row]!r} is beyond. Must have {len(form.columns)} at most. "
            f"Put fields that hold a {form.separator!r} in double quotes."
        )
        raise RasterError(message)
    return table


class _Preceded:
    """A file with a line before its first one, for pandas to read."""

    def __init__(self, line: str, file: TextIO) -> None:
        self._line = line
        self._file = file

    def read(self, size: int = -1) -> str:
        """Return the line, and then what the file holds."""
        if self._line:
            line, self._line = self._line, ""
            return line
        return self._file.read(size)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the lines; what has this pandas takes for a file."""
        return iter(self.read, "")
