"""log.csv: the losses and metrics of every epoch of a member, written and read."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glacier_inversion.files import write_bytes

logger = logging.getLogger(__name__)

Log = dict[str, float]
"""One epoch: its number, learning rate, losses and metrics."""


def write_log(path: Path, logs: list[Log]) -> None:
    """Write the epochs of a member."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(logs[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({**log, "epoch": int(log["epoch"])} for log in logs)
    write_bytes(path, text.getvalue().encode())


Curves = dict[str, NDArray[np.float64]]


def read_logs(members: Iterable[Path], criterion: str) -> dict[int, Curves]:
    """
    Return the columns of each log.csv, by seed, of the members that have one.

    One that cannot be read, or lacks the column of the criterion, is warned of.
    """
    logs: dict[int, Curves] = {}
    for member in members:
        path = member / "log.csv"
        if not path.exists():
            continue
        try:
            with path.open(encoding="utf-8", newline="") as file:
                rows = list(csv.DictReader(file))
            columns = {k: np.array([float(row[k]) for row in rows]) for k in rows[0]}
            missing = {"epoch", "learning_rate", "loss", criterion} - columns.keys()
            if missing:
                message = f"no column {min(missing)!r}"
                raise ValueError(message)
        except (OSError, ValueError, TypeError, IndexError, csv.Error) as error:
            logger.warning("%s: cannot be read (%s): left out", path, error)
            continue
        logs[int(member.name.removeprefix("seed_"))] = columns
    return logs
