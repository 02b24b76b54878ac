"""Trained models that are used: opened, with what is not as it was in training."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

from glacier_inversion.choices import DrawingMethod
from glacier_inversion.dataset.opened import BuiltDataset
from glacier_inversion.dataset.plan import check_serves
from glacier_inversion.drawing.applicability import open_applicability
from glacier_inversion.drawing.calibrated import (
    find_calibration,
    find_noise_problems,
    is_calibrated,
    open_calibration,
)
from glacier_inversion.drawing.model_changes import find_changed_keys
from glacier_inversion.drawing.other_sources import find_other_sources
from glacier_inversion.errors import DatasetError, ModelError, name_some
from glacier_inversion.experiment.application import Application
from glacier_inversion.experiment.beds import find_bed_problems
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.experiment.sections import APPLICABILITY
from glacier_inversion.training.model.blend import Blend
from glacier_inversion.training.model.ensemble import Ensemble
from glacier_inversion.training.model.model import (
    Model,
    find_unusable_members,
    read_model,
)
from glacier_inversion.training.network.devices import Device
from glacier_inversion.workspace import Workspace, last_part

logger = logging.getLogger(__name__)


def features_of(
    ensemble: Ensemble,
    dataset: BuiltDataset,
    wanted: list[str] | str,
    named: list[str],
) -> list[str]:
    """Return the features to be drawn: a split is the one that a model remembers."""
    splits = ensemble.model.splits
    if splits is None or not isinstance(wanted, str) or wanted not in splits:
        return named
    missing = [feature for feature in splits[wanted] if feature not in dataset.rows]
    if missing:
        logger.warning(
            "%s: %d of the %d features that it remembers as %s are not in the dataset: "
            "%s",
            ensemble.name,
            len(missing),
            len(splits[wanted]),
            wanted,
            name_some(missing),
        )
    return [feature for feature in splits[wanted] if feature in dataset.rows]


def open_ensembles(
    experiment: Experiment | Application,
    dataset: BuiltDataset,
    workspace: Workspace,
    method: DrawingMethod,
    device: Device,
    problems: list[str],
    only: str | None = None,
) -> list[Ensemble]:
    """
    Open every model that can be drawn, or their blend, and note why others cannot.

    With what statistics need: calibrations, and what they were trained on. Else also
    with calibrations that can be read, for pictures of profiles and for volumes, and
    with what they were trained on, to warn of what is unlike it.

    Parameters
    ----------
    only : str, optional
        The name of a model, or of the blend: others are not opened.
    """
    description = experiment.drawing_description
    are_asked = any(map(is_calibrated, description.statistics))
    opened = dataset, workspace, method, device, problems
    if description.blend is None:
        found = [
            open_ensemble(experiment, place, *opened)
            for place in description.models
            if only is None or last_part(place) == only
        ]
    else:
        found = [open_blend(experiment, description.blend, *opened)]
    ensembles = [ensemble for ensemble in found if ensemble is not None]
    for ensemble in ensembles:
        problems += find_noise_problems(
            ensemble.folder, ensemble.model.experiment, description.statistics
        )
        ensemble.calibration = open_calibration(
            ensemble.folder,
            ensemble.model,
            len(ensemble.seeds),
            description.statistics,
            problems,
        )
        if not are_asked:
            ensemble.calibration = find_calibration(
                ensemble.folder, ensemble.model, len(ensemble.seeds)
            )
        if not isinstance(ensemble, Blend):
            ensemble.applicability = open_applicability(
                ensemble.folder, ensemble.model, description.statistics, problems
            )
    return ensembles


def open_blend(
    experiment: Experiment | Application,
    name: str,
    dataset: BuiltDataset,
    workspace: Workspace,
    method: DrawingMethod,
    device: Device,
    problems: list[str],
) -> Blend | None:
    """Open the models of a blend, and note why they cannot be used together."""
    opened = dataset, workspace, method, device, problems
    description = experiment.drawing_description
    found = [open_ensemble(experiment, model, *opened) for model in description.models]
    ensembles = [ensemble for ensemble in found if ensemble is not None]
    folder = workspace.model(name)
    problems += find_blend_problems(folder, description.statistics)
    if len(ensembles) < len(found):
        return None
    try:
        blend = Blend(folder, ensembles)
    except ModelError as error:
        problems.append(str(error))
        return None
    n_each = len(blend.seeds) // len(blend.parts)
    logger.info("%s: %d members of each of %d models", name, n_each, len(blend.parts))
    return blend


def find_blend_problems(folder: Path, statistics: Iterable[str]) -> Iterator[str]:
    """
    Yield what keeps a blend from being drawn, whatever its models are.

    Parameters
    ----------
    folder : Path
        The blend's.
    statistics : iterable of str
        What is to be drawn.
    """
    if (folder / "model.json").exists():
        yield (
            f"drawing_description.blend: {folder.name!r} is a model. Must be a name of "
            "its own. Choose another."
        )
    if APPLICABILITY in statistics:
        yield (
            f"drawing_description.statistics: {APPLICABILITY!r} is not known of a "
            "blend. Must be of one model. Leave it out, or leave out the blend."
        )


def open_ensemble(
    experiment: Experiment | Application,
    name: str,
    dataset: BuiltDataset,
    workspace: Workspace,
    method: DrawingMethod,
    device: Device,
    problems: list[str],
) -> Ensemble | None:
    """Open a model, and note why it cannot be used, if it cannot."""
    folder, bed = workspace.model_to_read(name), experiment.drawing_description.bed
    try:
        model = read_model(folder)
        check_serves(experiment.dataset_description, model.experiment)
        _check_built(dataset, model)
        problems += find_unusable_members(folder, model)
    except (ModelError, DatasetError) as error:
        problems.append(str(error))
        return None
    ensemble = Ensemble(folder, model, method, device)
    if bed is not None:
        outputs = ensemble.layout.outputs
        units = {o: model.units.get(o) for o in outputs}
        units |= {raster: unit for raster, unit in dataset.units.items() if unit}
        problems += find_bed_problems(bed, f"the model {name!r}", outputs, units)
    _warn_of_changes(experiment, ensemble, dataset, workspace)
    if not ensemble.seeds:
        problems.append(
            f"{folder}: has no finished member. Must have one at least. Run 'ginv "
            "train'."
        )
    elif method == "dense" and not ensemble.plan.is_partly_dense:
        problems.append(
            f"--method: dense is not exact for the model {name!r} "
            f"({'; '.join(ensemble.plan.obstacles)}). Must be auto or patches for "
            "it. Leave the option out, or change the network."
        )
    for warning in find_missing_members(name, model, len(ensemble.seeds)):
        logger.warning("%s", warning)
    return ensemble


def find_missing_members(name: str, model: Model, n_members: int) -> Iterator[str]:
    """Say that some members of a model are not trained yet."""
    n_asked = model.experiment.seeds_number
    if 0 < n_members < n_asked:
        yield f"{name}: only {n_members} of {n_asked} are trained"


def describe_way(ensemble: Ensemble) -> str:
    """Say how an ensemble is evaluated, and why."""
    if isinstance(ensemble, Blend):
        ways = (f"{part.name} {describe_way(part)}" for part in ensemble.parts)
        return "; ".join(ways)
    if ensemble.method == "patches":
        return "patch by patch, as asked"
    obstacles = "; ".join(ensemble.plan.obstacles)
    if not ensemble.plan.is_partly_dense:
        return f"patch by patch: {obstacles}"
    if obstacles:
        return f"by dense passes as far as they are exact: {obstacles}"
    return "by dense passes, which are exact: no operation pads with zeros"


def _check_built(dataset: BuiltDataset, model: Model) -> None:
    """Raise DatasetError where what a model reads was described after the build."""
    names = [v.name for v in model.experiment.inputs]
    lacking = [name for name in names if name not in dataset.resolutions]
    if lacking:
        message = (
            f"{dataset.folder}: holds no tiles of {', '.join(lacking)}, which the "
            f"model {model.experiment.model_name!r} reads. Must hold them. Run 'ginv "
            "build-dataset'."
        )
        raise DatasetError(message)


def _warn_of_changes(
    experiment: Experiment | Application,
    ensemble: Ensemble,
    dataset: BuiltDataset,
    workspace: Workspace,
) -> None:
    """Say what is not as it was when a model was trained."""
    model = ensemble.model
    if isinstance(experiment, Application) or ensemble.folder != workspace.model(
        experiment.model_name
    ):
        description = experiment.dataset_description
        for warning in find_other_sources(
            ensemble.name, model, description, dataset.units
        ):
            logger.warning("%s", warning)
        return
    differing = find_changed_keys(model, experiment, dataset)
    if differing:
        logger.warning(
            "%s: was trained with other values of: %s. It is used as it was trained",
            ensemble.name,
            ", ".join(differing),
        )
