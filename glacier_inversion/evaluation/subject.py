"""What is evaluated: an experiment's model, or the blend that it names."""

from __future__ import annotations

from collections.abc import Sequence

from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.training.model.blend import blend_models
from glacier_inversion.training.model.model import Model, read_model
from glacier_inversion.workspace import Workspace, last_part


def name_subject(experiment: Experiment) -> str:
    """Return the name of the blend, else that of the experiment's model."""
    return experiment.drawing_description.blend or experiment.model_name


def find_experiments(
    experiment: Experiment, workspace: Workspace
) -> dict[str, Experiment]:
    """
    Return the experiments that the members follow from, by the place of the model.

    That of the experiment's own model is itself, those of others are as they were
    trained.

    Raises
    ------
    ModelError
        Another model is not trained, or broken.
    """
    description = experiment.drawing_description
    if description.blend is None:
        return {experiment.model_name: experiment}
    return {
        place: experiment
        if last_part(place) == experiment.model_name
        else read_model(workspace.model_to_read(place)).experiment
        for place in description.models
    }


def join_models(experiment: Experiment, models: Sequence[Model]) -> Model:
    """
    Return what the members of the experiment's model, or of its blend, follow from.

    Raises
    ------
    ModelError
        The models cannot be blended.
    """
    if experiment.drawing_description.blend is None:
        return models[0]
    return blend_models(experiment.drawing_description.blend, models)
