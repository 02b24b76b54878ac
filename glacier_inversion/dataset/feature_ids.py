"""Ids of features: the column that holds them, and whether they can name folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from glacier_inversion.errors import OutlineError, name_some, nearest
from glacier_inversion.workspace import name_problem, same_names

ID_COLUMNS = {"RGIId": "RGI 6", "rgi_id": "RGI 7", "sgi-id": "SGI 2016"}
"""The columns of ids of the inventories that are known."""

# What lies beside the folders of features or in them, in datasets, drawings and
# evaluations, and the row of all features in tables.
_OURS = {
    "summary.json",
    "sources.json",
    "outlines.gpkg",
    "profiles",
    "overview.png",
    "holes.csv",
    "maps.qlr",
    "volumes.csv",
    "drawn.json",
    "metrics.json",
    "metrics.csv",
    "residuals.gpkg",
    "predictions.csv",
    "folds.gpkg",
    "volumes.gpkg",
    "total",
}
_OUR_ENDINGS = (".vrt", ".qml")  # of mosaics and their styles


def find_id_column(path: Path, columns: Sequence[str]) -> str:
    """
    Return the one column that holds the ids of a known inventory.

    Capitals do not matter, as not all programs and formats keep them.

    Raises
    ------
    OutlineError
        There is none, or more than one.

    Examples
    --------
    >>> find_id_column(Path("glaciers.shp"), ["o1region", "rgi_id", "area_km2"])
    'rgi_id'
    """
    inventories = {known.casefold() for known in ID_COLUMNS}
    found = [column for column in columns if column.casefold() in inventories]
    if len(found) != 1:
        known = ", ".join(f"{name} ({whose})" for name, whose in ID_COLUMNS.items())
        message = (
            f"{path}: {' and '.join(found) or 'no column'} could be the ids of a known "
            f"inventory, among {name_some(columns) or 'none'}. Must be one of {known} "
            "where shapefile_fieldname is left out. Name the column of ids in "
            "dataset_description.shapefile_fieldname."
        )
        raise OutlineError(message)
    return found[0]


def check_column(path: Path, fieldname: str, columns: list[str]) -> None:
    """
    Look for the column of ids.

    Raises
    ------
    OutlineError
        There is no such column.
    """
    if fieldname not in columns:
        message = (
            f"{path}: has no column {fieldname!r}. {nearest(fieldname, columns)} "
            "Correct shapefile_fieldname."
        )
        raise OutlineError(message)


def id_of(value: Any) -> str:
    """
    Return a column's value as an id; a whole number has no decimals.

    >>> id_of(12.0), id_of("A51d-10 "), id_of(None)
    ('12', 'A51d-10', '')
    """
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value).strip()


def check_ids(path: Path, fieldname: str, ids: list[str]) -> None:
    """
    Look whether the ids of a file can name folders.

    Raises
    ------
    OutlineError
        They cannot: empty, unsafe, names of our files or of the row of a total, or
        twice the same.
    """
    problems = _describe_missing([n for n, feature in enumerate(ids, 1) if not feature])
    named = [feature for feature in ids if feature]
    problems += [
        f"{name_some([feature])!r} {problem}"
        for feature in named
        if (problem := name_problem(feature))
    ]
    problems += [
        f"{name_some([feature])!r} is what a file or a row of ours is called"
        for feature in ids
        if feature.casefold() in _OURS or feature.casefold().endswith(_OUR_ENDINGS)
    ]
    problems += [
        f"{name_some(group[:1])!r} is the id of {len(group)} features"
        if len({*group}) == 1
        else f"{_few(group)} would share a folder"
        for group in same_names(named)
    ]
    if problems:
        more = f" and {len(problems) - 5} more" if len(problems) > 5 else ""
        message = (
            f"{path}: column {fieldname!r}: {'; '.join(problems[:5])}{more}. Must be "
            "ids that can name folders, each once. Blanks around them do not count. "
            "Correct them, merge features of one id, or choose another "
            "shapefile_fieldname."
        )
        raise OutlineError(message)


def _describe_missing(rows: list[int]) -> list[str]:
    """
    Say in which rows, counted from 1, there is no id; nothing where there is none.

    >>> _describe_missing([3]), _describe_missing([2, 3, 5, 7]), _describe_missing([])
    (['row 3 has no id'], ['rows 2, 3, 5 and 1 more have no id'], [])
    """
    if not rows:
        return []
    if len(rows) == 1:
        return [f"row {rows[0]} has no id"]
    more = f" and {len(rows) - 3} more" if len(rows) > 3 else ""
    return [f"rows {', '.join(map(str, rows[:3]))}{more} have no id"]


def _few(ids: list[str]) -> str:
    """
    Name the first of many ids.

    >>> _few(["Rhone", "RHONE"]), _few(["b", "B"] * 1000)
    ("'Rhone' and 'RHONE'", "'b' and 'B' and 'b' and 1997 more")
    """
    more = f" and {len(ids) - 3} more" if len(ids) > 3 else ""
    return " and ".join(repr(name_some([one])) for one in ids[:3]) + more
