"""The engine: train the members of an ensemble, what is finished kept."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import get_args

import torch

from glacier_inversion.errors import (
    ModelError,
    StoppedError,
    TrainingError,
    WorkspaceError,
)
from glacier_inversion.executors import available_cores
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.files import remove, working_in
from glacier_inversion.interrupts import heeding_signals
from glacier_inversion.patches.tiles import Tiles
from glacier_inversion.progress import Progress, Silent, two_digits
from glacier_inversion.training.batches import make_batches
from glacier_inversion.training.cost import measure_cost
from glacier_inversion.training.curves import draw_training_curves
from glacier_inversion.training.data import TrainingData
from glacier_inversion.training.model.applicability import APPLICABILITY
from glacier_inversion.training.model.calibration_file import CALIBRATION
from glacier_inversion.training.model.logs import read_logs
from glacier_inversion.training.model.members import (
    MemberState,
    member_folders,
    member_state,
    read_failure,
)
from glacier_inversion.training.model.model import (
    Model,
    find_unusable_members,
    read_model,
    write_model,
)
from glacier_inversion.training.network.devices import CPU, Device, watching_gpu
from glacier_inversion.training.network.network import Network
from glacier_inversion.training.samples_on_disk import samples_on_disk
from glacier_inversion.training.stacked import train_together
from glacier_inversion.training.training_points import keep_training_points
from glacier_inversion.training.watch import Watch
from glacier_inversion.training.workers import best_number, train_side_by_side
from glacier_inversion.workspace import member_path

logger = logging.getLogger(__name__)

# What lies beside members.
_FILES = "tensorboard", "status.json", "training_curves.png", "model.json"
# Weights, gradients and activations of a member that is trained with others lie in
# memory once more, stacked.
_COPIES = 2


def check_network(experiment: Experiment) -> Network:
    """Build the network before data are read; ExperimentError if it does not fit."""
    with torch.random.fork_rng(devices=[]):
        network = Network(experiment)
    make_batches(experiment, network)
    return network


def train_members(
    experiment: Experiment,
    tiles: Mapping[str, Iterable[Tiles]],
    folder: Path,
    *,
    seeds: list[int] | None = None,
    overwrite: bool = False,
    jobs: int | None = 1,
    progress: Progress | None = None,
    tensorboard: bool = False,
    device: Device = CPU,
    test_features: Collection[str] = (),
    units: Mapping[str, str | None] | None = None,
) -> list[Path]:
    """
    Train the members that are not finished.

    Members whose network does not learn are warned of, and are no part of the ensemble.
    In the main thread the first SIGINT, SIGTERM or SIGHUP ends training between two
    steps, with all that was trained kept.

    Parameters
    ----------
    tiles : mapping of iterables of Tiles
        Of the splits 'train' and 'validation'. Each is taken once, in order: those that
        are read as they are asked for need not lie in memory together.
    folder : Path
        The model's.
    seeds : list of int, optional
        A subset of the experiment's; default all.
    overwrite : bool
        Remove the model that is there and start anew.
    jobs : int or None
        Members that are trained at the same time, each by a process on one thread; the
        weights do not depend on it. None: what is estimated to end soonest. Processes
        import the main module again, which must bear that, as commands do. On a GPU:
        the members of a group, whose weights depend on it by rounding; None: as many
        as its memory holds.
    tensorboard : bool
        Write the losses and metrics for TensorBoard, too.
    device : Device
    test_features : collection of str
        Those that are kept for the test, which the model remembers.
    units : mapping of str or None
        Of the rasters, likewise.

    Returns
    -------
    folders : list of Path
        Of the members asked for that are part of the ensemble.

    Raises
    ------
    ExperimentError
        The network does not fit together.
    DatasetError
        The dataset does not give what training needs.
    ModelError
        A model of this name was trained from another experiment or dataset.
    DeviceError
        The GPU's memory does not suffice, or it fails.
    PackageError
        TensorBoard is not installed.
    TrainingError
        Members could not be trained, or none of the networks learns; the others were
        trained.
    StoppedError
        It was stopped by a signal.
    WorkspaceError
        The model cannot be written, or another command is training it.
    """
    every = range(experiment.seeds_number)
    seeds = list(every) if seeds is None else seeds
    if not seeds or not set(seeds) <= set(every):
        message = f"Invalid seeds {seeds}. Must be some of 0 to {len(every) - 1}."
        raise ValueError(message)
    if jobs is not None and jobs < 1:
        message = f"Invalid jobs {jobs}. Must be 1 at least, or None."
        raise ValueError(message)
    check_network(experiment)
    watch = Watch(experiment, folder, progress or Silent(), tensorboard)
    with (
        working_in(folder, "training"),
        samples_on_disk(experiment, tiles, folder, test_features, units) as data,
    ):
        logger.info(
            "%d training and %d validation samples an epoch, from %d and %d points",
            len(data.train),
            len(data.validation),
            len(data.train.points),
            len(data.validation.points),
        )
        model = data.model(experiment)
        _claim(model, folder, overwrite)
        keep_training_points(data.train, folder, model)
        if problems := find_unusable_members(folder, model):
            raise ModelError("\n".join(problems))
        folders = {seed: member_path(folder, seed) for seed in seeds}
        states = _sort_by_state(folders)
        for seed in states["failed"]:
            reason = read_failure(folders[seed])
            logger.warning("seed %d failed in an earlier run: %s", seed, reason)
        if states["finished"]:
            logger.info("%d members are finished: kept", len(states["finished"]))
        unfinished = sorted(states["interrupted"] + states["waiting"])
        todo = {seed: folders[seed] for seed in unfinished}
        try:
            _train_unfinished(experiment, data, todo, jobs, device, folder, watch)
        except StoppedError as error:
            _draw_curves(experiment, folder)
            n_finished = len(_sort_by_state(folders)["finished"])
            message = (
                f"{folder}: stopped, {n_finished} of {len(seeds)} members finished. "
                "What was trained is kept. Run it again to go on."
            )
            raise StoppedError(message) from error
        finally:
            watch.close()
        _draw_curves(experiment, folder)
        del data  # before its files are removed
    return _finished(folder, folders)


def _finished(folder: Path, members: Mapping[int, Path]) -> list[Path]:
    """Return the members that are finished, and say what became of the others."""
    states = _sort_by_state(members)
    finished, failed = states["finished"], states["failed"]
    n_other = len(states["interrupted"]) + len(states["waiting"])
    if n_other:
        message = (
            f"{folder}: {n_other} of {len(members)} members could not be trained. Must "
            "all be finished. Mend what is said above and run it again: it goes on "
            "where it was."
        )
        raise TrainingError(message)
    if failed:
        logger.warning(
            "%d of %d members are no part of the ensemble: seeds %s",
            len(failed),
            len(members),
            failed,
        )
    if not finished:
        message = (
            f"{folder}: none of the members learns: seeds {failed}. Must be one at "
            "least. Change what is said above, and start anew with --overwrite."
        )
        raise TrainingError(message)
    return [members[seed] for seed in finished]


def _sort_by_state(members: Mapping[int, Path]) -> dict[MemberState, list[int]]:
    """Return the seeds of the members in each state."""
    states: dict[MemberState, list[int]] = {
        state: [] for state in get_args(MemberState)
    }
    for seed, member in members.items():
        states[member_state(member)].append(seed)
    return states


def _train_unfinished(
    experiment: Experiment,
    data: TrainingData,
    todo: dict[int, Path],
    jobs: int | None,
    device: Device,
    folder: Path,
    watch: Watch,
) -> None:
    """Train members: on the GPU together, else in this process or in several."""
    on_gpu = device.torch_device.type == "cuda"
    number = _number_on_gpu if on_gpu else _number_of_jobs
    n_jobs = number(experiment, data, len(todo), jobs, device)
    if n_jobs > 1:
        logger.info("training %d members at a time", n_jobs)
    watch.start(len(todo), n_jobs)
    with heeding_signals() as stop:
        if n_jobs > 1 and not on_gpu:
            train_side_by_side(experiment, folder, todo, n_jobs, stop, watch)
        else:
            with watching_gpu(_need(data, 0)):
                data = data.to(device.torch_device)
            with watching_gpu(_need(data, n_jobs)):
                train_together(experiment, data, todo, n_jobs, stop, watch)


def _need(data: TrainingData, n_at_once: int) -> str:
    """Say what the GPU's memory must hold, and what to do where it does not."""
    size = two_digits(max((data.train.nbytes + data.validation.nbytes) / 1e6, 1))
    samples = f"Must hold the samples, {size} MB"
    if n_at_once == 0:
        return f"{samples}. Stop what else it computes, or say --device cpu."
    members, fewer = "one member", ""
    if n_at_once > 1:
        members, fewer = f"{n_at_once} members", f"--jobs {n_at_once // 2} or "
    return (
        f"{samples}, and a step of {members}. Say {fewer}--device cpu, and it goes on "
        "where it was; or lower batch_size, and start anew with --overwrite."
    )


