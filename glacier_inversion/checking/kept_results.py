"""What a workspace holds already: an outdated dataset, a model of another kind."""

from __future__ import annotations

from dataclasses import replace

from glacier_inversion.checking.missing_tiles import describe_missing
from glacier_inversion.dataset.plan import DatasetPlan
from glacier_inversion.dataset.recorded_sources import (
    explain_changes,
    record_sources,
)
from glacier_inversion.dataset.summary import SUMMARY, Summary, read_summary
from glacier_inversion.errors import DatasetError, ModelError, name_some
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.workspace import SPLITS, Workspace


def read_built(plan: DatasetPlan, warnings: list[str]) -> Summary | None:
    """Return the summary of the dataset, if it is built; note why it cannot be read."""
    if plan.problems or not (plan.folder / SUMMARY).exists():
        return None
    try:
        return read_summary(plan.folder)
    except DatasetError as error:
        warnings.append(str(error))
        return None


def find_outdated(plan: DatasetPlan, summary: Summary) -> list[str]:
    """Say what of the dataset would be made anew, and what could not be made."""
    try:
        record = record_sources(plan.rasters, plan.folder)
        reasons = explain_changes(plan.folder, record)
    except DatasetError as error:  # of a newer version
        return [str(error)]
    outdated = [
        f"{plan.folder}: was built {reason.format(name_some(names))}. Run 'ginv "
        "build-dataset'"
        for reason, names in reasons.items()
        if names
    ]
    if outdated:
        return outdated
    bounds = plan.ownership.bounds
    failed = {
        row.feature: row.problem for row in summary.failed if row.feature in bounds
    }
    rasters = [raster.name for raster in plan.description.rasters]
    features = [feature for feature in bounds if feature not in failed]
    missing = describe_missing(plan.folder, features, rasters)
    said = [] if missing is None else [missing]
    if failed:
        problem = next(iter(failed.values()))
        said.append(
            f"{plan.folder}: {name_some([*failed])} could not be built. The first: "
            f"{problem} Mend it, and run 'ginv build-dataset'"
        )
    return said


def find_other_model(
    experiment: Experiment,
    plan: DatasetPlan,
    summary: Summary | None,
    workspace: Workspace,
) -> list[str]:
    """Say what keeps more members from being trained, as far as is seen at once."""
    from glacier_inversion.training.ensemble_folder import (  # noqa: PLC0415  torch
        describe_differing,
    )
    from glacier_inversion.training.model.model import (  # noqa: PLC0415  torch
        read_model,
    )

    folder = workspace.model(experiment.model_name)
    if not (folder / "model.json").exists():
        return []
    splits = None
    if summary is not None:
        built = {row.feature for row in summary.features}
        splits = {
            split: [
                feature
                for feature, own in plan.ownership.splits.items()
                if own == split and feature in built
            ]
            for split in SPLITS
        }
    try:
        there = read_model(folder)
        # what is fitted to the tiles is taken as it is there: they are not read
        now = replace(there, experiment=experiment, splits=splits or there.splits)
        differing = there.differing(now)
    except ModelError as error:
        return [str(error)]
    return [describe_differing(folder, differing)] if differing else []
