"""Members that several commands train together, each a task of a job."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from glacier_inversion.choices import DeviceName
from glacier_inversion.errors import TrainingError
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.files import remove, write_bytes
from glacier_inversion.locks import POLL_SECONDS, Lock, lock_of
from glacier_inversion.machine.interrupts import heeding_signals
from glacier_inversion.patches.tiles import Tiles
from glacier_inversion.progress import Progress
from glacier_inversion.sharing.attempts import Hands, Result
from glacier_inversion.sharing.job import Job, working_together
from glacier_inversion.sharing.steps import Steps
from glacier_inversion.training.ensemble_folder import (
    check_ended,
    check_seeds,
    claim,
    draw_curves,
    find_finished,
    refuse_others,
    tell_of_kept,
)
from glacier_inversion.training.model.logs import Log
from glacier_inversion.training.model.members import member_state, read_failure
from glacier_inversion.training.network.devices import open_device, watching_gpu
from glacier_inversion.training.samples_on_disk import (
    SAMPLES,
    has_samples,
    map_samples,
    remove_samples,
    write_samples,
)
from glacier_inversion.training.stacked import train_stacked
from glacier_inversion.workspace import member_path

logger = logging.getLogger(__name__)

Read = Callable[[], Mapping[str, Iterable[Tiles]]]
"""Returns the tiles of a training, by split, each of which is read once."""
_NEED = "Must hold the samples and a step. Say --device cpu, or use fewer --jobs."


def member_task(seed: int) -> str:
    """Return the name of the task of training a member."""
    return f"seed {seed}"


def train_members_together(
    experiment: Experiment,
    read: Read,
    folder: Path,
    hands: Hands,
    key: str,
    *,
    seeds: list[int] | None,
    overwrite: bool,
    progress: Progress,
    device: DeviceName,
    test_features: Collection[str],
    units: Mapping[str, str | None],
) -> list[Path]:
    """
    Train members as `engine.train_members` does, with others that do so.

    The first command writes the samples for all, the last one removes them.

    Parameters
    ----------
    read : callable
        Returns the tiles, as `engine.train_members` takes them. It is called again
        where samples are written again.
    hands : Hands
        Who trains.
    key : str
        What the members follow from, as `working_together` takes it.
    device : {"auto", "cpu", "cuda"}
        Of each process that trains.

    Raises
    ------
    LeftToOthersError
        Others are still training: the last of them finishes.
    GlacierInversionError
        As `engine.train_members` raises it.
    """
    seeds = check_seeds(experiment, seeds)

    def check() -> None:
        _write_samples(experiment, read(), folder, overwrite, test_features, units)

    def prepare() -> None:
        _claim(experiment, folder, overwrite)
        tell_of_kept({seed: member_path(folder, seed) for seed in seeds})

    def resume() -> None:  # samples may be there, or a part of them
        _prepare(experiment, read(), folder, test_features, units)

    def undo() -> None:
        remove_samples(folder)

    steps = Steps(check, prepare, resume, undo)
    with working_together(folder, "training", hands, key, steps) as job:
        progress.start("training", len(seeds), "member")
        tasks = {member_task(seed): seed for seed in seeds}
        given = experiment, folder, device
        results = job.do(_train_task, given, tasks, progress)
        members = {name: (folder, seed) for name, seed in tasks.items()}
        return end_training(job, experiment, results, members)


def end_training(
    job: Job,
    experiment: Experiment,
    results: Mapping[str, Result],
    members: Mapping[str, tuple[Path, int]],
) -> list[Path]:
    """
    Say what has failed, put away samples, draw curves, and return finished members.

    Parameters
    ----------
    results : dict of dict
        As `Job.do` returns them.
    members : dict of tuple
        The model's folder and the seed, by the name of the task.

    Raises
    ------
    TrainingError
        Members could not be trained, which who comes next tries anew; or none of a
        model learns, which ends the job.
    """
    paths = {name: member_path(*member) for name, member in members.items()}
    gone = []
    for name, result in results.items():
        if "failure" in result:
            why = result["failure"].removeprefix(f"{name}: ")
            logger.error("%s: %s", name, why)
        elif not has_ended(paths[name]):
            gone.append(name)
    job.forget(gone)
    models: dict[Path, dict[int, Path]] = {}
    for name, (folder, seed) in members.items():
        models.setdefault(folder, {})[seed] = paths[name]
    for folder in models:
        remove_samples(folder)
        draw_curves(experiment, folder)
    for folder, own in models.items():
        check_ended(folder, own)
    finished: list[Path] = []
    try:
        for folder, own in models.items():
            finished += find_finished(folder, own)
    except TrainingError:
        job.finish()  # to go on with it would change nothing
        raise
    return finished


def _prepare(
    experiment: Experiment,
    tiles: Mapping[str, Iterable[Tiles]],
    folder: Path,
    test_features: Collection[str],
    units: Mapping[str, str | None],
) -> None:
    """Write samples for all who train, and keep the members that are there."""
    _write_samples(experiment, tiles, folder, False, test_features, units)
    _claim(experiment, folder, False)


def _write_samples(
    experiment: Experiment,
    tiles: Mapping[str, Iterable[Tiles]],
    folder: Path,
    overwrite: bool,
    test_features: Collection[str],
    units: Mapping[str, str | None],
) -> None:
    """Write samples for all who train, unless the folder is another model's."""
    write_samples(experiment, tiles, folder, test_features, units)
    if not overwrite:
        refuse_others(map_samples(folder).model(experiment), folder)


