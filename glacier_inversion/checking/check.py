"""Check an experiment: all that can be said of it before work starts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from glacier_inversion.checking.report import (
    CheckReport,
    DrawingCost,
    NetworkReport,
    OperationReport,
    RasterReport,
    TrainingCost,
)
from glacier_inversion.checking.survey import Survey, survey_data
from glacier_inversion.dataset.plan import check_serves, find_small_buffer
from glacier_inversion.errors import DatasetError, ExperimentError, ModelError
from glacier_inversion.experiment.application import Application
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.workspace import Workspace

if TYPE_CHECKING:
    from glacier_inversion.training.cost import Cost


def check(
    experiment: Experiment | Application,
    workspace: Workspace,
    *,
    where: str = "experiment",
    warnings: Iterable[str] = (),
) -> CheckReport:
    """
    Survey the data, build the network, and estimate what the commands will cost.

    Nothing is written, and nothing that is missing keeps the rest from being told: what
    is not known is None.

    Parameters
    ----------
    where : str
        What messages call the experiment, such as its file.
    warnings : iterable of str
        What is odd about the experiment's file, to be told with the rest.

    Returns
    -------
    report : CheckReport
    """
    survey = survey_data(experiment, workspace)
    # not in a thread meanwhile, which was measured: importing holds the interpreter
    from glacier_inversion.training.cost import measure_cost  # noqa: PLC0415  torch

    problems = [*survey.problems]
    models = _open_models(experiment, workspace, problems)
    beside = [*warnings, *survey.warnings]
    network = training = None
    costs = []
    if isinstance(experiment, Experiment):
        models = [experiment]
    else:
        for trained in models:
            beside += find_small_buffer(experiment.dataset_description, trained)
    for trained in models:
        try:
            costs.append((trained, measure_cost(trained)))
        except ExperimentError as error:
            problems.append(f"{where}: {error}")
    if isinstance(experiment, Experiment):
        cost = costs[0][1] if costs else None
        network = _describe_network(experiment, cost)
        training = _describe_training(experiment, survey, cost)
    return CheckReport(
        problems=problems,
        warnings=list(dict.fromkeys(beside)),
        outlines=survey.outlines,
        splits=survey.splits,
        rasters=[_with_role(raster, models) for raster in survey.rasters],
        leaks=survey.leaks,
        samples=survey.samples,
        features=survey.features,
        network=network,
        train=training,
        draw=_describe_drawing(experiment, survey, costs),
    )


def _with_role(raster: RasterReport, models: list[Experiment]) -> RasterReport:
    """Say what a raster is to the networks."""
    if any(v.name == raster.name for model in models for v in model.outputs):
        return replace(raster, role="output")
    if any(v.name == raster.name for model in models for v in model.inputs):
        return replace(raster, role="input")
    return raster


def _open_models(
    experiment: Experiment | Application, workspace: Workspace, problems: list[str]
) -> list[Experiment]:
    """
    Return the experiments of the models to be drawn, and note what is wrong with them.

    Those that are neither there nor trained by this, or broken, or that read what the
    dataset will not have.
    """
    from glacier_inversion.training.model.model import (  # noqa: PLC0415  torch
        find_unusable_members,
        read_model,
    )

    own = experiment.model_name if isinstance(experiment, Experiment) else None
    found = []
    for name in experiment.drawing_description.models:
        folder = workspace.model(name)
        if name == own and not (folder / "model.json").exists():
            continue
        try:
            model = read_model(folder)
            problems += find_unusable_members(folder, model)
            if name != own:
                check_serves(experiment.dataset_description, model.experiment)
            found.append(model.experiment)
        except (DatasetError, ModelError) as error:
            problems.append(str(error))
    return found


def _describe_network(experiment: Experiment, cost: Cost | None) -> NetworkReport:
    if cost is None:
        return NetworkReport(experiment.model_architecture, None, None, [])
    operations = [
        OperationReport(
            name=row.name,
            shape=list(
                row.shapes[0] if len(row.shapes) == 1 else map(list, row.shapes)
            ),
            parameters=row.parameters,
            multiply_adds=row.multiply_adds,
        )
        for row in cost.table
    ]
    return NetworkReport(
        experiment.model_architecture, cost.parameters, cost.multiply_adds, operations
    )


def _describe_training(
    experiment: Experiment, survey: Survey, cost: Cost | None
) -> TrainingCost:
    report = TrainingCost(experiment.seeds_number, experiment.epochs)
    if cost is None:
        return report
    report = replace(
        report,
        seconds_per_sample=cost.train_seconds,
        network_bytes=cost.network_bytes(),
    )
    counted = survey.samples
    if counted is None or counted.train is None:
        return report
    samples = counted.train, counted.validation or 0
    n_points = sum(n or 0 for n in counted.points.values())
    return replace(
        report,
        seconds_per_epoch=cost.epoch_seconds(*samples),
        seconds=cost.training_seconds(experiment, *samples),
        memory_bytes=cost.training_bytes(experiment, survey.training_bounds, n_points),
    )


def _describe_drawing(
    experiment: Experiment | Application,
    survey: Survey,
    costs: list[tuple[Experiment, Cost]],
) -> DrawingCost:
    """Add up what the networks take that are drawn, each with its own patch."""
    n_features = None if survey.drawn is None else len(survey.drawn)
    report = DrawingCost(n_features, None)
    n_pixels, seconds, per_pixel, memory = 0, 0.0, 0.0, 0
    for trained, cost in costs:
        n = survey.count_pixels(
            experiment.drawing_description, trained.finest_resolution, trained.window_px
        )
        n_pixels += n or 0
        seconds += cost.drawing_seconds(trained, n or 0)
        per_pixel += cost.drawing_seconds(trained, 1)
        memory = max(memory, cost.drawing_bytes(trained))
    if not costs:
        return report
    if n_features is None:
        return replace(report, seconds_per_pixel=per_pixel, memory_bytes=memory)
    return DrawingCost(n_features, n_pixels, per_pixel, seconds, memory)
