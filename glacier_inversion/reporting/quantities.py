"""Numbers with their units, as people read them."""

from __future__ import annotations

import math
from collections.abc import Sequence

NOTHING = "-"
"""What stands for a number that is not known."""


def number(
    value: float | None,
    unit: str | None = None,
    digits: int = 3,
    like: float | None = None,
) -> str:
    """
    Write a number with so many digits that count, and its unit.

    Parameters
    ----------
    like : float, optional
        Another number, to whose decimals this one is written: a small bias to those
        of a large error.

    Examples
    --------
    >>> number(64.5536, "m"), number(-8.452, "m"), number(12345.6), number(0.01234)
    ('64.6 m', '-8.45 m', '12,346', '0.0123')
    >>> number(0.0915, "m", like=31.7), number(None, "m"), number(0.0, "m")
    ('0.1 m', '-', '0 m')
    """
    if value is None or not math.isfinite(value):
        return NOTHING
    size = abs(value if like is None else like)
    decimals = 0
    if size:
        decimals = min(max(digits - 1 - math.floor(math.log10(size)), 0), 9)
    return f"{round(value, decimals) + 0.0:,.{decimals}f}{_space(unit)}"


def signed(
    value: float | None, unit: str | None = None, like: float | None = None
) -> str:
    """
    Write a difference with its sign, as `number` does.

    >>> signed(3.21, "m"), signed(-8.452, "m", like=64.6), signed(0.01, like=64.6)
    ('+3.21 m', '-8.5 m', '0.0')
    """
    text = number(value, unit, like=like)
    is_positive = value is not None and value > 0 and text.strip("0.,")[:1].isdigit()
    return f"+{text}" if is_positive else text


def exact(value: float, unit: str | None = None, digits: int = 6) -> str:
    """
    Write a number that was chosen, without digits that say nothing.

    >>> exact(50.0, "m"), exact(1600.0), exact(0.5), exact(7.68671, digits=4)
    ('50 m', '1,600', '0.5', '7.687')
    """
    return f"{float(f'{value:.{digits}g}'):,.12g}{_space(unit)}"


def percent(share: float | None, decimals: int = 0) -> str:
    """
    Write a share in percent; what is not quite all or nothing does not look so.

    >>> percent(0.9289, 1), percent(0.9999), percent(1.0), percent(0.0001), percent(0)
    ('92.9 %', '> 99 %', '100 %', '< 1 %', '0 %')
    """
    if share is None or not math.isfinite(share):
        return NOTHING
    least = 10.0**-decimals
    value = 100 * share
    if 0 < value < least / 2:
        return f"< {least:.{decimals}f} %"
    if 100 - least / 2 <= value < 100:
        return f"> {100 - least:.{decimals}f} %"
    return "100 %" if value == 100 else f"{value:.{decimals}f} %"


def span(
    limits: Sequence[float] | None,
    unit: str | None = None,
    digits: int = 3,
    like: float | None = None,
) -> str:
    """
    Write the two ends of an interval, each as `number` does.

    >>> span((51.656, 73.7538), "m"), span(None)
    ('51.7 to 73.8 m', '-')
    """
    if limits is None:
        return NOTHING
    low, high = (number(value, None, digits, like) for value in limits)
    return f"{low} to {high}{_space(unit)}"


def count(n: int, noun: str) -> str:
    """
    Write a number of things.

    >>> count(1, "feature"), count(1041, "known pixel"), count(2, "group of features")
    ('1 feature', '1,041 known pixels', '2 groups of features')
    """
    first, of, rest = noun.partition(" of ")
    return f"{n:,} {first}{'s' * (n != 1)}{of}{rest}"


def names(items: Sequence[str], most: int = 5) -> str:
    """
    List names, and say how many more there are.

    >>> names(["a", "b"]), names(list("abcdefgh"), most=3)
    ('a, b', 'a, b, c and 5 more')
    """
    shown = ", ".join(items[:most])
    more = len(items) - most
    return f"{shown} and {more:,} more" if more > 0 else shown


def _space(unit: str | None) -> str:
    return f" {unit}" if unit else ""
