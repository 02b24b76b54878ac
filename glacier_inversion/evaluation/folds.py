"""Folds: which features are left out of which training, and what each is called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from glacier_inversion.dataset.opened import BuiltDataset
from glacier_inversion.errors import DatasetError, nearest
from glacier_inversion.workspace import name_problem, same_names


@dataclass(frozen=True)
class Fold:
    """
    The features of one training of a cross-validation.

    Attributes
    ----------
    name : str
        That of a folder.
    held_out : list of str
        Predicted by the members that this training gives, and unknown to them.
    validation : list of str
        Watched in training, and by some criteria what picks the best epoch.
    train : list of str
    """

    name: str
    held_out: list[str]
    validation: list[str]
    train: list[str]

    def splits(self, others: Sequence[str] = ()) -> dict[str, str]:
        """Return the split of each feature; *others* are kept out as test, too."""
        return {
            **dict.fromkeys(self.train, "train"),
            **dict.fromkeys(self.validation, "validation"),
            **dict.fromkeys([*self.held_out, *others], "test"),
        }


def make_folds(
    n_known: Mapping[str, int],
    *,
    n_folds: int | None = None,
    groups: Mapping[str, str] | None = None,
    nested: bool = False,
) -> list[Fold]:
    """
    Divide features into folds, each left out of one training.

    Features of a group stay together; without groups each is one of its own. A fold is
    as near as can be to an equal share of the known pixels: the group with most is
    given to the fold that has fewest so far. What is known nowhere trains in every
    fold.

    Parameters
    ----------
    n_known : mapping of int
        Known pixels of each feature.
    n_folds : int, optional
        Where there are no more groups than this, each is left out alone, as with None,
        and the fold is called after it.
    groups : mapping of str, optional
        The group of each feature.
    nested : bool
        Validate on the next fold in each training, so that no choice is made on what
        is held out; else on nothing.

    Raises
    ------
    DatasetError
        There are too few groups for two folds, three where it is nested; or a group
        cannot name a folder.

    Examples
    --------
    >>> folds = make_folds({"a": 5, "b": 3, "c": 2}, n_folds=2)
    >>> [(fold.name, fold.held_out, fold.train) for fold in folds]
    [('fold_1', ['a'], ['b', 'c']), ('fold_2', ['b', 'c'], ['a'])]
    """
    members: dict[str, list[str]] = {}
    for feature, n in n_known.items():
        if n:
            members.setdefault((groups or {}).get(feature, feature), []).append(feature)
    least = 3 if nested else 2
    n_folds = len(members) if n_folds is None else min(n_folds, len(members))
    if n_folds < least:
        what = "groups of features" if groups else "features"
        why = ": one to hold out, one to validate on, one to train on" if nested else ""
        message = (
            f"{n_folds} folds can be made of the {len(members)} {what} that have known "
            f"targets. Must be {least} at least{why}. Ask for more folds, or measure "
            "more glaciers."
        )
        raise DatasetError(message)
    if n_folds == len(members):
        _check_names(list(members))
        parts = members
    else:
        sizes = {group: sum(n_known[f] for f in ids) for group, ids in members.items()}
        parts = _balanced(members, sizes, n_folds)
    names = list(parts)
    folds = []
    for i, name in enumerate(names):
        held_out = parts[name]
        validation = parts[names[(i + 1) % len(names)]] if nested else []
        kept = {*held_out, *validation}
        folds.append(
            Fold(name, held_out, validation, [f for f in n_known if f not in kept])
        )
    return folds


def _balanced(
    members: Mapping[str, list[str]], sizes: Mapping[str, int], n_folds: int
) -> dict[str, list[str]]:
    """Give each group to the fold that is smallest so far, the largest group first."""
    width = len(str(n_folds))
    names = [f"fold_{number:0{width}d}" for number in range(1, n_folds + 1)]
    parts: dict[str, list[str]] = {name: [] for name in names}
    n_pixels = dict.fromkeys(parts, 0)
    for group in sorted(members, key=lambda group: -sizes[group]):
        smallest = min(parts, key=lambda name: n_pixels[name])
        parts[smallest] += members[group]
        n_pixels[smallest] += sizes[group]
    return parts


def _check_names(groups: list[str]) -> None:
    """Check that each group can name the folder of a fold of its own."""
    problems = [f"{g!r} {problem}" for g in groups if (problem := name_problem(g))]
    problems += [
        f"{' and '.join(map(repr, same))} would share a folder"
        for same in same_names(groups)
    ]
    if problems:
        message = (
            f"the groups {'; '.join(problems[:5])}. Must be able to name folders, each "
            "once, where each is left out alone. Correct them, or ask for fewer folds."
        )
        raise DatasetError(message)


def read_groups(
    dataset: BuiltDataset, features: Sequence[str], column: str
) -> dict[str, str]:
    """
    Return what a column of the outlines says of each feature, as text.

    Raises
    ------
    DatasetError
        There is no such column, or it is empty of a feature.
    """
    columns = {feature: dataset.rows[feature]["columns"] for feature in features}
    known: dict[str, Any] = next(iter(columns.values()), {})
    if column not in known:
        message = (
            f"{dataset.folder}: the outlines have no column {column!r}. "
            f"{nearest(column, known)} Name one of them, or leave --group out."
        )
        raise DatasetError(message)
    empty = [f for f, row in columns.items() if row[column] in (None, "")]
    if empty:
        message = (
            f"{dataset.folder}: the column {column!r} is empty of "
            f"{', '.join(empty[:5])}. Must name a group for each feature of the folds. "
            "Fill it, or leave --group out."
        )
        raise DatasetError(message)
    return {feature: str(row[column]) for feature, row in columns.items()}
