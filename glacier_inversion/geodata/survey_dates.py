"""Dates of surveys, of which often only the year or the month is known."""

from __future__ import annotations

import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glacier_inversion.errors import RasterError

Span = tuple[str, str]
"""The first day that a date may be, and the day after the last one, as ISO writes."""

_DATE = re.compile(r"(\d{4})(?:[-/]?(\d\d))?(?:[-/]?(\d\d))?(?:[T ].*)?")
_UNKNOWN = {
    None,
    "00",
    "99",
}  # a month or day, as the Glacier Thickness Database has it


def span_of(value: Any) -> Span:
    """
    Return the days that a date may be.

    Raises
    ------
    ValueError
        It is no date.

    Examples
    --------
    >>> span_of("2009-07-31"), span_of(20090799.0)
    (('2009-07-31', '2009-08-01'), ('2009-07-01', '2009-08-01'))
    >>> span_of("2009"), span_of("99999999")
    (('2009-01-01', '2010-01-01'), ('0001-01-01', '9999-12-31'))
    """
    is_whole = isinstance(value, float) and value.is_integer()
    text = str(int(value) if is_whole else value).strip().removesuffix(".0")
    match = _DATE.fullmatch(text)
    if match is None:
        message = f"{text!r} is no date"
        raise ValueError(message)
    year, month, day = match.groups()
    if year == "9999":  # nothing is known
        first, end = date.min, date.max
    elif month in _UNKNOWN:
        first, end = date(int(year), 1, 1), date(int(year) + 1, 1, 1)
    elif day in _UNKNOWN:
        first = date(int(year), int(month), 1)
        end = (first + timedelta(days=31)).replace(day=1)
    else:
        first = date(int(year), int(month), int(day))
        end = first + timedelta(days=1)
    return first.isoformat(), end.isoformat()


def within(
    path: Path, dates: pd.Series, after: str | None, before: str | None
) -> NDArray[np.bool_]:
    """
    Tell which dates lie within a period, whatever is not known of them.

    Parameters
    ----------
    path : Path
        Of the table, for messages.
    dates : Series
        Texts, numbers such as 20090731, or times; an empty one lies nowhere.
    after, before : str, optional
        The first day of the period, and the day after its last.

    Raises
    ------
    RasterError
        A field holds something else.
    """
    codes, values = pd.factorize(dates)
    known = np.zeros(len(values) + 1, dtype=np.bool_)  # the last: of what is empty
    for i, value in enumerate(values):
        if str(value).strip() == "":
            continue
        try:
            first, end = span_of(value)
        except (ValueError, OverflowError) as error:
            message = (
                f"{path}: {dates.name} is {str(value)!r} in data row "
                f"{dates.index[codes == i][0] + 1}. Must be a date such as "
                "2009-07-31 or 20090731, or empty. Correct it, leave the row out by "
                "'where', or leave out 'after' and 'before'."
            )
            raise RasterError(message) from error
        known[i] = (after is None or first >= after) and (
            before is None or end <= before
        )
    found: NDArray[np.bool_] = known[codes]
    return found
