"""Which features train, validate and test, and where their tiles overlap."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from glacier_inversion.errors import DatasetError, OutlineError, nearest
from glacier_inversion.experiment.application import Application
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.experiment.sections import Split
from glacier_inversion.grid import Bounds
from glacier_inversion.workspace import SPLITS

_DEFAULT_FIELD = "train"
_DEFAULT_FRACTIONS = [0.7, 0.15, 0.15]
_LEAST_SHARED = 0.01  # of the smaller outline: neighbours share slivers


def find_splits(
    experiment: Experiment | Application,
    path: Path,
    columns: Mapping[str, Mapping[str, Any]],
) -> dict[str, str]:
    """
    Return the splits of an experiment's features, as `assign_splits` does.

    Where trained models are applied nothing is trained, and there are no splits unless
    the file asks for some.
    """
    split = experiment.dataset_description.split
    if split is None and isinstance(experiment, Application):
        return {}
    return assign_splits(path, columns, split)


def assign_splits(
    path: Path, columns: Mapping[str, Mapping[str, Any]], split: Split | None
) -> dict[str, str]:
    """
    Return the split of each feature, by id; features may have none.

    Parameters
    ----------
    path : Path
        The file of the outlines, for messages.
    columns : mapping of mappings
        What the outlines' file says of each feature, by id and name of the column.
    split : Split, optional
        None: by the column 'train' where there is one, else by fractions of 0.7, 0.15
        and 0.15.

    Raises
    ------
    OutlineError
        The column does not exist, or holds something else than 0, 1, 2 or nothing.
    """
    names = list(next(iter(columns.values()), {}))
    if split is None:
        by_column = _DEFAULT_FIELD in names
        split = (
            Split(field=_DEFAULT_FIELD)
            if by_column
            else Split(fractions=_DEFAULT_FRACTIONS)
        )
    if split.fractions is not None:
        return _by_fractions(list(columns), split.fractions, split.seed)
    field = str(split.field)
    if field not in names:
        message = (
            f"{path}: has no column {field!r}. {nearest(field, names)} Correct "
            "dataset_description.split.field, or split by fractions."
        )
        raise OutlineError(message)
    return _by_column(path, {f: row[field] for f, row in columns.items()}, field)


def _by_column(path: Path, values: Mapping[str, Any], field: str) -> dict[str, str]:
    splits: dict[str, str] = {}
    wrong: list[str] = []
    for feature, value in values.items():
        if value is None or value == "":
            continue
        number = _number(value)
        if number is None:
            wrong.append(f"{feature}: {value!r}")
        else:
            splits[feature] = SPLITS[number]
    if wrong:
        message = (
            f"{path}: column {field!r}: {'; '.join(wrong[:5])}. Must be 0 (train), 1 "
            "(validation), 2 (test) or empty (drawn only). Correct the column."
        )
        raise OutlineError(message)
    return splits


def _number(value: Any) -> int | None:
    """
    Return 0, 1 or 2, None for anything else.

    A truth value is neither: true would be taken for 1, validation.

    >>> _number(2.0), _number("1"), _number("test"), _number(3), _number(True)
    (2, 1, 2, None, None)
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and value.strip().lower() in SPLITS:
        return SPLITS.index(value.strip().lower())
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return int(number) if number in (0, 1, 2) else None


def _by_fractions(ids: list[str], fractions: list[float], seed: int) -> dict[str, str]:
    """
    Share features out at random, the counts rounded by largest remainder.

    A split with a fraction above 0 gets a feature if there are enough. The order of
    *ids* does not matter.

    >>> shares = list(_by_fractions(list("abcdefghij"), [0.7, 0.15, 0.15], 0).values())
    >>> [shares.count(split) for split in SPLITS]
    [7, 2, 1]
    """
    wanted = np.array(fractions) * len(ids)
    counts = np.floor(wanted + 1e-9).astype(int)
    order = np.argsort(-(wanted - counts), kind="stable")
    counts[order[: len(ids) - counts.sum()]] += 1
    for empty in np.flatnonzero((counts == 0) & (np.array(fractions) > 0)):
        if counts.max() > 1:
            counts[counts.argmax()] -= 1
            counts[empty] += 1
    in_order = sorted(ids)
    shuffled = np.random.default_rng(seed).permutation(len(ids))
    names = np.repeat(SPLITS, counts).tolist()
    return {in_order[i]: name for i, name in zip(shuffled, names, strict=True)}


