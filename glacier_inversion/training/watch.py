"""What is told of a training while it runs: progress, status.json, TensorBoard."""

from __future__ import annotations

import io
import logging
import math
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from glacier_inversion.errors import PackageError, WorkspaceError
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.files import append_bytes, is_full, remove
from glacier_inversion.progress import Progress, duration
from glacier_inversion.state_files import read_state, write_state
from glacier_inversion.training.model.logs import Log
from glacier_inversion.workspace import member_path

logger = logging.getLogger(__name__)

STATUS = "status.json"
_FORMAT = 1  # of status.json
_SECONDS_BETWEEN = 1.0  # times that status.json is written


class Watch:
    """
    Hears of every epoch of every member, and passes it on.

    Parameters
    ----------
    experiment : Experiment
    folder : Path
        The model's.
    progress : Progress
    tensorboard : bool
        Write events of every member to the folder tensorboard, too.

    Raises
    ------
    PackageError
        TensorBoard is not installed.
    """

    def __init__(
        self,
        experiment: Experiment,
        folder: Path,
        progress: Progress,
        tensorboard: bool,
    ) -> None:
        self._experiment = experiment
        self._folder = folder
        self._progress = progress
        self._events = _Events(folder / "tensorboard") if tensorboard else None
        self._n_jobs = 1
        self._n_epochs: dict[int, int] = {}
        self._n_shown: dict[int, int] = {}  # of them, by the progress
        self._best: dict[int, tuple[int, float]] = {}
        self._training: set[int] = set()
        self._times: dict[int, list[float]] = {}
        self._times_before = read_last_run(folder / STATUS).seconds
        self._written = 0.0
        self._warned = False

    def start(self, n_members: int, n_jobs: int) -> None:
        """Hear how many members are to be trained, and how many at a time."""
        self._n_jobs = n_jobs
        n_epochs = n_members * self._experiment.epochs
        self._progress.start("training", n_epochs, "epoch")

    def on_begin(self, seed: int) -> None:
        """Hear that a member is begun, or gone on with: all its epochs follow."""
        self._n_epochs.pop(seed, None)
        self._best.pop(seed, None)
        if self._events is not None:
            self._events.begin(seed)
        self._training.add(seed)
        self._write_status(0.0)

    def on_epoch(self, seed: int, log: Log, seconds: float) -> None:
        """Hear of an epoch; it took 0 seconds if that was in an earlier run."""
        epoch = self._n_epochs.get(seed, 0)
        self._n_epochs[seed] = epoch + 1
        criterion = self._experiment.best_by
        value = log[criterion.column]
        _, best = self._best.get(seed, (0, math.nan))
        if criterion.score(value) < criterion.score(best):
            self._best[seed] = epoch, value
        if epoch >= self._n_shown.get(seed, 0):
            self._n_shown[seed] = epoch + 1
            self._progress.advance(f"seed {seed} {criterion.name} {value:.4g}")
        self._write_event(seed, log)
        if seconds > 0:
            self._times.setdefault(seed, []).append(seconds)
            self._write_status(_SECONDS_BETWEEN)

    def on_end(self, seed: int, failure: str | None) -> None:
        """Hear that a member is finished, or why it is not."""
        if failure is not None:
            logger.error("%s", failure)
        self._log_details(seed)
        for _ in range(self._experiment.epochs - self._n_shown.get(seed, 0)):
            self._progress.advance()  # early stopping
        self._training.discard(seed)
        self._write_status(0.0)

    def _log_details(self, seed: int) -> None:
        """Log what may explain a member that looks odd."""
        if seed not in self._best:
            return
        epoch, value = self._best[seed]
        times = self._times.get(seed, [0.0])
        logger.debug(
            "seed %d: best epoch %d of %d, %s %.4g; %s, %s an epoch",
            seed,
            epoch,
            self._n_epochs[seed],
            self._experiment.criterion,
            value,
            duration(sum(times)),
            duration(sum(times) / len(times)),
        )

    def close(self) -> None:
        """Write what is not written yet."""
        if self._training:
            self._training.clear()
            with suppress(WorkspaceError):  # a full disk, of which has been told
                self._write_status(0.0)

    def _write_event(self, seed: int, log: Log) -> None:
        if self._events is None:
            return
        try:
            self._events.add(seed, log)
        except WorkspaceError as error:
            if is_full(error):
                raise
            logger.warning("no more is written for TensorBoard: %s", error)
            self._events = None

    def _write_status(self, seconds_between: float) -> None:
        now = time.monotonic()
        if self._written and now - self._written < seconds_between:
            return
        self._written = now
        seconds = {seed: sum(t) / len(t) for seed, t in self._times.items()}
        seconds = self._times_before | seconds
        content = {
            "jobs": self._n_jobs,
            "training": sorted(self._training),
            "seconds_per_epoch": seconds,
        }
        try:
            write_state(self._folder / STATUS, content, _FORMAT)
        except WorkspaceError as error:
            if is_full(error):
                raise
            if not self._warned:
                logger.warning("%s", error)
            self._warned = True


@dataclass(frozen=True)
class LastRun:
    """What status.json says: jobs, seeds in training, seconds of epochs by seed."""

    jobs: int = 1
    training: tuple[int, ...] = ()
    seconds: dict[int, float] = field(default_factory=dict)


def read_last_run(path: Path) -> LastRun:
    """Read status.json; one that is missing, broken or newer says nothing."""
    try:
        content = read_state(path, _FORMAT)
        seconds = {int(s): float(t) for s, t in content["seconds_per_epoch"].items()}
        jobs = max(1, int(content["jobs"]))
        return LastRun(jobs, tuple(content["training"]), seconds)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return LastRun()


class _Events:
    """Event files for TensorBoard, a folder for each member."""

    def __init__(self, folder: Path) -> None:
        try:
            from tensorboard.compat.proto.event_pb2 import Event  # noqa: PLC0415  extra
            from tensorboard.summary.writer.record_writer import (  # noqa: PLC0415
                RecordWriter,
            )
            from torch.utils.tensorboard import summary  # noqa: PLC0415
        except ImportError as error:
            message = (
                "--tensorboard: the package tensorboard is not installed. Must be, for "
                "this option. Say pip install 'glacier-inversion[tensorboard]'."
            )
            raise PackageError(message) from error
        self._folder = folder
        self._event: Any = Event
        self._records: Any = RecordWriter
        self._scalar: Any = summary.scalar
        self._begun: set[int] = set()

    def begin(self, seed: int) -> None:
        """Let the next epoch of a member be its first."""
        self._begun.discard(seed)

    def add(self, seed: int, log: Log) -> None:
        """
        Append an epoch; a member's first takes the place of what was there.

        By hand, as torch's SummaryWriter writes in a thread, whose errors would be
        printed with their traceback.
        """
        folder = member_path(self._folder, seed)
        now = time.time()
        events = [
            self._event(
                wall_time=now, step=int(log["epoch"]), summary=self._scalar(name, value)
            )
            for name, value in log.items()
            if name != "epoch"
        ]
        if seed not in self._begun:
            remove(folder)
            events.insert(0, self._event(wall_time=now, file_version="brain.Event:2"))
        content = io.BytesIO()
        records = self._records(content)
        for event in events:
            records.write(event.SerializeToString())
        append_bytes(folder / "events.out.tfevents.0", content.getvalue())
        self._begun.add(seed)
