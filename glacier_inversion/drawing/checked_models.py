"""Models that are to be drawn, checked before there are tiles and maps."""

from __future__ import annotations

from collections.abc import Mapping

from glacier_inversion.dataset.plan import check_serves
from glacier_inversion.drawing.applicability import open_applicability
from glacier_inversion.drawing.calibrated import find_noise_problems, open_calibration
from glacier_inversion.drawing.models import find_blend_problems, find_missing_members
from glacier_inversion.drawing.other_sources import find_other_sources
from glacier_inversion.errors import DatasetError, ModelError
from glacier_inversion.experiment.application import Application
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.training.model.blend import blend_models, check_distinct
from glacier_inversion.training.model.members import digest_members
from glacier_inversion.training.model.model import (
    Model,
    find_unusable_members,
    finished_seeds,
    read_model,
)
from glacier_inversion.workspace import Workspace


def open_models(
    experiment: Experiment | Application,
    workspace: Workspace,
    problems: list[str],
    warnings: list[str],
    units: Mapping[str, str | None],
) -> dict[str, Model]:
    """
    Return the models to be drawn, each with its place, and note what is wrong.

    Those that are neither there nor trained by this, or broken, or that read what the
    dataset will not have, or that lack the calibration of what is to be drawn; and
    what keeps them from being a blend, if they are to be one. *warnings* are of members
    that are not trained yet, and of inputs that come from other sources than in
    training.

    Parameters
    ----------
    units : mapping of str or None
        Of the rasters of the dataset, as far as they are known.
    """
    description = experiment.drawing_description
    # of a blend it is the calibration of the blend that is needed
    asked = description.statistics if description.blend is None else []
    own = None
    if isinstance(experiment, Experiment):
        own = workspace.model(experiment.model_name)
    found: dict[str, Model] = {}
    for name in description.models:
        folder = workspace.model_to_read(name)
        if folder == own and not (folder / "model.json").exists():
            if isinstance(experiment, Experiment):
                problems += find_noise_problems(folder, experiment, asked)
            continue
        try:
            model = read_model(folder)
            problems += find_unusable_members(folder, model)
            if folder != own:
                check_serves(experiment.dataset_description, model.experiment)
                warnings += find_other_sources(
                    folder.name, model, experiment.dataset_description, units
                )
            problems += find_noise_problems(folder, model.experiment, asked)
            n_members = len(finished_seeds(folder))
            warnings += find_missing_members(name, model, n_members)
            open_calibration(folder, model, n_members, asked, problems)
            open_applicability(folder, model, asked, problems)
            found[name] = model
        except (DatasetError, ModelError) as error:
            problems.append(str(error))
    if description.blend is not None:
        try:
            _check_blend(
                experiment, workspace, description.blend, [*found.values()], problems
            )
        except ModelError as error:
            problems.append(str(error))
    return found


def _check_blend(
    experiment: Experiment | Application,
    workspace: Workspace,
    name: str,
    models: list[Model],
    problems: list[str],
) -> None:
    """Note why models cannot be a blend, those of them that are there."""
    description, folder = experiment.drawing_description, workspace.model(name)
    wanted = description.statistics
    problems += find_blend_problems(folder, wanted)
    if len(models) < len(description.models):
        return
    blended = blend_models(name, models)
    folders = [workspace.model_to_read(place) for place in description.models]
    seeds = [finished_seeds(own) for own in folders]
    n_each = min(map(len, seeds))
    if n_each:  # of no members nothing differs
        digests = [
            (own.name, digest_members(own, numbers[:n_each], model.identity))
            for own, numbers, model in zip(folders, seeds, models, strict=True)
        ]
        check_distinct(name, digests)
    problems += find_noise_problems(folder, blended.experiment, wanted)
    open_calibration(folder, blended, n_each * len(models), wanted, problems)
