"""Train an experiment's ensemble on its dataset."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from glacier_inversion.choices import DeviceName
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.grid import Bounds
from glacier_inversion.machine.available_memory import available_bytes
from glacier_inversion.machine.interrupts import postponing
from glacier_inversion.patches.sampling import spacing_of
from glacier_inversion.progress import Progress, Silent
from glacier_inversion.sharing.shards import find_hands
from glacier_inversion.state_files import digest_of
from glacier_inversion.training.cost import measure_cost
from glacier_inversion.training.engine import check_network, train_members
from glacier_inversion.training.member_tasks import train_members_together
from glacier_inversion.training.model.model import training_part
from glacier_inversion.training.needed_memory import (
    estimate_memory,
    find_lack_in_training,
)
from glacier_inversion.training.network.devices import Device, open_device
from glacier_inversion.workspace import SPLITS, Workspace

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingReport:
    """
    What was trained, now or before.

    Attributes
    ----------
    folder : Path
        The model's.
    members : list of Path
        The folders of the members asked for that are part of the ensemble.
    """

    folder: Path
    members: list[Path]


def train(
    experiment: Experiment,
    workspace: Workspace,
    *,
    seeds: list[int] | None = None,
    overwrite: bool = False,
    jobs: int | None = 1,
    device: DeviceName = "auto",
    tensorboard: bool = False,
    shard: str | None = None,
    scheduler: str | None = None,
    progress: Progress | None = None,
) -> TrainingReport:
    """
    Train the members that are not finished, on the dataset that was built.

    The same experiment, data, seed and machine give the same weights on the processor,
    bit for bit. What was trained is kept whenever training ends, and the next call goes
    on from there. Where it will take more memory than may be used, this is warned of.

    Parameters
    ----------
    seeds : list of int, optional
        A subset of the experiment's; default all.
    overwrite : bool
        Remove the model that is there and start anew.
    jobs : int or None
        Members that are trained at the same time, each by a process on one thread; None
        is what is estimated to end soonest. See `engine.train_members`.
    device : {"auto", "cpu", "cuda"}
        "auto" is the GPU if there is one.
    tensorboard : bool
        Write the losses and metrics for TensorBoard, too; not where members are shared.
    shard : str, optional
        Such as "1/4": share the members with other calls that do so, on any machine.
        Each trains *jobs* of them at a time, by default one on each core. The last of
        them finishes the model.
    scheduler : str, optional
        Address of a Dask scheduler, "tcp://HOST:8786", whose workers train.

    Raises
    ------
    ExperimentError
        The network does not fit together.
    DatasetError
        The dataset is not built, or does not give what training needs; or that of
        extra_training.
    ModelError
        A model of this name was trained from another experiment or dataset.
    DeviceError
        There is no such device, its memory does not suffice, or it fails.
    TrainingError
        Members could not be trained, or none of the networks learns; the others were
        trained.
    StoppedError
        It was stopped by a signal.
    WorkspaceError
        The model cannot be written, or another command is training it.
    LeftToOthersError
        Other shards finish the model, or have finished it.
    """
    # the engine knows arrays only: here alone it meets the room that reads rasters
    with postponing():  # half an import leaves libraries broken
        from glacier_inversion.dataset.opened import open_dataset  # noqa: PLC0415
        from glacier_inversion.dataset.training_tiles import (  # noqa: PLC0415
            digest_of_training,
            open_extra_of,
            read_training_tiles,
        )

    progress = progress or Silent()
    opened = open_device(device)  # before data are read: it may not be there
    check_network(experiment)
    n_jobs = opened.trainers(jobs)
    hands, workspace = find_hands(shard, scheduler, n_jobs, workspace)
    dataset = open_dataset(experiment, workspace)
    features = [f for split in SPLITS if split != "test" for f in dataset.select(split)]
    bounds = [dataset.grid(f, experiment.finest_resolution).bounds for f in features]
    extra = open_extra_of(dataset, experiment, lambda _: None)
    if extra is not None:
        finest = experiment.finest_resolution
        bounds += [extra.grid(f, finest).bounds for f in extra.select("train")]
    _warn_of_memory(experiment, bounds, opened)
    folder = workspace.model(experiment.model_name)
    if hands is not None:
        content = training_part(experiment), experiment.seeds_number
        trained_on = digest_of_training(dataset, experiment)
        members = train_members_together(
            experiment,
            lambda: read_training_tiles(dataset, experiment, progress),
            folder,
            hands,
            digest_of([content, trained_on, seeds, overwrite]),
            seeds=seeds,
            overwrite=overwrite,
            progress=progress,
            device=device,
            test_features=dataset.select("test"),
            units=dataset.units,
        )
        return TrainingReport(folder, members)
    members = train_members(
        experiment,
        read_training_tiles(dataset, experiment, progress),
        folder,
        seeds=seeds,
        overwrite=overwrite,
        jobs=jobs,
        progress=progress,
        tensorboard=tensorboard,
        device=opened,
        test_features=dataset.select("test"),
        units=dataset.units,
    )
    return TrainingReport(folder, members)


def _warn_of_memory(
    experiment: Experiment, bounds: Sequence[Bounds], device: Device
) -> None:
    """
    Warn where the processor's memory is too small, before data are read.

    How many points and samples there are is not known yet, but how many there may be at
    most, and so what a batch holds.
    """
    n_bytes = 0
    if not device.is_gpu:
        area = sum(
            (right - left) * (top - bottom) for left, bottom, right, top in bounds
        )
        n_most = math.ceil(area / spacing_of(experiment) ** 2)
        n_bytes = measure_cost(experiment).network_bytes(n_most)
    needed = estimate_memory(experiment, bounds, 0, 0, n_bytes).least
    for warning in find_lack_in_training(needed, available_bytes()):
        logger.warning("%s: %s", experiment.model_name, warning)
