"""Check an experiment: all that can be said of it before work starts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from glacier_inversion.checking.empty_maps import find_empty_maps
from glacier_inversion.checking.kept_results import (
    find_lacking,
    find_other_model,
    find_outdated,
    read_built,
)
from glacier_inversion.checking.memory import find_lacking_memory
from glacier_inversion.checking.mixed_in import survey_extra, with_mixed_in
from glacier_inversion.checking.report import (
    CheckReport,
    DrawingCost,
    NetworkReport,
    OperationReport,
    RasterReport,
    TrainingCost,
)
from glacier_inversion.checking.survey import Survey, survey_data
from glacier_inversion.dataset.extra_training import ExtraSize
from glacier_inversion.dataset.plan import (
    find_small_buffer,
)
from glacier_inversion.errors import (
    ExperimentError,
    name_some,
)
from glacier_inversion.experiment.application import Application
from glacier_inversion.experiment.beds import Bed, find_bed_problems
from glacier_inversion.experiment.evaluation import find_other_units
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.experiment.extra_training import n_mixed_in
from glacier_inversion.machine.available_memory import available_bytes
from glacier_inversion.training.needed_memory import estimate_memory
from glacier_inversion.workspace import Workspace, last_part

if TYPE_CHECKING:
    from glacier_inversion.training.cost import Cost
    from glacier_inversion.training.model.model import Model

Splits = dict[str, list[str]] | None
"""The features of each split that a model remembers."""


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
    from glacier_inversion.drawing.checked_models import (  # noqa: PLC0415  torch
        open_models,
    )
    from glacier_inversion.training.cost import measure_cost  # noqa: PLC0415  torch

    problems, beside = [*survey.problems], [*warnings, *survey.warnings]
    summary = read_built(survey.plan, beside)
    if summary is not None:
        outdated = find_outdated(survey.plan)
        beside += outdated or find_lacking(survey.plan, summary)
        summary = None if outdated else summary
    rasters = survey.plan.rasters
    units = {name: rasters.unit(name) for name in rasters.usable}
    models = open_models(experiment, workspace, problems, beside, units)
    beside += _find_read_only(experiment, workspace)
    description = experiment.drawing_description
    if description.models and not (description.features or description.profiles):
        beside.append("drawing_description: names no feature and no profile")
    networks = [(model.experiment, model.splits) for model in models.values()]
    if isinstance(experiment, Experiment):
        problems += find_other_model(experiment, survey.plan, summary, workspace)
        own = models.get(experiment.model_name)
        networks = [(experiment, own.splits if own is not None else None)]
        beside += find_other_units(experiment.evaluation_description, units)
    else:
        for trained, _ in networks:
            beside += find_small_buffer(experiment.dataset_description, trained)
    problems += _find_bed_problems(experiment, survey, [*models.values()])
    extra = survey_extra(experiment, survey.plan, workspace, problems, beside)
    find_empty_maps(
        experiment.drawing_description,
        survey.plan,
        _find_drawn(experiment, survey, models),
        problems,
        beside,
    )
    drawn = []
    for trained, splits in networks:
        try:
            cost = measure_cost(trained)
        except ExperimentError as error:
            problems.append(f"{where}: {error}")
            cost = None
        features = _features_of(experiment, survey, splits)
        drawn.append((trained, features, cost))
    network = training = None
    if isinstance(experiment, Experiment):
        network = _describe_network(experiment, cost)
        training = _describe_training(experiment, survey, cost, extra)
    drawing = _describe_drawing(experiment, survey, drawn)
    beside += find_lacking_memory(training, drawing, available_bytes())
    return CheckReport(
        problems=list(dict.fromkeys(problems)),
        warnings=list(dict.fromkeys(beside)),
        outlines=survey.outlines,
        splits=survey.splits,
        rasters=[
            _with_role(raster, networks, experiment.drawing_description.bed)
            for raster in survey.rasters
        ],
        leaks=survey.leaks,
        samples=with_mixed_in(experiment, survey.samples),
        features=survey.features,
        network=network,
        train=training,
        draw=drawing,
    )


def _find_read_only(
    experiment: Experiment | Application, workspace: Workspace
) -> list[str]:
    """Say where commands could not write; which of them are to run is not known."""
    drawing = experiment.drawing_description
    drawn = drawing.models if drawing.blend is None else [drawing.blend]
    own = [workspace.dataset(experiment.dataset_description.dataset_name)]
    if isinstance(experiment, Experiment):
        name = experiment.model_name
        own += [workspace.model(name), workspace.evaluations(name, "test").parent]
    own += [workspace.drawings(last_part(place)) for place in drawn]
    names = workspace.find_read_only(dict.fromkeys(own))
    if not names:
        return []
    return [
        f"{workspace.root}: nothing may be written in {name_some(names)}. Commands "
        "that do so will stop. Change its permissions, or choose another workspace"
    ]


def _with_role(
    raster: RasterReport, networks: list[tuple[Experiment, Splits]], bed: Bed | None
) -> RasterReport:
    """Say what a raster is to the networks, or to the bed."""
    if any(v.name == raster.name for network, _ in networks for v in network.outputs):
        return replace(raster, role="output")
    if any(v.name == raster.name for network, _ in networks for v in network.inputs):
        return replace(raster, role="input")
    if bed is not None and raster.name == bed.surface:
        return replace(raster, role="surface")
    return raster


def _find_bed_problems(
    experiment: Experiment | Application, survey: Survey, models: list[Model]
) -> list[str]:
    """Return what keeps the bed from being drawn with the models, each once."""
    bed = experiment.drawing_description.bed
    if bed is None:
        return []
    found = {raster.name: raster.unit for raster in survey.rasters if raster.unit}
    problems = []
    if isinstance(experiment, Experiment):
        outputs = [output.name for output in experiment.outputs]
        problems += find_bed_problems(bed, "the experiment", outputs, found)
    for model in models:
        outputs = [output.name for output in model.experiment.outputs]
        whose = f"the model {model.experiment.model_name!r}"
        problems += find_bed_problems(bed, whose, outputs, {**model.units, **found})
    return list(dict.fromkeys(problems))


def _find_drawn(
    experiment: Experiment | Application, survey: Survey, models: Mapping[str, Model]
) -> list[tuple[Experiment, list[str] | None]]:
    """Return the networks that are drawn, trained ones and the own, and of what."""
    drawn = [(model.experiment, model.splits) for model in models.values()]
    if isinstance(experiment, Experiment):
        name = experiment.model_name
        if name in experiment.drawing_description.models and name not in models:
            drawn.append((experiment, None))
    return [
        (trained, _features_of(experiment, survey, splits)) for trained, splits in drawn
    ]


def _features_of(
    experiment: Experiment | Application, survey: Survey, splits: Splits
) -> list[str] | None:
    """Return the features that a model draws: a split is the one that it remembers."""
    wanted = experiment.drawing_description.features
    if splits is None or not isinstance(wanted, str) or wanted not in splits:
        return survey.drawn
    return [f for f in splits[wanted] if f in survey.plan.ownership.bounds]


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
    experiment: Experiment, survey: Survey, cost: Cost | None, extra: ExtraSize | None
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
    n_train = counted.train + n_mixed_in(experiment, counted.train)
    samples = n_train, counted.validation or 0
    extra = extra or ExtraSize([], 0, 0)
    memory = estimate_memory(
        experiment,
        [*survey.training_bounds, *extra.bounds],
        sum(n or 0 for n in counted.points.values()) + extra.n_points,
        counted.train + (counted.validation or 0) + extra.n_cells,
        cost.network_bytes(n_train),
    )
    return replace(
        report,
        seconds_per_epoch=cost.epoch_seconds(*samples),
        seconds=cost.training_seconds(experiment, *samples),
        memory_bytes=memory.peak,
        least_memory_bytes=memory.least,
        file_bytes=memory.in_files,
    )


def _describe_drawing(
    experiment: Experiment | Application,
    survey: Survey,
    drawn: list[tuple[Experiment, list[str] | None, Cost | None]],
) -> DrawingCost:
    """Add up what the networks take that are drawn, each with its own patch."""
    known = [features for _, features, _ in drawn if features is not None]
    if not known or len(known) < len(drawn):
        n_features = n_pixels = None
    else:
        n_features = len(set().union(*known))
        n_pixels = sum(
            survey.count_pixels(
                features or [],
                experiment.drawing_description,
                trained.finest_resolution,
                trained.window_px,
            )
            for trained, features, _ in drawn
        )
    report = DrawingCost(n_features, n_pixels)
    costs = [(trained, cost) for trained, _, cost in drawn if cost is not None]
    if len(costs) < len(drawn) or not costs:
        return report
    # of one pixel, which of several networks each draws
    per_pixel = sum(cost.drawing_seconds(trained, 1) for trained, cost in costs)
    seconds = None
    if n_pixels is not None:
        seconds = per_pixel * n_pixels / len(costs)
    memory = max(cost.drawing_bytes(trained) for trained, cost in costs)
    return replace(
        report, seconds_per_pixel=per_pixel, seconds=seconds, memory_bytes=memory
    )
