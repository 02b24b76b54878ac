"""Train an ensemble: one member per seed, what is finished kept."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import torch

from glacier_inversion.errors import (
    ModelError,
    TrainingError,
    WorkspaceError,
)
from glacier_inversion.experiment import Experiment
from glacier_inversion.lattices import Layout, to_lattice
from glacier_inversion.patches import Samples
from glacier_inversion.progress import Progress, Silent
from glacier_inversion.sampling import check_targets, spacing_of
from glacier_inversion.tiles import Tiles, contents
from glacier_inversion.training.batches import make_batches
from glacier_inversion.training.cost import measure_cost
from glacier_inversion.training.losses import score
from glacier_inversion.training.member import (
    TrainingData,
    is_finished,
    train_member,
)
from glacier_inversion.training.model import Model, read_model, write_model
from glacier_inversion.training.network import Network
from glacier_inversion.training.normalization import fit_input_scales, fit_target_scales
from glacier_inversion.training.tally import Log, criterion_column, criterion_of
from glacier_inversion.training.workers import (
    available_cores,
    best_number,
    train_side_by_side,
)
from glacier_inversion.training_curves import draw_training_curves, read_logs
from glacier_inversion.workspace import Workspace, locked

logger = logging.getLogger(__name__)


def check_network(experiment: Experiment) -> Network:
    """Build the network before data are read; ExperimentError if it does not fit."""
    with torch.random.fork_rng(devices=[]):
        network = Network(experiment)
    make_batches(experiment, network)
    return network


def prepare(experiment: Experiment, tiles: Mapping[str, list[Tiles]]) -> TrainingData:
    """
    Make the samples and the normalisation that every member is trained with.

    Parameters
    ----------
    tiles : mapping of lists of Tiles
        Of the splits 'train' and 'validation'.

    Raises
    ------
    DatasetError
        There are no training samples; no validation samples, with a criterion that
        needs them; or unknown targets, with a loss or metric that needs them all.
    """
    layout = Layout.of(experiment)
    spacing = spacing_of(experiment)
    scales = fit_input_scales(experiment, tiles["train"])
    samples = {
        split: Samples([to_lattice(t, layout) for t in part], layout, scales, spacing)
        for split, part in tiles.items()
    }
    scales |= fit_target_scales(experiment, samples["train"])
    check_targets(
        experiment,
        {split: part.targets.numpy() for split, part in samples.items()},
        {split: len(part) for split, part in tiles.items()},
        logger.warning,
    )
    return TrainingData(samples["train"], samples["validation"], scales)


def train(
    experiment: Experiment,
    tiles: Mapping[str, list[Tiles]],
    workspace: Workspace,
    seeds: list[int] | None = None,
    overwrite: bool = False,
    jobs: int | None = 1,
    progress: Progress | None = None,
) -> list[Path]:
    """
    Train the members that are not finished.

    Parameters
    ----------
    tiles : mapping of lists of Tiles
        Of the splits 'train' and 'validation'.
    seeds : list of int, optional
        A subset of the experiment's; default all.
    overwrite : bool
        Remove the model that is there and start anew.
    jobs : int or None
        Members that are trained at the same time, each by a process on one thread; the
        weights do not depend on it. None: what is estimated to end soonest. Processes
        import the main module again, which must bear that, as commands do.

    Returns
    -------
    folders : list of Path
        Of all the members asked for, each finished.

    Raises
    ------
    ExperimentError
        The network does not fit together.
    DatasetError
        The dataset does not give what training needs.
    ModelError
        A model of this name was trained from another experiment or dataset.
    TrainingError
        Members failed; the others were trained.
    WorkspaceError
        The model cannot be written, or another command is training it.
    """
    progress = progress or Silent()
    seeds = list(range(experiment.seeds_number)) if seeds is None else seeds
    check_network(experiment)
    data = prepare(experiment, tiles)
    logger.info(
        "%d training and %d validation samples an epoch, from %d and %d points",
        len(data.train),
        len(data.validation),
        len(data.train.points),
        len(data.validation.points),
    )
    folder = workspace.model(experiment.model_name)
    with locked(folder, "training"):
        read = contents(part for parts in tiles.values() for part in parts)
        _claim(Model(experiment, dict(data.scales), read), folder, overwrite)
        folders = [workspace.member(experiment.model_name, seed) for seed in seeds]
        todo = {
            seed: member
            for seed, member in zip(seeds, folders, strict=True)
            if not is_finished(member)
        }
        if len(todo) < len(seeds):
            logger.info("%d members are finished: kept", len(seeds) - len(todo))
        failed = _train_members(experiment, data, todo, jobs, folder, progress)
        _draw_curves(experiment, workspace)
    if failed:
        message = (
            f"{folder}: {len(failed)} of {len(seeds)} members failed: seeds {failed}. "
            "Must end with a finite loss. Mend what is logged above and run it again."
        )
        raise TrainingError(message)
    return folders


def _train_members(
    experiment: Experiment,
    data: TrainingData,
    todo: dict[int, Path],
    jobs: int | None,
    folder: Path,
    progress: Progress,
) -> list[int]:
    """Train members and return the seeds of those that failed."""
    failed: list[int] = []
    n_epochs = dict.fromkeys(todo, 0)

    def on_epoch(seed: int, log: Log) -> None:
        n_epochs[seed] += 1
        value = criterion_of(experiment, log)
        progress.advance(f"seed {seed} {experiment.criterion} {value:.4g}")

    def on_end(seed: int, failure: str | None) -> None:
        if failure is not None:
            logger.error("%s", failure)
            failed.append(seed)
        for _ in range(experiment.epochs - n_epochs[seed]):
            progress.advance()  # early stopping

    scratch = folder / "samples.pt"
    scratch.unlink(missing_ok=True)  # of a run that was killed
    n_jobs = _number_of_jobs(experiment, data, len(todo), jobs)
    progress.start(len(todo) * experiment.epochs, "epoch")
    if n_jobs > 1:
        train_side_by_side(experiment, data, todo, n_jobs, scratch, on_epoch, on_end)
        return sorted(failed)
    for seed, member in todo.items():
        failure = None
        try:
            train_member(experiment, data, seed, member, partial(on_epoch, seed))
        except TrainingError as error:
            failure = str(error)
        on_end(seed, failure)
    return failed


def _draw_curves(experiment: Experiment, workspace: Workspace) -> None:
    """Draw the curves of all members that have a log."""
    name = experiment.model_name
    logs = read_logs(workspace, name)
    if not logs:
        return
    column = criterion_column(experiment, next(iter(logs.values())))
    best = {}
    for seed, log in logs.items():
        scores = [score(experiment.criterion, value) for value in log[column]]
        best[seed] = scores.index(min(scores))
    path = workspace.model(name) / "training_curves.png"
    draw_training_curves(path, name, logs, column, best)


def _number_of_jobs(
    experiment: Experiment, data: TrainingData, n_members: int, jobs: int | None
) -> int:
    n_most = min(n_members, jobs or available_cores())
    if n_most > 1 and jobs is None:
        cost = measure_cost(experiment)
        seconds = cost.epoch_seconds(len(data.train), len(data.validation))
        n_most = best_number(n_members, n_most, seconds * experiment.epochs)
    if n_most > 1:
        logger.info("training %d members at a time", n_most)
    return n_most


def _claim(model: Model, folder: Path, overwrite: bool) -> None:
    """Make *folder* the model's own, or refuse a folder that is another's."""
    if overwrite:
        _remove(folder)
    has_members = any(path.name.startswith("seed_") for path in folder.iterdir())
    if has_members and not (folder / "model.json").exists():
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
        if there.experiment.seeds_number == model.experiment.seeds_number:
            return
    write_model(model, folder)


def _remove(folder: Path) -> None:
    """Remove a model's members and what says what they are."""
    try:
        for path in folder.glob("seed_*/"):
            if path.is_dir():
                shutil.rmtree(path)
        (folder / "model.json").unlink(missing_ok=True)
    except OSError as error:
        message = (
            f"{folder}: cannot be removed ({error.strerror}). Must be yours to change "
            "for --overwrite. Change its permissions, or choose another model_name."
        )
        raise WorkspaceError(message) from error
