"""Folds: which features are left out of which training, and what each is called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from glacier_inversion.dataset.opened import BuiltDataset
from glacier_inversion.dataset.outlines import name_outlines, read_columns
from glacier_inversion.errors import DatasetError, name_some, nearest
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.geodata.archives import file_of
from glacier_inversion.workspace import Workspace, name_problem, same_names

CROSSVAL = "crossval"
"""The name of the folder of a cross-validation, beside those of splits."""


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
    suffix: str = "",
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
        and the fold is called after it. Else its name holds their number, as folds of
        another number are others.
    groups : mapping of str, optional
        The group of each feature.
    nested : bool
        Validate on the next fold in each training, so that no choice is made on what
        is held out; else on nothing.
    suffix : str
        Of the names, as `name_options` returns it.

    Raises
    ------
    DatasetError
        There are too few groups for two folds, three where it is nested; or a fold
        cannot name a folder.

    Examples
    --------
    >>> folds = make_folds({"a": 5, "b": 3, "c": 2}, n_folds=2)
    >>> [(fold.name, fold.held_out, fold.train) for fold in folds]
    [('fold_1_of_2', ['a'], ['b', 'c']), ('fold_2_of_2', ['b', 'c'], ['a'])]
    """
    members: dict[str, list[str]] = {}
    for feature, n in n_known.items():
        if n:
            members.setdefault((groups or {}).get(feature, feature), []).append(feature)
    n_folds = len(members) if n_folds is None else min(n_folds, len(members))
    _check_number(n_folds, len(members), bool(groups), nested)
    parts = members
    if n_folds < len(members):
        sizes = {group: sum(n_known[f] for f in ids) for group, ids in members.items()}
        parts = _balanced(members, sizes, n_folds)
    parts = {f"{name}{suffix}": held_out for name, held_out in parts.items()}
    names = list(parts)
    _check_names(names)
    folds = []
    for i, name in enumerate(names):
        held_out = parts[name]
        validation = parts[names[(i + 1) % len(names)]] if nested else []
        kept = {*held_out, *validation}
        folds.append(
            Fold(name, held_out, validation, [f for f in n_known if f not in kept])
        )
    return folds


def _check_number(n_folds: int, n_known: int, of_groups: bool, nested: bool) -> None:
    """Check that a training is left of so many folds, of so many features or groups."""
    least = 3 if nested else 2
    if n_folds >= least:
        return
    why = "one to hold out, one to train on"
    if nested:
        why = f"{why}, one to validate on, as '--scheme nested' or the criterion asks"
    if n_known < least:
        one = f"{'group' if of_groups else 'feature'}{'s' * (n_known != 1)}"
        what = f"{n_known} {one}{' of features' * of_groups} with known targets"
        remedy = "Measure more glaciers, or take those of the test in with --all"
        remedy += ", or group them otherwise" * of_groups
    else:
        what, remedy = f"{n_folds} folds", "Ask for more of them"
    message = f"crossval: {what}. Must be {least} at least: {why}. {remedy}."
    raise DatasetError(message)


def _balanced(
    members: Mapping[str, list[str]], sizes: Mapping[str, int], n_folds: int
) -> dict[str, list[str]]:
    """Give each group to the fold that is smallest so far, the largest group first."""
    width = len(str(n_folds))
    names = [f"fold_{i:0{width}d}_of_{n_folds}" for i in range(1, n_folds + 1)]
    parts: dict[str, list[str]] = {name: [] for name in names}
    n_pixels = dict.fromkeys(parts, 0)
    for group in sorted(members, key=lambda group: -sizes[group]):
        smallest = min(parts, key=lambda name: n_pixels[name])
        parts[smallest] += members[group]
        n_pixels[smallest] += sizes[group]
    return parts


def _check_names(names: list[str]) -> None:
    """Check that each fold can name a folder of its own."""
    problems = [f"{n!r} {problem}" for n in names if (problem := name_problem(n))]
    problems += [
        f"{' and '.join(map(repr, same))} would share a folder"
        for same in same_names(names)
    ]
    if problems:
        message = (
            f"the folds {'; '.join(problems[:5])}. Must be able to name folders, each "
            "once: they are called after the features or groups, where each is left "
            "out alone, and the column of groups. Correct these, or ask for fewer "
            "folds."
        )
        raise DatasetError(message)


