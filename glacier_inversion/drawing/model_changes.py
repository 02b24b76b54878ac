"""In which keys a model differs from what an experiment would train now."""

from __future__ import annotations

from dataclasses import replace

from glacier_inversion.dataset.opened import BuiltDataset
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.training.model.model import Model
from glacier_inversion.workspace import SPLITS


def find_changed_keys(
    model: Model, experiment: Experiment, dataset: BuiltDataset | None
) -> list[str]:
    """
    Name the keys in which a model differs from what would be trained now.

    As far as can be told without a look into tiles: targets, and what is fitted, are
    taken as they are in the model. Without a dataset its inputs and splits are, too.
    """
    contents, splits = model.contents, model.splits
    if dataset is not None:
        contents = {**contents, **dataset.input_contents(experiment)}
        splits = {split: dataset.select(split) for split in SPLITS}
    now = replace(model, experiment=experiment, contents=contents, splits=splits)
    return model.differing(now)
