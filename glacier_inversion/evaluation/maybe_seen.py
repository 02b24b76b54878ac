"""Features that an evaluation takes for kept apart, and networks may have seen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import shapely

from glacier_inversion.dataset.extra_training import find_extra_outlines
from glacier_inversion.dataset.opened import BuiltDataset
from glacier_inversion.dataset.splits import find_on_same_ground
from glacier_inversion.errors import DatasetError
from glacier_inversion.training.model.model import Model


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
    outlines overlap with the outline of a feature that trained it, or are that; be it
    one of the dataset that was mixed in.
    """
    wanted = list(features)
    if not has_training_features(model, dataset):
        return wanted
    mixed_in: list[shapely.Geometry] = []
    if model.experiment.extra_training is not None:
        there = find_extra_outlines(
            model.experiment, dataset, model.extra_features, model.contents
        )
        if there is None:
            return wanted
        mixed_in = there
    ids = model.splits["train"] if model.splits else dataset.select("train")
    trained = [dataset.outlines[feature] for feature in ids]
    return find_on_same_ground(
        {feature: dataset.outlines[feature] for feature in wanted}, trained + mixed_in
    )
