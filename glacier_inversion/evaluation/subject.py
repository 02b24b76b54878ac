"""What is evaluated: an experiment's model, or the blend that it names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from glacier_inversion.choices import DrawingMethod
from glacier_inversion.dataset.opened import BuiltDataset
from glacier_inversion.drawing.models import open_blend, open_ensemble
from glacier_inversion.errors import ModelError
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.training.model.blend import blend_models
from glacier_inversion.training.model.ensemble import Ensemble
from glacier_inversion.training.model.model import Model, read_model
from glacier_inversion.training.network.devices import Device
from glacier_inversion.workspace import FOLDS, Workspace, last_part


def name_subject(experiment: Experiment) -> str:
    """Return the name of the blend, else that of the experiment's model."""
    return experiment.drawing_description.blend or experiment.model_name


def open_subject(
    experiment: Experiment,
    dataset: BuiltDataset,
    workspace: Workspace,
    method: DrawingMethod,
    device: Device,
) -> Ensemble:
    """
    Open the experiment's model, or the blend that it names.

    Raises
    ------
    ModelError
        A model is not trained or does not fit; or models cannot be blended.
    """
    problems: list[str] = []
    opened = dataset, workspace, method, device, problems
    blend = experiment.drawing_description.blend
    ensemble: Ensemble | None
    if blend is None:
        ensemble = open_ensemble(experiment, experiment.model_name, *opened)
    else:
        ensemble = open_blend(experiment, blend, *opened)
    if problems or ensemble is None:
        raise ModelError("\n".join(problems))
    return ensemble


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
        if workspace.model_to_read(place) == workspace.model(experiment.model_name)
        else read_model(workspace.model_to_read(place)).experiment
        for place in description.models
    }


def find_fold_folders(experiment: Experiment, workspace: Workspace) -> list[Path]:
    """
    Return the folder that holds the folds of a model, or of each model of a blend.

    They lie in models/NAME/folds of this workspace, also those of a model of another.

    Raises
    ------
    ModelError
        That is the folder of a model of this one.
    """
    description = experiment.drawing_description
    if description.blend is None:
        return [workspace.model(experiment.model_name) / FOLDS]
    folders = []
    for place in description.models:
        name = last_part(place)
        own = workspace.model(name)
        is_taken = name == experiment.model_name or (own / "model.json").exists()
        if workspace.model_to_read(place) != own and is_taken:
            message = (
                f"drawing_description.models: {place!r} has the name of another model "
                f"in {own.parent}, and its folds would lie among those of that one. "
                "Must have a name of its own. Rename its folder."
            )
            raise ModelError(message)
        folders.append(own / FOLDS)
    return folders


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
