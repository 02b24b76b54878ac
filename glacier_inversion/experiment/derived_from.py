"""Which rasters are derived from which: all of them there, alike, and in no circle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from glacier_inversion.errors import nearest
from glacier_inversion.experiment.derivation import Derivation, find_derivations
from glacier_inversion.experiment.raw import RawExperiment, is_length
from glacier_inversion.json_files import Problem

_MOST_STEPS = 20  # derivations one upon the other
_FARTHEST_PX = 1000  # that a pixel may depend on


def find_ancestors(name: str, parents: Mapping[str, Sequence[str]]) -> list[str]:
    """
    Return the rasters that one is derived from, at whatever remove, each once.

    >>> find_ancestors("c", {"a": [], "b": ["a"], "c": ["b", "a"]})
    ['b', 'a']
    """
    found: list[str] = []
    left = list(parents[name])
    while left:
        parent = left.pop(0)
        if parent not in found:
            found.append(parent)
            left += parents[parent]
    return found


def find_wrong_derivations(view: RawExperiment) -> Iterator[Problem]:
    """Yield what keeps rasters from being derived."""
    items = view.items("dataset_description", "rasters")
    derived = {
        item["name"]: (f"{path}.derive", item)
        for path, item in items
        if isinstance(item.get("derive"), dict)
    }
    parents = {name: _names(item) for name, (_, item) in derived.items()}
    for name, (path, item) in derived.items():
        yield from _of_parents(view, path, item, parents[name])
    told: set[str] = set()
    order: dict[str, tuple[int, int]] = {}  # steps and pixels that lie behind each
    for name in derived:
        circle = _find_circle(name, parents)
        if circle and not told.intersection(circle):
            told.update(circle)
            way = " → ".join([*circle, circle[0]])
            yield (
                f"{derived[circle[0]][0]}.of",
                f"{way}: these are derived from each other in a circle. Must begin "
                "with a raster that is read from a file. Derive one of them from "
                "another raster",
            )
        elif not circle:
            yield from _of_depth(name, derived, parents, order)
    for path, item in view.items("outputs"):
        if item["name"] in derived:
            yield (
                f"{path}.name",
                f"{item['name']!r} is derived from other rasters. An output must be "
                "read from a file: what is measured must be whose it is. Use a raster "
                "with 'file'",
            )


def _names(item: Mapping[str, Any]) -> list[str]:
    """Return the names that a raw raster is derived of."""
    of = item["derive"].get("of")
    of = [of] if isinstance(of, str) else of
    return [n for n in of if isinstance(n, str)] if isinstance(of, list) else []


def _of_parents(
    view: RawExperiment, path: str, item: Mapping[str, Any], parents: list[str]
) -> Iterator[Problem]:
    """Look for the rasters that one is derived of."""
    own = item.get("resolution")
    for name in dict.fromkeys(parents):
        parent = view.rasters.get(name)
        if parent is None:
            if view.has_all_rasters:
                yield (
                    f"{path}.of",
                    f"{name!r} is not described. Must be among "
                    f"dataset_description.rasters. {nearest(name, view.rasters)}",
                )
            continue
        if view.is_of_points(name):
            yield (
                f"{path}.of",
                f"{name!r} is gridded from points, each feature's own. Must be a "
                "raster that is known around the outlines, too. Derive from another",
            )
        its = parent.get("resolution")
        if is_length(own) and is_length(its) and own != its:
            yield (
                f"{path}.of",
                f"{name!r} has the resolution {its:g}, and {item['name']!r} has "
                f"{own:g}. Must be the same. Use {its:g} here, or describe the raster "
                f"once more, by another name, at {own:g}",
            )


def _find_circle(name: str, parents: Mapping[str, list[str]]) -> list[str] | None:
    """
    Return the circle that a raster leads to, from it on; None where it ends.

    >>> _find_circle("a", {"a": ["b"], "b": ["c"], "c": ["b"]})
    ['b', 'c']
    """
    done: set[str] = set()
    way: list[str] = []
    left = [(name, False)]
    while left:
        here, is_left = left.pop()
        if is_left:
            way.pop()
            done.add(here)
        elif here in way:
            return way[way.index(here) :]
        elif here not in done:
            way.append(here)
            left.append((here, True))
            left += [(parent, False) for parent in parents.get(here, [])]
    return None


def _of_depth(
    name: str,
    derived: Mapping[str, tuple[str, dict[str, Any]]],
    parents: Mapping[str, list[str]],
    order: dict[str, tuple[int, int]],
) -> Iterator[Problem]:
    """Count the steps and pixels behind a raster that is in no circle; refuse many."""
    left = [name]
    while left:  # what it is derived of comes first
        here = left[-1]
        waiting = [p for p in parents[here] if p in derived and p not in order]
        left += waiting
        if not waiting:
            left.pop()
            before = [order.get(parent, (0, 0)) for parent in parents[here]]
            item = derived[here][1]
            order[here] = (
                1 + max((steps for steps, _ in before), default=0),
                _reach_px(item) + max((px for _, px in before), default=0),
            )
    (n_steps, px), path = order[name], derived[name][0]
    if n_steps > _MOST_STEPS:
        yield (
            path,
            f"{n_steps} rasters are derived one upon the other. Must be at most "
            f"{_MOST_STEPS}. Leave some out",
        )
    elif px > _FARTHEST_PX:
        yield (
            path,
            f"a pixel depends on others that are {px:,} pixels away. Must be at most "
            f"{_FARTHEST_PX:,}. Use a smaller 'sigma' or 'radius', or a coarser "
            "resolution",
        )


def _reach_px(item: Mapping[str, Any]) -> int:
    """Return the pixels that a raw raster reaches, 0 where it is not as it must be."""
    kind = find_derivations().get(str(item["derive"].get("name")))
    resolution = item.get("resolution")
    if kind is None or not is_length(resolution):
        return 0
    try:
        derivation: Derivation = kind.model_validate(item["derive"])
    except ValidationError:
        return 0
    return derivation.reach_px(resolution)
