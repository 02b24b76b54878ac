"""
JSON files that commands write for later ones: both ends, with a number of the format.

A format's number is raised when a file says something else by the same words, or when
earlier versions would take it for less than it is; not for a key that is added.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, NoReturn

from glacier_inversion.files import write_bytes


class NewerFileError(ValueError):
    """A file was written by a newer version; the text is a whole message."""


def digest_of(content: Any) -> str:
    """Return the digest (SHA-256) of what JSON can hold, in whatever order of keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def with_digest(content: dict[str, Any]) -> dict[str, Any]:
    """Return content with its digest, by which it is known that nobody edited it."""
    return {**content, "sha256": digest_of(content)}


def check_digest(content: dict[str, Any]) -> None:
    """
    Check that what was read of a file is what was written, `with_digest`.

    Files of versions that wrote none are taken as they are.

    Raises
    ------
    ValueError
        It was changed.
    """
    said = {k: v for k, v in content.items() if k not in ("format", "sha256")}
    if "sha256" in content and content["sha256"] != digest_of(said):
        message = "it was changed since it was written"
        raise ValueError(message)


def write_state(path: Path, content: dict[str, Any], number: int) -> None:
    """Write *content* and the *number* of its format, whole or not at all."""
    write_bytes(path, to_state(content, number))


def to_state(content: dict[str, Any], number: int) -> bytes:
    """Return what `write_state` writes."""
    text = json.dumps({"format": number, **content}, indent=2, ensure_ascii=False)
    return f"{text}\n".encode()


def read_state(path: Path, newest: int) -> dict[str, Any]:
    """
    Read a file that `write_state` wrote.

    Parameters
    ----------
    newest : int
        The last format that is understood.

    Returns
    -------
    content : dict
        With its "format", which is 1 where an earlier version gave no number.

    Raises
    ------
    NewerFileError
        It has a later format.
    OSError, ValueError
        It cannot be read or is no JSON object; the text says why.
    """
    if path.exists() and not path.is_file():
        message = "it is no file"
        raise ValueError(message)
    try:
        content = json.loads(path.read_text("utf-8"), parse_constant=_refuse_constant)
    except RecursionError as error:
        message = "it is nested too deeply"
        raise ValueError(message) from error
    if not isinstance(content, dict):
        message = "it is no JSON object"
        raise ValueError(message)
    number = content.setdefault("format", 1)
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        message = f"its format is {number!r}, which is no number of one"
        raise ValueError(message)
    if number > newest:
        message = (
            f"{path}: has format {number}, that of a newer version of "
            f"glacier_inversion. Must be {newest} at most. Update glacier_inversion."
        )
        raise NewerFileError(message)
    return content


def _refuse_constant(name: str) -> NoReturn:
    message = f"it holds {name}, which is no number of JSON"
    raise ValueError(message)
