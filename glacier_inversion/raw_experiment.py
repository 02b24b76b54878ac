"""An experiment as the JSON file has it: the parts of it that have the right type."""

from __future__ import annotations

from typing import Any, TypeGuard

# Longer than any length on the Earth, in metres; also excludes infinity and NaN.
_FAR = 1e9


class RawExperiment:
    """The parts of a raw experiment that have the right type."""

    def __init__(self, raw: dict[str, Any]) -> None:
        self.raw = raw
        rasters = self.items("dataset_description", "rasters")
        self.rasters = {item["name"]: item for _, item in rasters}

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
        value = self.value(*keys)
        return [
            (f"{'.'.join(keys)}[{i}]", item)
            for i, item in enumerate(value if isinstance(value, list) else [])
            if isinstance(item, dict) and isinstance(item.get("name"), str)
        ]

    def names(self, *keys: str) -> list[str]:
        """Return the names of the objects of a list."""
        return [item["name"] for _, item in self.items(*keys)]

    def strings(self, *keys: str) -> list[tuple[str, str]]:
        """Return the texts and numbers of a list as text, with their paths."""
        value = self.value(*keys)
        return [
            (f"{'.'.join(keys)}[{i}]", str(item))
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
        and 0 < value < _FAR
    )
