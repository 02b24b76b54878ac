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
    TrainingCost,
)
from glacier_inversion.checking.survey import Survey, survey_data
from glacier_inversion.errors import ExperimentError, ModelError
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.workspace import Workspace

if TYPE_CHECKING:
    from glacier_inversion.training.cost import Cost


def check(
    experiment: Experiment,
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

    problems = [*survey.problems, *_find_unusable_models(experiment, workspace)]
    try:
        cost = measure_cost(experiment)
    except ExperimentError as error:
        problems.append(f"{where}: {error}")
        cost = None
    return CheckReport(
        problems=problems,
        warnings=[*warnings, *survey.warnings],
        outlines=survey.outlines,
        splits=survey.splits,
        rasters=survey.rasters,
        leaks=survey.leaks,
        samples=survey.samples,
        features=survey.features,
        network=_describe_network(experiment, cost),
        train=_describe_training(experiment, survey, cost),
        draw=_describe_drawing(experiment, survey, cost),
    )


def _find_unusable_models(experiment: Experiment, workspace: Workspace) -> list[str]:
    """Say which models to be drawn are neither there nor trained by this, or broken."""
    from glacier_inversion.training.model.model import (  # noqa: PLC0415  torch
        find_unusable_members,
        read_model,
    )

    problems = []
    for name in experiment.drawing_description.models:
        folder = workspace.model(name)
        if name == experiment.model_name and not (folder / "model.json").exists():
            continue
        try:
            model = read_model(folder)
            problems += find_unusable_members(folder, model)
        except ModelError as error:
            problems.append(str(error))
    return problems


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
    if survey.samples.train is None:
        return report
    samples = survey.samples.train, survey.samples.validation or 0
    n_points = sum(n or 0 for n in survey.samples.points.values())
    return replace(
        report,
        seconds_per_epoch=cost.epoch_seconds(*samples),
        seconds=cost.training_seconds(experiment, *samples),
        memory_bytes=cost.training_bytes(experiment, survey.training_bounds, n_points),
    )


def _describe_drawing(
    experiment: Experiment, survey: Survey, cost: Cost | None
) -> DrawingCost:
    report = DrawingCost(survey.n_drawn_features, survey.n_drawn)
    if cost is None:
        return report
    n_drawn = survey.n_drawn
    return replace(
        report,
        seconds_per_pixel=cost.drawing_seconds(experiment, 1),
        seconds=None if n_drawn is None else cost.drawing_seconds(experiment, n_drawn),
        memory_bytes=cost.drawing_bytes(experiment),
    )
