"""A model's folder as training has it: whose it is, and how far its members are."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import get_args

from glacier_inversion.errors import ModelError, TrainingError, WorkspaceError
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.experiment.extra_training import n_mixed_in
from glacier_inversion.files import remove
from glacier_inversion.locks import writing_alone
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
from glacier_inversion.training.training_points import keep_training_points
from glacier_inversion.workspace import member_path

logger = logging.getLogger(__name__)

# What lies beside members.
_FILES = "tensorboard", "status.json", "training_curves.png", "model.json"


def check_seeds(experiment: Experiment, seeds: list[int] | None) -> list[int]:
    """Return the seeds that are meant; ValueError if they are not the experiment's."""
    every = range(experiment.seeds_number)
    seeds = list(every) if seeds is None else seeds
    if not seeds or not set(seeds) <= set(every):
        message = f"Invalid seeds {seeds}. Must be some of 0 to {len(every) - 1}."
        raise ValueError(message)
    return seeds


def refuse_others(model: Model, folder: Path) -> None:
    """
    Check that members of a model may join what is in a folder; nothing is changed.

    Raises
    ------
    ModelError
        It is another model's, or holds weights that are not those of this one.
    """
    if (message := describe_orphans(folder)) is not None:
        raise ModelError(message)
    if (folder / "model.json").exists():
        differing = read_model(folder).differing(model)
        if differing:
            raise ModelError(describe_differing(folder, differing))
    problems = find_unusable_members(folder, model)
    if problems:
        raise ModelError("\n".join(problems))


def refuse_other_experiment(experiment: Experiment, folder: Path) -> None:
    """Refuse as `refuse_others` does, but by the experiment alone: no data are read."""
    if (folder / "model.json").exists():
        there = read_model(folder)
        differing = there.differing(replace(there, experiment=experiment))
        if differing:
            raise ModelError(describe_differing(folder, differing))


@contextmanager
def claiming(
    model: Model, data: TrainingData, folder: Path, overwrite: bool
) -> Iterator[None]:
    """
    Make a folder that this process holds alone the model's own, and write in it.

    Raises
    ------
    ModelError
        As from `refuse_others`; nothing is changed then.
    WorkspaceError
        It cannot be written.
    """
    if not overwrite:
        refuse_others(model, folder)
    with writing_alone(folder):
        claim(model, data, folder, overwrite)
        yield


def claim(model: Model, data: TrainingData, folder: Path, overwrite: bool) -> None:
    """
    Make a folder the model's own, with what it is trained on.

    Parameters
    ----------
    overwrite : bool
        Remove what is there; else it has passed `refuse_others`.

    Raises
    ------
    WorkspaceError
        It cannot be written.
    """
    if overwrite:
        remove_model(folder)
    logger.info(
        "%d training and %d validation samples an epoch, from %d and %d points",
        len(data.train),
        len(data.validation),
        len(data.train.points),
        len(data.validation.points),
    )
    if data.extra is not None and model.experiment.extra_training:
        logger.info(
            "%d samples of %s are mixed in an epoch, from %d points of %d features",
            n_mixed_in(model.experiment, len(data.train)),
            model.experiment.extra_training.dataset,
            len(data.extra.points),
            len(data.extra_features),
        )
    _write_if_other(model, folder)
    keep_training_points(data.train, folder, model)


def _write_if_other(model: Model, folder: Path) -> None:
    """Write model.json, unless it says the same."""
    if (folder / "model.json").exists():
        there = read_model(folder)
        is_same = (there.splits, there.units) == (model.splits, model.units)
        if is_same and there.experiment.seeds_number == model.experiment.seeds_number:
            return
    write_model(model, folder)


def describe_orphans(folder: Path) -> str | None:
    """Say that members lie in a folder without what says whose they are, if so."""
    if (folder / "model.json").exists() or not member_folders(folder):
        return None
    return (
        f"{folder}: holds members but no model.json, which says what they were trained "
        "from. Restore it, or start anew with --overwrite."
    )


def describe_differing(folder: Path, differing: Sequence[str]) -> str:
    """Say that members of what a model is now may not join those that are there."""
    return (
        f"{folder}: was trained with other values of: {', '.join(differing)}. Must not "
        "be mixed. Choose another model_name, take the change back, or start anew with "
        "--overwrite."
    )


def remove_model(folder: Path) -> None:
    """Remove a model's members and what says what they are."""
    members = member_folders(folder).values()
    remove(*members, *(folder / name for name in (*_FILES, CALIBRATION, APPLICABILITY)))


def tell_of_kept(members: Mapping[int, Path]) -> None:
    """Say of members, by seed, what earlier runs have made of them."""
    states = sort_by_state(members)
    for seed in states["failed"]:
        reason = read_failure(members[seed])
        logger.warning("seed %d failed in an earlier run: %s", seed, reason)
    if states["finished"]:
        logger.info("%d members are finished: kept", len(states["finished"]))


def check_ended(folder: Path, members: Mapping[int, Path]) -> None:
    """
    Check that members have been trained, or do not learn.

    Raises
    ------
    TrainingError
        Some have not.
    """
    states = sort_by_state(members)
    n_other = len(states["interrupted"]) + len(states["waiting"])
    if n_other:
        message = (
            f"{folder}: {n_other} of {len(members)} members could not be trained. Must "
            "all be finished. Mend what is said above and run it again: it goes on "
            "where it was."
        )
        raise TrainingError(message)


def find_finished(folder: Path, members: Mapping[int, Path]) -> list[Path]:
    """
    Return the members that are finished, and say which do not learn.

    Raises
    ------
    TrainingError
        Some have not ended, or none learns.
    """
    check_ended(folder, members)
    states = sort_by_state(members)
    finished, failed = states["finished"], states["failed"]
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


def sort_by_state(members: Mapping[int, Path]) -> dict[MemberState, list[int]]:
    """Return the seeds of the members in each state."""
    states: dict[MemberState, list[int]] = {
        state: [] for state in get_args(MemberState)
    }
    for seed, member in members.items():
        states[member_state(member)].append(seed)
    return states


def draw_curves(experiment: Experiment, folder: Path) -> None:
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