def _claim(experiment: Experiment, folder: Path, overwrite: bool) -> None:
    """Make a folder the model's own, by the samples that were written."""
    data = map_samples(folder)
    claim(data.model(experiment), data, folder, overwrite)


def has_ended(member: Path) -> bool:
    """Tell whether a member is trained, or does not learn."""
    return member_state(member) in ("finished", "failed")


def _train_task(given: tuple[Experiment, Path, DeviceName], seed: int) -> Result:
    return train_one(*given, seed)


def train_one(
    experiment: Experiment, folder: Path, device: DeviceName, seed: int
) -> Result:
    """
    Train a member that is not finished, on the samples in its model's folder.

    Returns
    -------
    result : dict
        With a "failure", which says why, where the member does not learn, or did not
        in an earlier run.

    Raises
    ------
    StoppedError
        A signal stopped it, between two steps; it goes on from its checkpoint.
    """
    member = member_path(folder, seed)
    if (state := member_state(member)) == "failed":
        return {"failure": read_failure(member)}
    if state == "finished":
        return {}
    opened, ending = open_device(device), _Ending()
    with watching_gpu(_NEED), heeding_signals() as stop:
        data = map_samples(folder).to(opened.torch_device)
        train_stacked(experiment, data, {seed: member}, 1, stop, ending)
    return {} if ending.failure is None else {"failure": ending.failure}


class _Ending:
    """Remembers how a member ended; how far it is its log tells."""

    failure: str | None = None

    def on_begin(self, seed: int) -> None:
        """Take no notice."""

    def on_epoch(self, seed: int, log: Log, seconds: float) -> None:
        """Take no notice."""

    def on_end(self, seed: int, failure: str | None) -> None:  # noqa: ARG002
        """Remember why it failed, if it did."""
        self.failure = failure


@contextmanager
def sharing_samples(
    experiment: Experiment,
    read: Read,
    folder: Path,
    token: str,
    test_features: Collection[str],
    units: Mapping[str, str | None],
) -> Iterator[None]:
    """
    Let samples lie in a model's folder for a block, written by who needs them first.

    They stay for other members, until all of the experiment's are trained; that they
    were there is marked until the folder of samples is removed, at the end of the job.

    Parameters
    ----------
    read : callable
        Returns the tiles, as `engine.train_members` takes them.
    token : str
        Of the job: samples of another one are made anew.
    """
    lock, mark = Lock(lock_of(folder)), folder / SAMPLES / "token"
    members = [member_path(folder, seed) for seed in range(experiment.seeds_number)]

    def is_ready() -> bool:
        return _holds(mark, token) and (
            has_samples(folder) or all(map(has_ended, members))
        )

    try:
        while True:
            if lock.try_alone() and not is_ready():
                with ExitStack() as unless_done:
                    unless_done.callback(remove_samples, folder)
                    _prepare(experiment, read(), folder, test_features, units)
                    write_bytes(mark, token.encode())
                    unless_done.pop_all()
            if lock.try_shared() and is_ready():
                break
            lock.release()  # else two that wait would keep each other from being alone
            time.sleep(POLL_SECONDS)
        yield
        if all(map(has_ended, members)) and lock.try_alone():
            remove(*(path for path in mark.parent.iterdir() if path != mark))
    finally:
        lock.release()


def _holds(path: Path, token: str) -> bool:
    return path.is_file() and path.read_bytes() == token.encode()
