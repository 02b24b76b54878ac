"""The engine: train the members of an ensemble, what is finished kept."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import torch

from glacier_inversion.errors import StoppedError
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.experiment.extra_training import n_mixed_in
from glacier_inversion.locks import locked
from glacier_inversion.machine.cores import available_cores
from glacier_inversion.machine.interrupts import heeding_signals
from glacier_inversion.patches.tiles import Tiles
from glacier_inversion.progress import Progress, Silent, two_digits
from glacier_inversion.sharing.executors import check_jobs
from glacier_inversion.training.batches import make_batches
from glacier_inversion.training.cost import measure_cost
from glacier_inversion.training.data import TrainingData
from glacier_inversion.training.ensemble_folder import (
    check_seeds,
    claiming,
    draw_curves,
    find_finished,
    sort_by_state,
    tell_of_kept,
)
from glacier_inversion.training.network.devices import CPU, Device, watching_gpu
from glacier_inversion.training.network.network import Network
from glacier_inversion.training.samples_on_disk import samples_on_disk
from glacier_inversion.training.stacked import train_stacked
from glacier_inversion.training.watch import Watch
from glacier_inversion.training.workers import best_number, train_side_by_side
from glacier_inversion.workspace import member_path

logger = logging.getLogger(__name__)

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
        Of the splits 'train' and 'validation', and 'extra', as `prepare` takes them.
        Each is taken once, in order: those that are read as they are asked for need not
        lie in memory together.
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
    seeds = check_seeds(experiment, seeds)
    check_jobs(jobs)
    check_network(experiment)
    watch = Watch(experiment, folder, progress or Silent(), tensorboard)
    with (
        locked(folder, "training"),
        samples_on_disk(experiment, tiles, folder, test_features, units) as data,
        claiming(data.model(experiment), data, folder, overwrite),
    ):
        folders = {seed: member_path(folder, seed) for seed in seeds}
        states = sort_by_state(folders)
        tell_of_kept(folders)
        unfinished = sorted(states["interrupted"] + states["waiting"])
        todo = {seed: folders[seed] for seed in unfinished}
        try:
            _train_unfinished(experiment, data, todo, jobs, device, folder, watch)
        except StoppedError as error:
            draw_curves(experiment, folder)
            n_finished = len(sort_by_state(folders)["finished"])
            message = (
                f"{folder}: stopped, {n_finished} of {len(seeds)} members finished. "
                "What was trained is kept. Run it again to go on."
            )
            raise StoppedError(message) from error
        finally:
            watch.close()
        draw_curves(experiment, folder)
        del data  # before its files are removed
    return find_finished(folder, folders)


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
    if device.is_gpu:
        n_jobs = _number_on_gpu(experiment, data, len(todo), jobs, device)
    else:
        n_jobs = _number_of_jobs(experiment, data, len(todo), jobs)
    if n_jobs > 1:
        logger.info("training %d members at a time", n_jobs)
    watch.start(len(todo), n_jobs)
    with heeding_signals() as stop:
        if n_jobs > 1 and not device.is_gpu:
            train_side_by_side(experiment, folder, todo, n_jobs, stop, watch)
        else:
            with watching_gpu(_need(data, 0)):
                data = data.to(device.torch_device)
            with watching_gpu(_need(data, n_jobs)):
                train_stacked(experiment, data, todo, n_jobs, stop, watch)


def _need(data: TrainingData, n_at_once: int) -> str:
    """Say what the GPU's memory must hold, and what to do where it does not."""
    size = two_digits(max(data.nbytes / 1e6, 1))
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


def _number_of_jobs(
    experiment: Experiment, data: TrainingData, n_members: int, jobs: int | None
) -> int:
    """Return how many members processes of the machine train, as is asked or best."""
    n_most = min(n_members, available_cores() if jobs is None else jobs)
    if n_most > 1 and jobs is None:
        cost = measure_cost(experiment)
        n_train = len(data.train)
        n_train += n_mixed_in(experiment, n_train)
        seconds = cost.epoch_seconds(n_train, len(data.validation))
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
        left = device.most_bytes - data.nbytes
        jobs = max(1, int(left // (_COPIES * n_bytes)))
    return max(1, min(n_members, jobs))