def find_overlaps(
    bounds: Mapping[str, Bounds], splits: Mapping[str, str]
) -> list[dict[str, Any]]:
    """
    Find the tiles that overlap across the split, the largest overlap first.

    >>> find_overlaps(
    ...     {"a": (0.0, 0.0, 2000.0, 1000.0), "b": (1000.0, 0.0, 3000.0, 1000.0)},
    ...     {"a": "train", "b": "test"},
    ... )
    [{'features': ['a', 'b'], 'splits': ['train', 'test'], 'area_km2': 1.0}]
    """
    ids = sorted(splits.keys() & bounds.keys())
    boxes = shapely.box(
        *np.array([bounds[feature] for feature in ids]).reshape(-1, 4).T
    )
    first, second = shapely.STRtree(boxes).query(boxes, predicate="intersects")
    found = []
    for i, j in zip(first.tolist(), second.tolist(), strict=True):
        a, b = ids[i], ids[j]
        area = shapely.area(shapely.intersection(boxes[i], boxes[j])) if i < j else 0.0
        if area > 0 and splits[a] != splits[b]:
            found.append(
                {
                    "features": [a, b],
                    "splits": [splits[a], splits[b]],
                    "area_km2": round(float(area) / 1e6, 6),
                }
            )
    return sorted(
        found, key=lambda overlap: (-overlap["area_km2"], overlap["features"])
    )


def find_shared_areas(outlines: Mapping[str, shapely.Geometry]) -> list[dict[str, Any]]:
    """
    Find the outlines that overlap, the largest overlap first.

    Less than 100 m2 is the rounding of borders that touch.

    >>> a, b = shapely.box(0, 0, 200, 100), shapely.box(100, 0, 300, 100)
    >>> find_shared_areas({"a": a, "b": b, "c": shapely.box(300, 0, 400, 100)})
    [{'features': ['a', 'b'], 'area_km2': 0.01}]
    """
    ids = sorted(outlines)
    polygons = np.array([outlines[feature] for feature in ids], dtype=object)
    first, second = shapely.STRtree(polygons).query(polygons, predicate="intersects")
    once = first < second
    first, second = first[once], second[once]
    areas = shapely.area(shapely.intersection(polygons[first], polygons[second]))
    found = [
        {"features": [ids[i], ids[j]], "area_km2": round(float(area) / 1e6, 6)}
        for i, j, area in zip(first, second, areas, strict=True)
        if area >= 100
    ]
    return sorted(found, key=lambda shared: (-shared["area_km2"], shared["features"]))


def find_on_same_ground(
    outlines: Mapping[str, shapely.Geometry], others: Sequence[shapely.Geometry]
) -> list[str]:
    """
    Return the features that share more than a sliver with one of other outlines.

    >>> a, b = shapely.box(0, 0, 200, 100), shapely.box(198, 0, 300, 100)
    >>> find_on_same_ground({"a": a, "b": b}, [shapely.box(200, 0, 400, 100)])
    ['b']
    """
    tree = shapely.STRtree(others)
    return [
        feature
        for feature, outline in outlines.items()
        if any(_share(outline, others[i]) > _LEAST_SHARED for i in tree.query(outline))
    ]


def _share(one: shapely.Geometry, other: shapely.Geometry) -> float:
    """Return the part of the smaller of two polygons that they share."""
    smaller = min(one.area, other.area)
    return float(one.intersection(other).area / smaller) if smaller else 0.0


_MOST_NAMED = 20  # features that are not there


def select_features(
    wanted: list[str] | str,
    features: Collection[str],
    splits: Mapping[str, str],
    folder: Path,
) -> list[str]:
    """
    Return the ids that *wanted* names: a split or 'all', or ids that must exist.

    Parameters
    ----------
    features : collection of str
        Those of the dataset in *folder*.
    splits : mapping of str
        Of those that have one; others, that the dataset does not hold, do not matter.

    Raises
    ------
    DatasetError
        Ids that the dataset does not hold, each with the nearest that it does.
    """
    if isinstance(wanted, str):
        if wanted not in ("all", *SPLITS):
            message = f"Invalid features {wanted!r}. Must be 'all', a split, or ids."
            raise ValueError(message)
        return [f for f in features if wanted in ("all", splits.get(f))]
    missing = [feature for feature in wanted if feature not in features]
    if missing:
        lines = [
            f"drawing_description.features: {feature!r} is not in {folder}. "
            f"{nearest(feature, features)} Correct it, or build the dataset anew."
            for feature in missing[:_MOST_NAMED]
        ]
        if len(missing) > len(lines):
            lines.append(
                f"drawing_description.features: and {len(missing) - len(lines):,} more "
                "are not there. Correct them, or build the dataset anew."
            )
        raise DatasetError("\n".join(lines))
    return wanted
