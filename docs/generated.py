"""
What the documentation takes from the program, each time it is built.

A hook of mkdocs: in pages, ``<!-- generated: NAME -->`` becomes what is made here of
that name. ``python docs/generated.py NAME`` prints it.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

import glacier_inversion
from glacier_inversion.cli import main
from glacier_inversion.experiment.experiment import json_schema

PACKAGE = Path(glacier_inversion.__file__).parent
_WIDTH = 80  # of a terminal
_LARGE = 1_000_000  # limits beyond are there to catch slips, and are not worth a word
_MANY = 200  # entries, likewise

Key = dict[str, Any]


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put in what is generated (called by mkdocs)."""
    return re.sub(
        r"<!-- generated: (\w+) -->", lambda found: PARTS[found[1]](), markdown
    )


def reference() -> str:
    """Return a table for each section of the experiment file, from its JSON Schema."""
    schema = json_schema()
    places: dict[str, list[str]] = {}
    for name, place in _walk(schema, schema, ""):
        places.setdefault(name, []).append(place)
    lines = ["### The file", "", *_section(schema)]
    for name, found in places.items():
        section = schema["$defs"][name]
        names = _names(section)
        where = ", ".join(f"`{place}`" for place in dict.fromkeys(found))
        if names:
            called = " and ".join(f"`{n}`" for n in names)
            is_derived = found[0].endswith(".derive")
            what = "Derived raster" if is_derived else "Operation"
            what = "Transform" if found[0].endswith(".transform") else what
            what = "Baseline" if ".baselines." in found[0] else what
            lines += [f"### {what}{'s' * (len(names) > 1)} {called}", ""]
        else:
            lines += [f"### {where}", ""]
        lines += _section(section)
    return "\n".join(lines)


def _walk(schema: Key, part: Key, place: str) -> Iterator[tuple[str, str]]:
    """Yield the sections below *part*, with their places, parents first."""
    for key, value in part.get("properties", {}).items():
        for name, suffix in _references(value):
            own = f"{place}.{key}{suffix}".lstrip(".")
            yield name, own
            yield from _walk(schema, schema["$defs"][name], own)


def _references(value: Key, suffix: str = "") -> Iterator[tuple[str, str]]:
    if "$ref" in value:
        yield value["$ref"].rpartition("/")[2], suffix
    # what has properties here is another spelling of the same section
    for choice in [*value.get("anyOf", []), *value.get("oneOf", [])]:
        yield from _references(choice, suffix)
    if isinstance(value.get("items"), dict):
        yield from _references(value["items"], f"{suffix}[]")
    if isinstance(value.get("additionalProperties"), dict):
        yield from _references(value["additionalProperties"], f"{suffix}.NAME")


def _names(section: Key) -> list[str]:
    """Return the names of an operation or a derivation, none of other sections."""
    name = section["properties"].get("name", {})
    return [name["const"]] if "const" in name else name.get("enum", [])


def _section(section: Key) -> list[str]:
    lines = [section["description"], ""]
    lines += ["| key | type | default | allowed | meaning |", "|---|---|---|---|---|"]
    # of the whole file, which has two ways to be complete, the first
    required = section.get("required") or section.get("anyOf", [{}])[0].get(
        "required", []
    )
    lines += [
        f"| `{name}` | {_type(key)} | {_default(key, name in required)} "
        f"| {_allowed(key)} | {key.get('description', 'Which one.')} |"
        for name, key in section["properties"].items()
    ]
    return [*lines, ""]


def _type(key: Key) -> str:
    """Name the type of a key, in the words of JSON."""
    if "$ref" in key or "oneOf" in key:
        return "object"
    if "anyOf" in key:
        kinds = dict.fromkeys(_type(choice) for choice in key["anyOf"])
        return " or ".join(kind for kind in kinds if kind != "null")
    if "enum" in key or "const" in key:
        return "text"
    kind = {"string": "text", "boolean": "true/false"}.get(key["type"], key["type"])
    if kind == "array":
        return f"list of {_type(key['items'])}"
    return kind


def _default(key: Key, required: bool) -> str:
    return "**required**" if required else f"`{json.dumps(key.get('default'))}`"


def _allowed(key: Key) -> str:
    """Say what the values of a key may be, as far as its type does not."""
    said = []
    for part in _parts(key):
        if "const" in part:
            said.append(f"`{part['const']}`")
        if "enum" in part:
            said.append(", ".join(f"`{value}`" for value in part["enum"]))
        least, most = part.get("minimum"), part.get("maximum")
        if least is not None and most is not None and most < _LARGE:
            said.append(f"{least:g} to {most:g}")
        elif least is not None:
            said.append(f"at least {least:g}")
        if "exclusiveMinimum" in part:
            upper = f", at most {most:g}" if most is not None else ""
            said.append(f"above {part['exclusiveMinimum']:g}{upper}")
        n_least, n_most = part.get("minItems"), part.get("maxItems", _LARGE)
        if n_least is not None and n_most < _MANY:
            entries = f"{n_least}" if n_least == n_most else f"{n_least} to {n_most}"
            said.append(f"{entries} entries")
    return "; ".join(dict.fromkeys(said))


def _parts(key: Key) -> Iterator[Key]:
    """Yield a key's schema, and those of what it may hold."""
    yield key
    inner = [*key.get("anyOf", []), key.get("items"), key.get("additionalProperties")]
    for part in inner:
        if isinstance(part, dict) and "$ref" not in part:
            yield from _parts(part)


def architectures() -> str:
    """Return what each architecture says of itself."""
    lines = []
    for path in sorted((PACKAGE / "training" / "architectures").glob("[!_]*.py")):
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        lines += [f"**`{path.stem}`**: {' '.join(text.split())}", ""]
    return "\n".join(lines)


def commands() -> str:
    """Return the help of ``ginv`` and of each command, as a terminal shows it."""
    parent = main.make_context(
        "ginv", [], resilient_parsing=True, terminal_width=_WIDTH
    )
    lines = [*_help(main, parent, "ginv")]
    for name, command in sorted(main.commands.items()):
        context = command.make_context(name, [], parent, resilient_parsing=True)
        lines += _help(command, context, f"ginv {name}")
    return "\n".join(lines)


def _help(command: click.Command, context: click.Context, title: str) -> list[str]:
    return [f"## `{title}`", "", "```text", command.get_help(context), "```", ""]


def demo_experiment() -> str:
    """Return the experiment of the demonstration, as ``ginv demo`` writes it."""
    text = (PACKAGE / "demo" / "demo.json").read_text(encoding="utf-8")
    return f"```json\n{text.rstrip()}\n```"


PARTS = {
    part.__name__: part
    for part in (reference, architectures, commands, demo_experiment)
}

if __name__ == "__main__":
    print(PARTS[sys.argv[1]]())