def name_options(group: str | None, nested: bool, with_test: bool) -> str:
    """
    Return what the names of folds end with, so that other folds have other folders.

    >>> name_options("basin", nested=True, with_test=False)
    '_by_basin_nested'
    """
    by_group = "" if group is None else f"_by_{group}"
    return by_group + "_nested" * nested + "_all" * with_test


def check_known(
    folds: Sequence[Fold],
    n_known: Mapping[str, Mapping[str, int]],
    criterion: str,
) -> None:
    """
    Check that what is known somewhere is known on the features that train each fold.

    Parameters
    ----------
    n_known : mapping of mappings of int
        Known pixels of each output, by feature.
    criterion : str
        That of the experiment. An output that it watches in validation must be known
        there, too.

    Raises
    ------
    DatasetError
        An output is not.
    """
    problems = []
    named = [output for output in n_known if criterion.startswith(f"val_{output}_")]
    watched = max(named, key=len, default=None)  # "ice_age", too, begins with "ice_"
    for output, counts in n_known.items():
        parts = ["train"] if any(counts.values()) else []
        if parts and output == watched:
            parts.append("validation")
        for part in parts:
            lacking = [
                f.name for f in folds if not any(counts[i] for i in _of(f, part))
            ]
            if lacking:
                word = "training" if part == "train" else part
                problems.append(
                    f"{output}: is known on no {word} feature of the folds "
                    f"{name_some(lacking, 5)}. Must be known on one of each fold. Ask "
                    "for other folds, or measure it on more features."
                )
    if problems:
        raise DatasetError("\n".join(problems))


def _of(fold: Fold, part: str) -> list[str]:
    return fold.train if part == "train" else fold.validation


@dataclass(frozen=True)
class Grouping:
    """
    Groups of features, whose folds keep them together.

    Attributes
    ----------
    column : str
        Of the outlines, which names the group of each.
    where : str
        The file, for messages.
    of_features : dict of str
        Those of which the column is not empty.
    """

    column: str
    where: str
    of_features: dict[str, str]

    def of_known(self, n_known: Mapping[str, int]) -> dict[str, str]:
        """
        Return the group of each feature, once each that is held out has one.

        Parameters
        ----------
        n_known : mapping of int
            Known pixels of each feature: one without any trains in every fold.

        Raises
        ------
        DatasetError
            Features have none.
        """
        empty = [f for f, n in n_known.items() if n and f not in self.of_features]
        if empty:
            message = (
                f"{self.where}: the column {self.column!r} is empty of "
                f"{name_some(empty, 5)}. Must name a group for each feature on which "
                "something is known. Fill it in the outlines, or leave --group out."
            )
            raise DatasetError(message)
        return self.of_features


def read_groups(
    experiment: Experiment, workspace: Workspace, dataset: BuiltDataset, column: str
) -> Grouping:
    """
    Return what a column of the outlines says of each feature, as text.

    As the file says it now, or where it is not at hand as it was when the dataset was
    built. Features of which it is empty are left out.

    Raises
    ------
    DatasetError
        There is no such column.
    OutlineError
        The file is there and cannot be read.
    """
    description = experiment.dataset_description
    path = workspace.data(description.shapefile_file)
    columns = {feature: row["columns"] for feature, row in dataset.rows.items()}
    where = f"{dataset.folder}, as it was built"
    if file_of(path).exists():
        named = name_outlines(path, description)
        fieldname = str(named.shapefile_fieldname)
        columns = read_columns(path, fieldname, named.shapefile_layer)
        where = str(path)
    known: dict[str, Any] = next(iter(columns.values()), {})
    if column not in known:
        message = (
            f"{where}: the outlines have no column {column!r}. "
            f"{nearest(column, known)} Name one of them, or leave --group out."
        )
        raise DatasetError(message)
    of_features = {
        feature: str(row[column])
        for feature, row in columns.items()
        if row[column] not in (None, "")
    }
    return Grouping(column, where, of_features)
