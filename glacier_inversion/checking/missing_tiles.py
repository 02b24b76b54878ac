"""Tiles that a dataset should have, and has not: looked for, not read."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from glacier_inversion.errors import name_some
from glacier_inversion.workspace import tile_path


def describe_missing(
    folder: Path, features: Iterable[str], rasters: Collection[str]
) -> str | None:
    """
    Say how many tiles of features a dataset lacks, and of which; None where of none.

    >>> describe_missing(Path("datasets/none"), ["east", "west"], ["slope"])
    "datasets/none: lacks 2 tiles, of east, west. Run 'ginv build-dataset'"
    """
    missing: dict[str, int] = {}
    for feature in features:
        there = [tile_path(folder, feature, name).exists() for name in rasters]
        if not all(there):
            missing[feature] = there.count(False)
    if not missing:
        return None
    n_missing = sum(missing.values())
    tiles = "1 tile" if n_missing == 1 else f"{n_missing:,} tiles"
    some = name_some([*missing])
    return f"{folder}: lacks {tiles}, of {some}. Run 'ginv build-dataset'"
