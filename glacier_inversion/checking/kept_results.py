"""What a workspace holds already: an outdated dataset, a model of another kind."""

from __future__ import annotations

from glacier_inversion.checking.missing_tiles import describe_missing
from glacier_inversion.dataset.changes import find_changes
from glacier_inversion.dataset.opened import built_from
from glacier_inversion.dataset.plan import DatasetPlan
from glacier_inversion.dataset.recorded_sources import (
    explain_changes,
    record_sources,
)
from glacier_inversion.dataset.splits import find_splits
from glacier_inversion.dataset.summary import SUMMARY, Summary, read_summary
from glacier_inversion.errors import DatasetError, ModelError, name_some
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.workspace import Workspace


def read_built(plan: DatasetPlan, warnings: list[str]) -> Summary | None:
    """Return the summary of the dataset, if it is built; note why it cannot be read."""
    if plan.problems or not (plan.folder / SUMMARY).exists():
        return None
    try:
        return read_summary(plan.folder)
    except DatasetError as error:
        warnings.append(str(error))
        return None


def find_outdated(plan: DatasetPlan) -> list[str]:
    """Say what of a dataset that is built would be made anew."""
    try:
        record = record_sources(plan.rasters, plan.folder)
        reasons = explain_changes(plan.folder, record)
    except DatasetError as error:  # of a newer version
        return [str(error)]
    return [
        f"{plan.folder}: was built {reason.format(name_some(names))}. Run 'ginv "
        "build-dataset'"
        for reason, names in reasons.items()
        if names
    ]


def find_lacking(plan: DatasetPlan, summary: Summary) -> list[str]:
    """Say which tiles of a dataset are lost, and which features could not be made."""
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
    """
    Say what keeps more members from being trained into the experiment's model.

    Parameters
    ----------
    summary : Summary, optional
        Of the dataset, where it is as it would be built now.
    """
    from glacier_inversion.drawing.model_changes import (  # noqa: PLC0415  torch
        find_changed_keys,
    )
    from glacier_inversion.training.ensemble_folder import (  # noqa: PLC0415  torch
        describe_differing,
        describe_orphans,
    )
    from glacier_inversion.training.model.model import (  # noqa: PLC0415  torch
        read_model,
    )

    folder = workspace.model(experiment.model_name)
    if not (folder / "model.json").exists():
        message = describe_orphans(folder)
        return [] if message is None else [message]
    dataset = None
    fieldname = plan.description.shapefile_fieldname
    if summary is not None and not find_changes(summary, fieldname, experiment):
        columns = {outline.feature: outline.columns for outline in plan.outlines}
        shapefile = workspace.data(plan.description.shapefile_file)
        splits = find_splits(experiment, shapefile, columns)
        dataset = built_from(plan.folder, summary, splits)
    try:
        differing = find_changed_keys(read_model(folder), experiment, dataset)
    except ModelError as error:
        return [str(error)]
    return [describe_differing(folder, differing)] if differing else []
