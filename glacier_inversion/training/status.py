"""How far the members of a model are."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from statistics import mean
from typing import Literal

from glacier_inversion.errors import ModelError
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.locks import is_locked
from glacier_inversion.progress import duration
from glacier_inversion.sharing.attempts import names_at_work
from glacier_inversion.training.member_tasks import member_task
from glacier_inversion.training.model.logs import read_logs
from glacier_inversion.training.model.members import member_state
from glacier_inversion.training.model.model import read_model
from glacier_inversion.training.watch import STATUS, read_last_run
from glacier_inversion.workspace import Workspace

State = Literal["finished", "training", "interrupted", "failed", "waiting"]


@dataclass(frozen=True)
class MemberStatus:
    """
    How far a member is.

    Attributes
    ----------
    seed : int
    state : {"finished", "training", "interrupted", "failed", "waiting"}
        Failed members do not learn; interrupted ones go on when they are trained again.
    n_epochs : int
    criterion : float
        Of the best epoch, NaN if there is none.
    best_epoch : int or None
    learning_rate : float
        Of the last epoch, NaN if there is none.
    seconds : float or None
        Of an epoch, on average in the last run.
    """

    seed: int
    state: State
    n_epochs: int
    criterion: float
    best_epoch: int | None
    learning_rate: float
    seconds: float | None


@dataclass(frozen=True)
class Status:
    """
    How far a model is.

    Attributes
    ----------
    is_running : bool
        A command is training it.
    members : list of MemberStatus
        All of the experiment's.
    seconds_left : float or None
        Of training all epochs of all members, as in the last run; less where members
        stop early.
    """

    is_running: bool
    members: list[MemberStatus]
    seconds_left: float | None


def read_status(experiment: Experiment, workspace: Workspace) -> Status:
    """
    Look how far the members of an experiment's model are.

    Raises
    ------
    ModelError
        There is no such model, or it was trained from another experiment.
    """
    name = experiment.model_name
    folder = workspace.model(name)
    there = read_model(folder)
    differing = there.differing(replace(there, experiment=experiment))
    if differing:
        message = (
            f"{folder}: was trained with other values of: {', '.join(differing)}. Must "
            "be the same for its state to be told. Take the change back, or name the "
            "model that you mean."
        )
        raise ModelError(message)
    run = read_last_run(folder / STATUS)
    is_running = is_locked(folder)
    in_hand, n_at_once = set(run.training), run.jobs
    tasks = {member_task(seed): seed for seed in range(experiment.seeds_number)}
    shared = names_at_work(folder, list(tasks)) if is_running else None
    if shared is not None:  # else one command says in its file what it is at
        in_hand, n_at_once = {tasks[name] for name in shared}, len(shared)
    folders = [workspace.member(name, s) for s in range(experiment.seeds_number)]
    best_by = experiment.best_by
    logs = read_logs(folders, best_by.column)
    members = []
    for seed, member in enumerate(folders):
        state: State = member_state(member)
        if is_running and seed in in_hand and state in ("interrupted", "waiting"):
            state = "training"
        criterion, rate, best, n_epochs = math.nan, math.nan, None, 0
        if seed in logs:
            log = logs[seed]
            values = log[best_by.column]
            rate, n_epochs = float(log["learning_rate"][-1]), len(values)
            best = best_by.best_epoch(values)
            criterion = math.nan if best is None else float(values[best])
        time = run.seconds.get(seed)
        members.append(MemberStatus(seed, state, n_epochs, criterion, best, rate, time))
    left = [
        max(0, experiment.epochs - m.n_epochs)
        for m in members
        if m.state not in ("finished", "failed")
    ]
    seconds_left = None
    if run.seconds:
        seconds_left = _longest(left, n_at_once) * mean(run.seconds.values())
    return Status(is_running, members, seconds_left)


def _longest(works: list[int], n_workers: int) -> int:
    """
    Return the work of the busiest worker, each work given to the least busy one.

    >>> _longest([5, 3, 3], 2), _longest([4], 8), _longest([], 2)
    (6, 4, 0)
    """
    loads = [0] * max(1, min(n_workers, len(works)))
    for work in sorted(works, reverse=True):
        loads[loads.index(min(loads))] += work
    return max(loads)


def format_status(experiment: Experiment, status: Status) -> str:
    """Write a line for each member, and what is left."""
    of = experiment.epochs
    heads = "seed", "state", "epochs", experiment.criterion, "at", "rate", "an epoch"
    rows = [heads]
    for m in status.members:
        best = "-" if m.best_epoch is None else str(m.best_epoch)
        values = (
            "-" if math.isnan(v) else f"{v:.4g}" for v in (m.criterion, m.learning_rate)
        )
        criterion, rate = values
        time = "-" if m.seconds is None else duration(m.seconds)
        rows.append(
            (str(m.seed), m.state, f"{m.n_epochs}/{of}", criterion, best, rate, time)
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    ]
    n_finished = sum(m.state == "finished" for m in status.members)
    n_left = sum(m.state not in ("finished", "failed") for m in status.members)
    last = f"{n_finished} of {len(rows) - 1} members finished"
    last += ", a command is training" if status.is_running else ""
    if n_left:
        last += f"; {duration(status.seconds_left)} left at most"
    return "\n".join([*lines, last + "."])
