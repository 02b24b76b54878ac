"""The model that an experiment would train now: to tell whether one is of another."""

from __future__ import annotations

from glacier_inversion.dataset.opened import BuiltDataset
from glacier_inversion.dataset.training_tiles import read_training_tiles
from glacier_inversion.errors import DatasetError
from glacier_inversion.evaluation.subject import find_experiments, join_models
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.training.data import prepare
from glacier_inversion.training.model.model import Model
from glacier_inversion.workspace import Workspace


def model_now(experiment: Experiment, dataset: BuiltDataset) -> Model:
    """
    Return what the members of an experiment's model would have in common.

    Raises
    ------
    DatasetError
        Nothing could be trained.
    """
    data = prepare(
        experiment,
        read_training_tiles(dataset, experiment, say=lambda _: None),
        dataset.select("test"),
        dataset.units,
    )
    return data.model(experiment)


def identity_now(
    experiment: Experiment, workspace: Workspace, dataset: BuiltDataset
) -> str | None:
    """
    Return what identifies that model, or the blend that the experiment names.

    None where nothing could be trained.
    """
    experiments = find_experiments(experiment, workspace).values()
    try:
        models = [model_now(own, dataset) for own in experiments]
    except DatasetError:
        return None
    return join_models(experiment, models).identity
