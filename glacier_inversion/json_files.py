"""JSON that users write: what is wrong with its text is said with its place."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Problem = tuple[str, str]
"""JSON path, and what is wrong there."""

# Far beyond any experiment; what is slow or deep only grows from here on.
_MOST_BYTES = 10_000_000
_MOST_LEVELS = 100
_MOST_KEYS = 10_000
_MOST_DIGITS = 100

_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)
_NO_NUMBERS = ("NaN", "Infinity", "-Infinity")


def read_text(path: Path) -> str:
    """
    Read a text file in UTF-8.

    Raises
    ------
    OSError, ValueError
        It cannot be read, is no UTF-8, or is larger than 10 MB.
    """
    with path.open("rb") as file:  # no more than is looked at: it may have no end
        content = file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        message = f"it is larger than {_MOST_BYTES // 10**6} MB"
        raise ValueError(message)
    return content.decode("utf-8-sig")


def parse_json(text: str) -> tuple[Any, list[Problem]]:
    """
    Parse a text that a user wrote.

    Returns
    -------
    content : what the text holds, None where that is more than can be checked
    slips : list of Problem
        What parsers pass over in silence, each with its line: keys that stand twice in
        one object, NaN and infinity, halves of characters, endless numbers; and
        what is too deep or too long to be looked at.

    Raises
    ------
    JSONDecodeError
        The text is no JSON.
    """
    try:
        content = json.loads(text, parse_int=_parse_int)
    except RecursionError:
        content = None
    slips, is_read = _Reader().find_slips(text)
    return content if is_read else None, slips


def _parse_int(digits: str) -> int:
    """Parse a whole number; one of too many digits is reported by its text."""
    return int(digits) if len(digits) <= _MOST_DIGITS else 0


def write_path(keys: Sequence[int | str]) -> str:
    r"""
    Write the way to a value.

    >>> write_path(["inputs", 0, "name"]), write_path(["a", "", "\x1b"])
    ('inputs[0].name', 'a[""]["\\u001b"]')
    """
    parts = []
    for key in keys:
        if isinstance(key, int):
            parts.append(f"[{key}]")
        else:
            is_plain = key.isprintable() and key.strip()
            parts.append(f".{key}" if is_plain else f"[{json.dumps(key)}]")
    return "".join(parts).removeprefix(".")


@dataclass
class _Open:
    """An object or list whose end has not come yet."""

    is_object: bool
    key: str | None = None
    index: int = 0
    lines: dict[str, int] = field(default_factory=dict)  # of the keys so far


class _Reader:
    """Goes through the text of valid JSON, and knows where it is."""

    def __init__(self) -> None:
        self._open: list[_Open] = []

    def find_slips(self, text: str) -> tuple[list[Problem], bool]:
        """Return the slips, and whether the text was read to its end."""
        slips: list[Problem] = []
        for token, line in _tokens(text):
            if problem := self._follow(token, line) or _problem_of_value(token):
                slips.append((self._path(), f"line {line}: {problem}"))
            if problem := self._too_much():
                slips.append((self._path(), f"line {line}: {problem}"))
                return slips, False
        return slips, True

    def _follow(self, token: str, line: int) -> str | None:
        """Go where *token* leads; say so where that is a key that was there before."""
        if token in ("{", "["):
            self._open.append(_Open(token == "{"))
        elif token in ("}", "]"):
            self._open.pop()
        elif token == ",":
            self._open[-1].key = None
            self._open[-1].index += 1
        elif self._open and self._open[-1].is_object and self._open[-1].key is None:
            inner = self._open[-1]
            inner.key = json.loads(token)
            if inner.key in inner.lines:
                first = inner.lines[inner.key]
                also = "on it" if first == line else f"in line {first}"
                return (
                    f"the key stands twice in one object, also {also}. Must stand "
                    "once. Remove one"
                )
            inner.lines[inner.key] = line
        return None

    def _path(self) -> str:
        keys = [e.key if e.is_object else e.index for e in self._open]
        return write_path([key for key in keys if key is not None])

    def _too_much(self) -> str | None:
        """Say why nothing more can be looked at, None where it can."""
        if len(self._open) > _MOST_LEVELS:
            return (
                f"is nested deeper than {_MOST_LEVELS} levels. Must be an experiment, "
                "which has ten. Remove brackets"
            )
        if self._open and len(self._open[-1].lines) > _MOST_KEYS:
            return (
                f"its object has more than {_MOST_KEYS:,} keys. Must have at most that "
                "many. Remove some"
            )
        return None


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    """Yield texts in quotes, brackets, signs, numbers and words, with their lines."""
    line, end = 1, 0
    for match in _TOKEN.finditer(text):
        line += text.count("\n", end, match.start())
        end = match.start()
        yield match.group(), line


def _problem_of_value(token: str) -> str | None:
    if token in _NO_NUMBERS:
        return (
            f"{token} is no number of JSON. Must be a finite number, or null. Change it"
        )
    if token[0] == '"':
        return _problem_of_text(json.loads(token)) if "\\u" in token else None
    if len(token) > _MOST_DIGITS:
        return (
            f"{token[:20]} and so on is a number of {len(token):,} digits. Must have "
            f"at most {_MOST_DIGITS}. Use fewer"
        )
    return None


def _problem_of_text(text: str) -> str | None:
    halves = [char for char in text if "\ud800" <= char <= "\udfff"]
    if not halves:
        return None
    return (
        f"{json.dumps(halves[0])} is half a character. Must be followed, or preceded, "
        "by the other half. Write the character itself"
    )
