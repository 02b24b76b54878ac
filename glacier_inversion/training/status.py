"""How far the members of a model are."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Literal

from glacier_inversion.errors import ModelError, nearest
from glacier_inversion.experiment import Experiment
from glacier_inversion.progress import duration
from glacier_inversion.training.losses import score
from glacier_inversion.training.member import has_failed, is_finished
from glacier_inversion.training.tally import criterion_column
from glacier_inversion.training.watch import STATUS
from glacier_inversion.training_curves import read_logs
from glacier_inversion.workspace import Workspace, is_locked

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
        There is no such model.
    """
    name = experiment.model_name
    folder = workspace.model(name)
    if not folder.is_dir():
        known = [path.name for path in folder.parent.glob("*/")]
        message = f"{folder}: is no model. {nearest(name, known)} Train it first."
        raise ModelError(message)
    n_jobs, in_hand, seconds = _read_last_run(folder / STATUS)
    is_running = is_locked(folder)
    folders = [workspace.member(name, s) for s in range(experiment.seeds_number)]
    logs = read_logs(folders)
    members = []
    for seed, member in enumerate(folders):
        state: State = "waiting"
        if has_failed(member):
            state = "failed"
        elif is_finished(member):
            state = "finished"
        elif is_running and seed in in_hand:
            state = "training"
        elif seed in logs:
            state = "waiting" if is_running else "interrupted"
        criterion, rate, best, n_epochs = math.nan, math.nan, None, 0
        if seed in logs:
            log = logs[seed]
            values = log[criterion_column(experiment, log)]
            scores = [score(experiment.criterion, value) for value in values]
            best = scores.index(min(scores))
            criterion, rate = float(values[best]), float(log["learning_rate"][-1])
            n_epochs = len(values)
        time = seconds.get(seed)
        members.append(MemberStatus(seed, state, n_epochs, criterion, best, rate, time))
    n_left = sum(
        experiment.epochs - m.n_epochs
        for m in members
        if m.state not in ("finished", "failed")
    )
    seconds_left = None
    if seconds:
        seconds_left = n_left * mean(seconds.values()) / n_jobs
    return Status(is_running, members, seconds_left)


def _read_last_run(path: Path) -> tuple[int, list[int], dict[int, float]]:
    """Return jobs, seeds in training, and seconds of an epoch by seed."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        seconds = {int(s): float(t) for s, t in content["seconds_per_epoch"].items()}
        return max(1, int(content["jobs"])), list(content["training"]), seconds
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return 1, [], {}


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
