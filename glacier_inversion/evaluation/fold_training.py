"""Members of folds that several commands train together, each a task of a job."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import NamedTuple

from glacier_inversion.choices import DeviceName, DrawingMethod
from glacier_inversion.dataset.opened import open_dataset
from glacier_inversion.dataset.training_tiles import (
    digest_of_training,
    read_training_tiles,
)
from glacier_inversion.evaluation.fold_plan import FoldPlan
from glacier_inversion.evaluation.folds import CROSSVAL, Fold
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.locks import working_in
from glacier_inversion.progress import Progress
from glacier_inversion.sharing.attempts import Hands, Result, once
from glacier_inversion.sharing.job import working_together
from glacier_inversion.sharing.steps import Steps
from glacier_inversion.state_files import digest_of
from glacier_inversion.training.ensemble_folder import remove_model
from glacier_inversion.training.member_tasks import (
    end_training,
    sharing_samples,
    train_one,
)
from glacier_inversion.workspace import Workspace


class _Given(NamedTuple):
    """What a process must know to train a member of a fold."""

    token: str
    experiment: Experiment
    workspace: Workspace
    kept_out: list[str]
    device: DeviceName


@contextmanager
def training_folds_together(
    plan: FoldPlan,
    hands: Hands,
    overwrite: bool,
    method: DrawingMethod,
    device: DeviceName,
    progress: Progress,
) -> Iterator[None]:
    """
    Hold the folder of a cross-validation, once all have trained every member.

    Others wait until the block has ended, in which folds are predicted and files are
    written.

    The samples of a fold are written by who trains its first member, and removed with
    its last one.

    Raises
    ------
    LeftToOthersError
        Others are still training: the last of them goes on.
    TrainingError
        Members could not be trained, or none of a fold learns.
    GlacierInversionError
        As `engine.train_members` raises it.
    """
    experiment, workspace, folds = plan.experiment, plan.workspace, plan.folds
    name = experiment.model_name
    seeds = range(experiment.seeds_number)
    folders = {fold.name: plan.folder(name, fold) for fold in folds}

    def check() -> None:
        if not overwrite:
            plan.refuse_others()

    def prepare() -> None:
        for folder in folders.values() if overwrite else ():
            with working_in(folder, "training"):
                remove_model(folder)

    content = experiment.model_dump(mode="json", exclude={"drawing_description"})
    trained_on = digest_of_training(plan.dataset, experiment)
    of_folds = [(fold.name, fold.splits(plan.kept_out)) for fold in folds]
    key = digest_of([content, trained_on, of_folds, overwrite, method])
    evaluations = workspace.evaluations(name, CROSSVAL)
    steps = Steps(check, prepare)
    with working_together(
        evaluations, "cross-validating into", hands, key, steps
    ) as job:
        tasks = {
            f"{fold.name} seed {seed}": (fold, seed) for fold in folds for seed in seeds
        }
        given = _Given(job.token, experiment, workspace, plan.kept_out, device)
        progress.start("training", len(tasks), "member")
        results = job.do(_train_task, given, tasks, progress)
        members = {n: (folders[fold.name], seed) for n, (fold, seed) in tasks.items()}
        end_training(job, experiment, results, members)
        yield


def _train_task(given: _Given, what: tuple[Fold, int]) -> Result:
    fold, seed = what
    experiment = given.experiment
    dataset = once(given.token, lambda: open_dataset(experiment, given.workspace))
    own = replace(dataset, splits=fold.splits(given.kept_out))
    folder = given.workspace.fold(experiment.model_name, fold.name)
    with sharing_samples(
        experiment,
        lambda: read_training_tiles(own, experiment),
        folder,
        given.token,
        own.select("test"),
        dataset.units,
    ):
        return train_one(experiment, folder, given.device, seed)