def _draw_curves(experiment: Experiment, folder: Path) -> None:
    """Draw the curves of the members that are finished or in training."""
    members = (member_path(folder, s) for s in range(experiment.seeds_number))
    criterion = experiment.best_by
    shown = (member for member in members if member_state(member) != "failed")
    logs = read_logs(shown, criterion.column)
    if not logs:
        return
    best = {
        seed: epoch
        for seed, log in logs.items()
        if (epoch := criterion.best_epoch(log[criterion.column])) is not None
    }
    path = folder / "training_curves.png"
    try:
        draw_training_curves(path, folder.name, logs, criterion.column, best)
    except WorkspaceError as error:
        logger.warning("%s", error)


def _number_of_jobs(
    experiment: Experiment,
    data: TrainingData,
    n_members: int,
    jobs: int | None,
    device: Device,  # noqa: ARG001  the processor's
) -> int:
    n_most = min(n_members, available_cores() if jobs is None else jobs)
    if n_most > 1 and jobs is None:
        cost = measure_cost(experiment)
        seconds = cost.epoch_seconds(len(data.train), len(data.validation))
        n_most = best_number(n_members, n_most, seconds * experiment.epochs)
    return max(n_most, 1)


def _number_on_gpu(
    experiment: Experiment,
    data: TrainingData,
    n_members: int,
    jobs: int | None,
    device: Device,
) -> int:
    """Return how many members the GPU's memory holds, or what is asked for."""
    if jobs is None:
        n_bytes = measure_cost(experiment).network_bytes()
        left = device.most_bytes - data.train.nbytes - data.validation.nbytes
        jobs = max(1, int(left // (_COPIES * n_bytes)))
    return max(1, min(n_members, jobs))


def _claim(model: Model, folder: Path, overwrite: bool) -> None:
    """Make *folder* the model's own, or refuse a folder that is another's."""
    if overwrite:
        _remove(folder)
    if member_folders(folder) and not (folder / "model.json").exists():
        message = (
            f"{folder}: holds members but no model.json, which says what they were "
            "trained from. Restore it, or start anew with --overwrite."
        )
        raise ModelError(message)
    if (folder / "model.json").exists():
        there = read_model(folder)
        differing = there.differing(model)
        if differing:
            message = (
                f"{folder}: was trained with other values of: {', '.join(differing)}. "
                "Must not be mixed. Choose another model_name, take the change back, "
                "or start anew with --overwrite."
            )
            raise ModelError(message)
        is_same = (there.splits, there.units) == (model.splits, model.units)
        if is_same and there.experiment.seeds_number == model.experiment.seeds_number:
            return
    write_model(model, folder)


def _remove(folder: Path) -> None:
    """Remove a model's members and what says what they are."""
    members = member_folders(folder).values()
    remove(*members, *(folder / name for name in (*_FILES, CALIBRATION, APPLICABILITY)))
