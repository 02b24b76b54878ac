"""Features that an evaluation takes for kept apart, and networks may have seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import shapely

from glacier_inversion.dataset.opened import BuiltDataset
from glacier_inversion.errors import DatasetError
from glacier_inversion.training.model.model import Model

_LEAST_SHARED = 0.01  # of the smaller outline: neighbours share slivers


def has_training_features(model: Model, dataset: BuiltDataset) -> bool:
    """
    Tell whether the features that trained a model are those of a dataset by their ids.

    They are told by their tiles: of one input at least, all must be those of training,
    as rasters of the others may have been replaced since. False where a feature that
    trained it is missing or elsewhere: ids may have been given anew then.
    """
    splits = dataset.splits  # an earlier version did not keep the model's own
    if model.splits is not None:
        splits = {f: split for split, ids in model.splits.items() for f in ids}
    trained = {f: split for f, split in splits.items() if split != "test"}
    if not trained.keys() <= dataset.rows.keys():
        return False
    try:
        there = replace(dataset, splits=trained).input_contents(model.experiment)
    except (DatasetError, KeyError):  # a tile or an input is missing
        return False
    return any(model.contents.get(key) == value for key, value in there.items())


def find_maybe_seen(
    model: Model, dataset: BuiltDataset, features: Iterable[str]
) -> list[str]:
    """
    Return those of *features* that a model's networks may have been trained on.

    They are told by their tiles and places, not by their ids alone: all of them where
    the dataset does not have the features that trained the model, else those whose
    outlines overlap with the outline of a feature that trained it, or are that.
    """
    wanted = list(features)
    if not has_training_features(model, dataset):
        return wanted
    trained = [
        dataset.outlines[feature]
        for feature in (model.splits or _by_split(dataset.splits))["train"]
    ]
    tree = shapely.STRtree(trained)
    return [
        feature
        for feature in wanted
        if any(
            _share(dataset.outlines[feature], trained[i]) > _LEAST_SHARED
            for i in tree.query(dataset.outlines[feature])
        )
    ]


def _by_split(splits: Mapping[str, str]) -> dict[str, list[str]]:
    return {"train": [f for f, split in splits.items() if split == "train"]}


def _share(one: shapely.Geometry, other: shapely.Geometry) -> float:
    """Return the part of the smaller of two polygons that they share."""
    smaller = min(one.area, other.area)
    return float(one.intersection(other).area / smaller) if smaller else 0.0
