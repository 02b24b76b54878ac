"""What pydantic refuses of an experiment, in the words of the file."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import ValidationError

from glacier_inversion.errors import nearest
from glacier_inversion.experiment.values import Section
from glacier_inversion.json_files import Problem, write_path

MOST_SHOWN = 50
"""Problems of a file that are told, at most."""
_LONGEST_LINE = 1000  # characters of a problem


@dataclass(frozen=True)
class Refusal:
    """
    A value that pydantic refused.

    Attributes
    ----------
    keys : list
        The way to it in the file.
    details : dict
        What pydantic says of it.
    """

    keys: list[int | str]
    details: dict[str, Any]

    @property
    def path(self) -> str:
        """Where the value is."""
        return write_path(self.keys)

    def explain(self, root: type[Section]) -> str:
        """Say what is wrong with the value of a file that is checked as *root*."""
        return _explained(self.details, self.keys, root)


def find_refusals(error: ValidationError, raw: dict[str, Any]) -> list[Refusal]:
    """
    Return every value that pydantic refused.

    Of what may be a list or a word, it says that it is no such word, too, where a value
    in the list is refused: that is left out.
    """
    found = [
        Refusal(_keys(dict(details), raw), dict(details))
        for details in error.errors(include_url=False)
    ]
    above = {tuple(r.keys[:n]) for r in found for n in range(len(r.keys))}
    return [refusal for refusal in found if tuple(refusal.keys) not in above]


def _keys(details: dict[str, Any], raw: dict[str, Any]) -> list[int | str]:
    """Turn pydantic's location into that in the file: no tags, main.main as it is."""
    keys: list[int | str] = []
    value: Any = raw
    location = details["loc"]
    for i, key in enumerate(location):
        if keys == ["model_description", "main"] and _is_nested(value):
            keys.append("main")
            value = value["main"]
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            if details["type"] != "missing" or i < len(location) - 1:
                continue  # what pydantic calls one of several things that it may be
        keys.append(key)
    return keys


def _is_nested(main: Any) -> bool:
    return isinstance(main, dict) and set(main) == {"main"}


def _explained(
    details: dict[str, Any], keys: list[int | str], root: type[Section]
) -> str:
    kind, value, context = details["type"], details["input"], details.get("ctx", {})
    shown = json.dumps(value, default=str)
    shown = shown if len(shown) < 60 else f"{shown[:57]}..."
    if kind == "extra_forbidden":
        known = _known_keys(details["loc"], root)
        return f"unknown key. {nearest(str(keys[-1]), known)} Remove or rename it"
    if kind == "missing":
        return "is missing. Must be given. Add it"
    if kind == "literal_error":
        return f"{shown} is not allowed. Must be {context['expected']}. Use one of them"
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        what = "derivation" if keys[-1] == "derive" else "operation"
        what = "transform" if keys[-1] == "transform" else what
        what = "baseline" if "baselines" in keys else what
        known = _names(_candidates(details["loc"], root))
        if "name" not in value:
            return f"has no name. Must name the {what}. {nearest('', known)} Add it"
        tag = value["name"]
        said = repr(tag) if isinstance(tag, str) else json.dumps(tag)
        return (
            f"the {what} {said} does not exist. {nearest(str(tag), known)} Use one of "
            "them"
        )
    if kind == "value_error":
        return f"{shown}: {context['error']}"
    if kind == "string_pattern_mismatch":
        known = _names_in(context["pattern"])
        return f"{shown} does not exist. {nearest(value, known)} Use one of them"
    if kind == "too_short":
        n_least = context["min_length"]
        return f"{shown} is not allowed. Must have at least {n_least}. Add some"
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return f"{shown} is not allowed. Must be an object, in {{ and }}. Change it"
    if kind in ("too_long", "string_too_long"):
        what = "characters" if kind == "string_too_long" else "entries"
        return (
            f"has {len(value):,} {what}. Must have at most "
            f"{context['max_length']:,}. Remove some"
        )
    rule = details["msg"].replace("Input should be", "Must be")
    return f"{shown} is not allowed. {rule}. Change it"


def _known_keys(location: tuple[int | str, ...], root: type[Section]) -> list[str]:
    """Return the keys of the section in which pydantic met an unknown one."""
    candidates = _candidates(location[:-1], root)
    fields = candidates[0].model_fields.items() if candidates else []
    return [field.alias or name for name, field in fields]


def _names(candidates: list[type[Section]]) -> list[str]:
    """Return the names by which sections are told apart."""
    return [
        name
        for candidate in candidates
        for name in get_args(candidate.model_fields["name"].annotation)
    ]


def _names_in(pattern: str) -> list[str]:
    """
    Return the names that a pattern allows, numbered ones as one.

    >>> _names_in("^(mean|q[0-9][0-9])$")
    ['mean', 'q00 to q99']
    """
    return [
        re.sub(r"(\w+)\[0-9\]\[0-9\]", r"\g<1>00 to \g<1>99", name)
        for name in pattern.removeprefix("^(").removesuffix(")$").split("|")
    ]


def _candidates(
    location: tuple[int | str, ...], root: type[Section]
) -> list[type[Section]]:
    """Return the sections that what is at a location of pydantic may be."""
    candidates: list[type[Section]] = [root]
    for key in location:
        if len(candidates) == 1 and key in candidates[0].model_fields:
            candidates = _sections(candidates[0].model_fields[str(key)].annotation)
        elif len(candidates) > 1 and isinstance(key, str):
            # the name that tells them apart, but not that of an output before it
            candidates = [c for c in candidates if key in _names([c])] or candidates
    return candidates


def _sections(annotation: Any) -> list[type[Section]]:
    """Return the section classes within a type, in order."""
    origin = get_origin(annotation)
    if origin in (Union, UnionType, list, dict) or hasattr(annotation, "__metadata__"):
        return [found for part in get_args(annotation) for found in _sections(part)]
    # of others with an origin Python 3.10 says that they are types, too
    is_class = origin is None and isinstance(annotation, type)
    return [annotation] if is_class and issubclass(annotation, Section) else []


def printable(line: str) -> str:
    r"""
    Write what is no letter or sign as JSON does: names may hold it.

    >>> print(printable("known: a, \r\x1b"))
    known: a, \u000d\u001b
    """
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in line)


def write_problems(where: str, problems: Sequence[Problem], n_all: int) -> str:
    """Write the first of *n_all* problems, a line each."""
    lines = []
    for path, what in problems[:MOST_SHOWN]:
        place = f"{where}: {path}" if path else where
        line = printable(f"{place}: {what.rstrip('.')}.")
        if len(line) > _LONGEST_LINE:
            line = f"{line[: _LONGEST_LINE // 2]} ... {line[-_LONGEST_LINE // 2 :]}"
        lines.append(line)
    if n_all > len(lines):
        lines.append(
            f"{where}: and {n_all - len(lines):,} more problems. Must have none. Mend "
            "these first."
        )
    return "\n".join(lines)
