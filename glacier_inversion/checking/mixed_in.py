"""What is mixed into training from another dataset, as far as it is there."""

from __future__ import annotations

from dataclasses import replace

from glacier_inversion.checking.missing_tiles import describe_missing
from glacier_inversion.checking.report import SamplesReport
from glacier_inversion.dataset.extra_training import (
    ExtraSize,
    estimate_extra,
    open_extra,
)
from glacier_inversion.dataset.plan import DatasetPlan
from glacier_inversion.errors import DatasetError
from glacier_inversion.experiment.application import Application
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.experiment.extra_training import n_mixed_in
from glacier_inversion.patches.sampling import describe_none_to_mix_in
from glacier_inversion.workspace import Workspace


def survey_extra(
    experiment: Experiment | Application,
    plan: DatasetPlan,
    workspace: Workspace,
    problems: list[str],
    warnings: list[str],
) -> ExtraSize | None:
    """
    Estimate how much of the extra dataset training will read.

    None where there is none, and where it cannot be used: *problems* says why then.
    """
    if isinstance(experiment, Application) or experiment.extra_training is None:
        return None
    units = {name: plan.rasters.unit(name) for name in plan.rasters.usable}
    try:
        extra = open_extra(
            experiment, workspace, plan.ownership, units, warnings.append
        )
    except DatasetError as error:
        problems.append(str(error))
        return None
    if extra is None:
        return None
    variables = [variable.name for variable in experiment.variables()]
    missing = describe_missing(extra.folder, extra.select("train"), variables)
    if missing is not None:
        problems.append(f"extra_training.dataset: {missing} with its own file")
    size = estimate_extra(experiment, extra)
    if size.n_points == 0:
        name, n_features = extra.folder.name, len(size.bounds)
        problems.append(describe_none_to_mix_in(name, n_features))
        return None
    return size


def with_mixed_in(
    experiment: Experiment | Application, samples: SamplesReport | None
) -> SamplesReport | None:
    """Say how many samples are mixed in, too, where those of an epoch are told."""
    if samples is None or isinstance(experiment, Application):
        return samples
    n_train = samples.train
    n = None if n_train is None else n_mixed_in(experiment, n_train)
    return replace(samples, mixed_in=n)
