"""An experiment as the JSON file has it: the parts of it that have the right type."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeGuard

from glacier_inversion.json_files import Problem, write_path

# Lengths in metres: no pixel is as small, and nothing on the Earth is as long.
SHORTEST, FAR = 1e-3, 1e9
# Entries of lists; sections refuse what has more, and no more are looked at here.
MOST_ENTRIES = 1000
MOST_VARIABLES = 100


class RawExperiment:
    """The parts of a raw experiment that have the right type."""

    def __init__(self, raw: dict[str, Any]) -> None:
        self.raw = raw
        rasters = self.items("dataset_description", "rasters")
        self.rasters = {item["name"]: item for _, item in rasters}
        given = self.value("dataset_description", "rasters")
        self.has_all_rasters = not isinstance(given, list) or len(given) <= MOST_ENTRIES

    def is_of_points(self, raster: str) -> bool:
        """Tell whether a raster is gridded from points."""
        return self.rasters.get(raster, {}).get("column") is not None

    def value(self, *keys: str) -> Any:
        """Return what stands at the end of *keys*, None where nothing does."""
        value: Any = self.raw
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        return value

    def section(self, *keys: str) -> dict[str, Any]:
        """Return the object there, empty where there is none."""
        value = self.value(*keys)
        return value if isinstance(value, dict) else {}

    def items(self, *keys: str) -> list[tuple[str, dict[str, Any]]]:
        """Return the objects of a list that have a name, with their paths."""
        value, path = self.value(*keys), write_path(keys)
        n_most = MOST_VARIABLES if keys[0] in ("inputs", "outputs") else MOST_ENTRIES
        return [
            (f"{path}[{i}]", item)
            for i, item in enumerate(value[:n_most] if isinstance(value, list) else [])
            if isinstance(item, dict) and isinstance(item.get("name"), str)
        ]

    def names(self, *keys: str) -> list[str]:
        """Return the names of the objects of a list."""
        return [item["name"] for _, item in self.items(*keys)]

    def strings(self, *keys: str) -> list[tuple[str, str]]:
        """Return the texts and numbers of a list as text, with their paths."""
        value, path = self.value(*keys), write_path(keys)
        return [
            (f"{path}[{i}]", str(item))
            for i, item in enumerate(value if isinstance(value, list) else [])
            if isinstance(item, (str, int))
        ]

    def resolutions(self, *sections: str) -> list[float]:
        """Return the resolutions of the variables in *sections*."""
        return [
            item["resolution"]
            for section in sections
            for _, item in self.items(section)
            if is_length(item.get("resolution"))
        ]


def is_length(value: Any) -> TypeGuard[float]:
    """Tell whether *value* is a number that can be a length."""
    return (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and SHORTEST <= value < FAR
    )


def find_repeated(named: Iterable[tuple[str, str]], what: str) -> Iterator[Problem]:
    """Yield the names, given with their paths, that stand there more than once."""
    seen: dict[str, str] = {}
    for path, name in named:
        if name in seen:
            yield (
                path,
                f"{what} {name!r} is named twice, also at {seen[name]}. Must be named "
                "once. Remove one",
            )
        seen.setdefault(name, path)
