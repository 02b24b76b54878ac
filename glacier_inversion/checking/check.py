"""Check an experiment: all that can be said of it before work starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from glacier_inversion.checking.survey import Survey, survey_data
from glacier_inversion.errors import ExperimentError, ModelError
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.workspace import Workspace

if TYPE_CHECKING:
    from glacier_inversion.training.cost import Cost


def check(
    experiment: Experiment, workspace: Workspace, where: str, warnings: list[str]
) -> dict[str, Any]:
    """
    Survey the data, build the network, and estimate what the commands will cost.

    Nothing is written, and nothing that is missing keeps the rest from being told: what
    is not known is None.

    Parameters
    ----------
    where : str
        What messages call the experiment.
    warnings : list of str
        What is odd about the experiment file.

    Returns
    -------
    report : dict
        What JSON can hold: ``problems``, which would stop a command, and ``warnings``,
        each in that command's words; ``outlines``, ``rasters``, ``splits``, ``leaks``,
        ``samples``, ``features``; ``network``, ``train`` and ``draw``.
    """
    survey = survey_data(experiment, workspace)
    # not in a thread meanwhile, which was measured: importing holds the interpreter
    from glacier_inversion.training.cost import measure_cost  # noqa: PLC0415  torch

    problems = [*survey.problems, *_find_unusable_models(experiment, workspace)]
    report: dict[str, Any] = {
        "problems": problems,
        "warnings": [*warnings, *survey.warnings],
        **survey.report,
    }
    try:
        cost = measure_cost(experiment)
    except ExperimentError as error:
        problems.append(f"{where}: {error}")
        cost = None
    report["network"] = _describe_network(experiment, cost)
    report["train"] = _describe_training(experiment, survey, cost)
    report["draw"] = _describe_drawing(experiment, survey, cost)
    return report


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
            problems += find_unusable_members(workspace, name, model)
        except ModelError as error:
            problems.append(str(error))
    return problems


def _describe_network(experiment: Experiment, cost: Cost | None) -> dict[str, Any]:
    """
    Return the table of the network.

    The shape of an operation is that of what comes out of it for one sample, without
    the batch; a list of shapes where several tensors do.
    """
    rows = [] if cost is None else cost.table
    return {
        "architecture": experiment.model_architecture,
        "parameters": None if cost is None else cost.parameters,
        "multiply_adds": None if cost is None else cost.multiply_adds,
        "operations": [
            {
                "name": row.name,
                "shape": [
                    *(row.shapes[0] if len(row.shapes) == 1 else map(list, row.shapes))
                ],
                "parameters": row.parameters,
                "multiply_adds": row.multiply_adds,
            }
            for row in rows
        ],
    }


def _describe_training(
    experiment: Experiment, survey: Survey, cost: Cost | None
) -> dict[str, Any]:
    n_train, n_validation = survey.n_samples["train"], survey.n_samples["validation"]
    row: dict[str, Any] = {
        "seeds": experiment.seeds_number,
        "epochs": experiment.epochs,
        "seconds_per_sample": None if cost is None else cost.train_seconds,
        "seconds_per_epoch": None,
        "seconds": None,
        "network_bytes": None if cost is None else cost.network_bytes(),
        "memory_bytes": None,
    }
    if cost is not None and n_train is not None:
        samples = n_train, n_validation or 0
        n_points = sum(n or 0 for n in survey.n_points.values())
        row["seconds_per_epoch"] = cost.epoch_seconds(*samples)
        row["seconds"] = cost.training_seconds(experiment, *samples)
        row["memory_bytes"] = cost.training_bytes(experiment, survey.bounds, n_points)
    return row


def _describe_drawing(
    experiment: Experiment, survey: Survey, cost: Cost | None
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "features": survey.n_drawn_features,
        "pixels": survey.n_drawn,
        "seconds_per_pixel": None,
        "seconds": None,
        "memory_bytes": None,
    }
    if cost is not None:
        row["seconds_per_pixel"] = cost.drawing_seconds(experiment, 1)
        row["memory_bytes"] = cost.drawing_bytes(experiment)
        if survey.n_drawn is not None:
            row["seconds"] = cost.drawing_seconds(experiment, survey.n_drawn)
    return row
