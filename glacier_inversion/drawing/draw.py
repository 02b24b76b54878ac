"""Draw: every member of an ensemble over features and along profiles."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from glacier_inversion.choices import DeviceName, DrawingMethod
from glacier_inversion.dataset.profile_lines import (
    find_stray_profiles,
    read_profiles,
)
from glacier_inversion.drawing.maps import lay_map
from glacier_inversion.drawing.model_drawing import draw_model
from glacier_inversion.drawing.models import (
    features_of,
    open_ensembles,
)
from glacier_inversion.drawing.planning import open_drawn_dataset
from glacier_inversion.errors import (
    DatasetError,
    LeftToOthersError,
    ModelError,
)
from glacier_inversion.experiment.application import Application
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.progress import Progress, Silent
from glacier_inversion.sharing.executors import check_jobs
from glacier_inversion.sharing.shards import find_hands
from glacier_inversion.training.network.devices import Device, open_device
from glacier_inversion.workspace import Workspace

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DrawingReport:
    """
    What was drawn, and what could not be.

    Attributes
    ----------
    written : list of Path
        Maps that were kept, too.
    failures : dict of str
        Why features and profiles could not be drawn, by name.
    """

    written: list[Path]
    failures: dict[str, str]


def draw(
    experiment: Experiment | Application,
    workspace: Workspace,
    *,
    method: DrawingMethod = "auto",
    device: DeviceName | Device = "auto",
    jobs: int | None = None,
    shard: str | None = None,
    scheduler: str | None = None,
    progress: Progress | None = None,
) -> DrawingReport:
    """
    Draw what the experiment's drawing description names.

    For every model, feature, output and statistic a Cloud-Optimized GeoTIFF whose pixel
    centres are the points of the lattice; for every model, profile and output a CSV
    file and a picture. A bed has maps and pictures as an output has; its numbers along
    profiles are in the CSV file of its thickness. NaN, or an empty field, where a
    window reaches beyond its tile, where inputs are not valid enough, and outside the
    outline if it clips; in a bed also where its surface is not known. Uncertainty and
    the bounds of intervals follow from the calibration that `crossval` keeps with a
    model; an output that it does not hold is drawn without them, which is warned of.
    Pictures of profiles show them wherever it can be used, and the uncertainty of the
    volumes of thicknesses does. Noise follows from the variances that members predict,
    if their losses learn any, and applicability from what the model was trained on; if
    much of what is drawn is unlike all of that, a warning says so in any case. The
    tables of holes and of volumes tell of the features of this run, and of those that
    earlier runs drew, as long as they would be drawn alike now. Memory is bounded by
    blocks. Tags of a map say how it came about; drawn again, its bytes are the same. So
    maps are kept that an earlier run drew alike.

    A feature that fails is logged, and the others go on; the report names it. That it
    has no tiles, or that nothing of it could be drawn, is a failure, too.

    Parameters
    ----------
    method : {"auto", "dense", "patches"}
        How points are evaluated; see `training.network.predict`. The numbers are the
        same within rounding.
    device : {"auto", "cpu", "cuda"} or Device
        "auto" is the GPU if there is one.
    jobs : int or None
        Features drawn at the same time, each by a process of its own on its share of
        the cores; None, and on a GPU: one. The maps do not depend on it. Processes
        import the main module again: call this under ``if __name__ == "__main__":``.
    shard : str, optional
        Such as "1/4": share the features with other calls that do so, on any machine.
        The last of them draws profiles, and writes what shows the maps together.
    scheduler : str, optional
        Address of a Dask scheduler, "tcp://HOST:8786", whose workers draw the features.

    Raises
    ------
    DatasetError
        The dataset is not built, or was built from another description.
    ModelError, ExperimentError
        Features, models or profiles do not exist or do not fit, a model lacks the
        calibration or the noise that is to be drawn, or the method is not exact, all of
        them named; nothing is drawn then.
    DeviceError
        The GPU fails, or its memory does not suffice even for small blocks.
    WorkspaceError
        Drawings cannot be written, or another command is drawing them.
    LeftToOthersError
        Other shards finish the drawings, or have finished them.
    GlacierInversionError
        No process is left that could begin.
    """
    if method not in get_args(DrawingMethod):
        message = (
            f"Invalid method {method!r}. Must be one of {get_args(DrawingMethod)}."
        )
        raise ValueError(message)
    check_jobs(jobs)
    device = open_device(device)  # before data are read: it may not be there
    n_jobs = device.jobs(jobs)
    hands, workspace = find_hands(shard, scheduler, n_jobs, workspace)
    progress = progress or Silent()
    description = experiment.drawing_description
    dataset = open_drawn_dataset(experiment, workspace)
    problems: list[str] = []
    named: list[str] = []
    try:
        named = dataset.select(description.features)
    except DatasetError as error:
        problems.append(str(error))
    lines = read_profiles(experiment, workspace, problems)
    ensembles = open_ensembles(experiment, dataset, workspace, method, device, problems)
    if problems:
        raise ModelError("\n".join(dict.fromkeys(problems)))
    extents = {
        ensemble.name: [
            lay_map(experiment, ensemble, dataset, feature, description.clip_to_outline)
            for feature in features_of(ensemble, dataset, description.features, named)
        ]
        for ensemble in ensembles
    }
    failures = dataset.find_failed(description.features)
    for feature, why in failures.items():
        logger.error("%s: %s", feature, why)
    if lines:
        drawable = {feature: dataset.outlines[feature] for feature in dataset.rows}
        for stray in find_stray_profiles(lines, drawable):
            logger.warning("%s", stray)
    laid = [extent for of_model in extents.values() for extent in of_model]
    if not laid and not failures and not description.profiles:
        logger.warning("drawing_description: names no feature and no profile")
    n_blocks = sum(len(extent.blocks(device.block_px)) for extent in laid)
    n_steps = n_blocks + len(lines) * len(ensembles)
    progress.start("drawing", n_steps, "block")
    written: list[Path] = []
    left: list[LeftToOthersError] = []
    for ensemble in ensembles:
        try:
            written += draw_model(
                experiment,
                workspace,
                ensemble,
                dataset,
                extents[ensemble.name],
                lines,
                hands,
                1 if hands is not None else n_jobs,
                failures,
                progress,
            )
        except LeftToOthersError as error:
            left.append(error)
    if left and len(left) == len(ensembles):
        raise left[0]
    for by_others in left:  # beside what this command has finished, and reports
        logger.info("%s", by_others)
    return DrawingReport(written, failures)
