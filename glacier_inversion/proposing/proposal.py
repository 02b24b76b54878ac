"""What is proposed: the content of an experiment file, why, and how it is written."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glacier_inversion.errors import RasterError, WorkspaceError, name_some
from glacier_inversion.files import write_bytes
from glacier_inversion.proposing.network import OUTPUT
from glacier_inversion.proposing.rasters import FoundRaster


@dataclass(frozen=True)
class Proposal:
    """
    An experiment, and why it is as it is.

    Attributes
    ----------
    content : dict
        What the file holds.
    reasons : list of str
        What was chosen, a line each.
    """

    content: dict[str, Any]
    reasons: list[str]


def merge_entries(entries: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """
    Return the entries of rasters, each once.

    Raises
    ------
    RasterError
        Two of one name are not the same.
    """
    merged: dict[str, dict[str, Any]] = {}
    for entry in entries:
        name = entry["name"]
        if merged.setdefault(name, entry) != entry:
            message = (
                f"{name}: two of the models read it, one as {format_json(entry)} and "
                f"one as {format_json(merged[name])}. Must be the same in one dataset. "
                "Name one of the models with '--model PATH'."
            )
            raise RasterError(message)
    return list(merged.values())


def list_entries(entries: list[dict[str, Any]], inputs: list[str]) -> list[str]:
    """Say what each raster is to the network, and what it comes from, a line each."""
    lines = []
    for entry in entries:
        origin = entry.get("file")
        if origin is None:
            of = entry["derive"].get("of", "the outlines")
            of = of if isinstance(of, str) else " and ".join(of)
            origin = f"{entry['derive']['name']} of {of}"
        role = " (input)" if entry["name"] in inputs else ""
        role = " (output)" if entry["name"] == OUTPUT else role
        notes = [
            f"{key} {entry[key]}: a guess"
            for key in ("nodata", "unit")
            if key in entry and "derive" not in entry
        ]
        if "resampling" in entry:
            notes.append(f"resampling {entry['resampling']}: as in training")
        lines.append(f"{entry['name']}{role}: {', '.join([origin, *notes])}")
    return lines


def list_unused(
    found: Mapping[str, FoundRaster], entries: list[dict[str, Any]]
) -> list[str]:
    """Say in a line which files were recognized, and are not needed, if any are."""
    used = {entry.get("file") for entry in entries}
    files = sorted(raster.file for raster in found.values() if raster.file not in used)
    return [f"not needed: {name_some(files)}"] if files else []


def write_experiment(proposal: Proposal, path: Path) -> None:
    """
    Write a proposal to a file that is not there yet.

    Raises
    ------
    WorkspaceError
        It is, it has no name of an experiment file, or it cannot be written.
    """
    check_new(path)
    write_bytes(path, (format_json(proposal.content) + "\n").encode())


def check_new(path: Path) -> None:
    """
    Check that a file can become that of an experiment.

    Raises
    ------
    WorkspaceError
        Its name does not end in .json, its folder is not there, or the file is.
    """
    if path.suffix.lower() != ".json":
        if path.is_dir():
            proposed = path / "experiment.json"
        else:
            proposed = path.with_name(f"{path.stem}.json")
        message = (
            f"{path}: is no name for an experiment file. Must end in .json. "
            f"Name it '{proposed}', for example."
        )
        raise WorkspaceError(message)
    if not path.parent.is_dir():
        message = (
            f"{path}: the folder {path.parent} is not there. Must be one that is, as "
            "a mistyped path would hide the file. Make the folder, or correct the path."
        )
        raise WorkspaceError(message)
    if path.exists() or path.is_symlink():
        message = (
            f"{path}: exists. Must be a new file, as nothing of yours is overwritten. "
            "Remove it, or name another: 'ginv new FILE'."
        )
        raise WorkspaceError(message)


def format_json(value: Any, indent: str = "") -> str:
    """
    Write JSON with a line for each entry that fits in one.

    >>> print(format_json({"a": [{"b": 1}], "c": 2}))
    {"a": [{"b": 1}], "c": 2}
    """
    line = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or len(indent) + len(line) <= 84:
        return line
    inner = indent + "    "
    if isinstance(value, dict):
        parts = [
            f"{json.dumps(key, ensure_ascii=False)}: {format_json(item, inner)}"
            for key, item in value.items()
        ]
    else:
        parts = [format_json(item, inner) for item in value]
    opening, closing = ("{", "}") if isinstance(value, dict) else ("[", "]")
    lines = f",\n{inner}".join(parts)
    return f"{opening}\n{inner}{lines}\n{indent}{closing}"
