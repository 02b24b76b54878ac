"""Cross-validation: every known pixel, predicted by members that never saw it."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import glacier_inversion
from glacier_inversion.choices import DeviceName, DrawingMethod
from glacier_inversion.dataset.training_tiles import read_training_tiles
from glacier_inversion.errors import ModelError, name_some
from glacier_inversion.evaluation.calibrate import calibrate_outputs, keep_calibration
from glacier_inversion.evaluation.crossval_files import write_crossval
from glacier_inversion.evaluation.fold_plan import FoldPlan, plan_folds
from glacier_inversion.evaluation.fold_training import training_folds_together
from glacier_inversion.evaluation.folds import CROSSVAL, Fold
from glacier_inversion.evaluation.model_now import identity_now
from glacier_inversion.evaluation.out_of_fold import (
    OutOfFold,
    find_common_seeds,
    join_folds,
)
from glacier_inversion.evaluation.predictions import read_known_pixels
from glacier_inversion.evaluation.scores import score_outputs
from glacier_inversion.evaluation.split_scores import fit_methods, rasters_by_output
from glacier_inversion.evaluation.subject import find_fold_folders, name_subject
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.locks import held_together, locked, writing_alone
from glacier_inversion.progress import Progress, Silent
from glacier_inversion.sharing.shards import find_hands
from glacier_inversion.training.engine import train_members
from glacier_inversion.training.model.blend import Blend
from glacier_inversion.training.model.ensemble import Ensemble
from glacier_inversion.training.model.model import read_model
from glacier_inversion.training.network.devices import Device, open_device
from glacier_inversion.workspace import FOLDS, Workspace

logger = logging.getLogger(__name__)

_DOING = "cross-validating into"  # a folder, as messages say


@dataclass(frozen=True)
class CrossvalReport:
    """
    How good a model is on features that it was trained without.

    Attributes
    ----------
    written : list of Path
        What is in evaluations/MODEL/crossval, and calibration.json where it is kept.
    metrics : dict
        What metrics.json holds.
    folds : list of Fold
    failures : dict of str
        Why features could not be read, by id; they are left out.
    """

    written: list[Path]
    metrics: dict[str, Any]
    folds: list[Fold]
    failures: dict[str, str]


def crossval(
    experiment: Experiment,
    workspace: Workspace,
    *,
    n_folds: int | None = 10,
    group: str | None = None,
    nested: bool = False,
    with_test: bool = False,
    overwrite: bool = False,
    jobs: int | None = 1,
    method: DrawingMethod = "auto",
    device: DeviceName | Device = "auto",
    shard: str | None = None,
    scheduler: str | None = None,
    progress: Progress | None = None,
) -> CrossvalReport:
    """
    Train an ensemble without each of several folds, and predict the fold with it.

    Folds are of whole features: those of training and validation, of which something is
    known. Every known pixel is so predicted by members that were trained without its
    feature, and compared with what is known, as by `evaluate`, beside the same methods,
    fitted without the fold, too. The tiles are those that were built; what they hold of
    targets is decided for each fold.

    The errors calibrate the uncertainty of measured outputs, if four features or groups
    have some: models/MODEL/calibration.json says how far the model errs, if it is
    trained from the same experiment. Features of a group count as one there, and in the
    intervals of errors.

    Members are written to models/MODEL/folds/NAME; finished ones are kept, and what was
    stopped goes on. Of a blend those of each of its models are, and they predict
    together; its calibration is models/BLEND/calibration.json. The names say how many
    folds there are and what they are of, so those of other options are left alone.
    Numbers and points are written into evaluations/MODEL/crossval, all of them or none.

    Parameters
    ----------
    n_folds : int, optional
        At most. Where there are no more features or groups, or with None, each of them
        is a fold of its own.
    group : str, optional
        Column of the outlines: features that have one value there stay together.
    nested : bool
        Validate each training on another fold; else on nothing. Always where the
        criterion is one of validation, which would choose by what is held out.
    with_test : bool
        Take the features of the test split for folds, too. Else no member sees them.
    overwrite : bool
        Remove the members of the folds that are there.
    jobs : int or None
        As `train` takes it.
    method, device
        As `evaluate` takes them.
    shard : str, optional
        Such as "1/4": share the members of all folds with other calls that do so, on
        any machine, each *jobs* of them at a time. The last of them predicts.
    scheduler : str, optional
        Address of a Dask scheduler, "tcp://HOST:8786", whose workers train.

    Raises
    ------
    DatasetError
        The dataset is not built or from another description, it has too few features of
        which something is known, or no such column; an output is known on the features
        of one fold alone, so that nothing is left to train on; or tiles are missing or
        damaged, all of them named.
    TrainingError
        As `train` raises it; or no seed has a member that learnt in every fold. What is
        trained is kept.
    ModelError
        As `train` and `evaluate` raise it; or several commands are to cross-validate a
        blend.
    ExperimentError, StoppedError, DeviceError
        As `train` and `evaluate` raise them.
    WorkspaceError
        Something cannot be written, or another command is writing it.
    LeftToOthersError
        Other shards finish the cross-validation, or have finished it.
    """
    if n_folds is not None and n_folds < 2:
        message = f"Invalid n_folds {n_folds}. Must be 2 at least, or None."
        raise ValueError(message)
    progress = progress or Silent()
    device = open_device(device)  # before data are read: it may not be there
    n_jobs = device.trainers(jobs)
    hands, workspace = find_hands(shard, scheduler, n_jobs, workspace)
    if hands is not None and experiment.drawing_description.blend is not None:
        message = (
            "drawing_description.blend: cannot be cross-validated by several commands. "
            "Must be by one. Cross-validate each model by them, by its own file, and "
            "then the blend without: what was trained serves again."
        )
        raise ModelError(message)
    folder = workspace.evaluations(name_subject(experiment), CROSSVAL)
    fold_folders = sorted(find_fold_folders(experiment, workspace))
    with ExitStack() as held:
        # before data are read: shards, or a blend of the model, may be at work
        hold = locked if hands is None else held_together
        for of_model in fold_folders:
            held.enter_context(hold(of_model, _DOING))
        if hands is None:
            held.enter_context(locked(folder, _DOING))
        plan = plan_folds(
            experiment,
            workspace,
            n_folds=n_folds,
            group=group,
            nested=nested,
            with_test=with_test,
            progress=progress,
        )
        if hands is None:
            if not overwrite:
                plan.refuse_others()
            held.enter_context(writing_alone(folder))
        else:
            of_device: DeviceName = "cuda" if device.is_gpu else "cpu"
            held.enter_context(
                training_folds_together(
                    plan, hands, overwrite, method, of_device, progress
                )
            )
        failures: dict[str, str] = {}
        done = []
        for number, fold in enumerate(plan.folds, 1):
            logger.info(
                "fold %d of %d, %s: trained on %d features, held out %s",
                number,
                len(plan.folds),
                fold.name,
                len(fold.train),
                name_some(fold.held_out),
            )
            if hands is None:
                _train(plan, fold, overwrite, jobs, device, progress)
            ensemble = _open(plan, fold, method, device)
            done.append(_predict(plan, fold, ensemble, failures, progress))
        for feature, why in failures.items():
            logger.error("%s: %s", feature, why)
        metrics, written = _score(plan, done)
        return CrossvalReport(written, metrics, plan.folds, failures)


def _train(
    plan: FoldPlan,
    fold: Fold,
    overwrite: bool,
    jobs: int | None,
    device: Device,
    progress: Progress,
) -> None:
    """Train each model without a fold."""
    without = plan.without(fold)
    for place, own in plan.models.items():
        train_members(
            own,
            read_training_tiles(without, own, progress),
            plan.folder(place, fold),
            overwrite=overwrite,
            jobs=jobs,
            progress=progress,
            device=device,
            test_features=without.select("test"),
            units=without.units,
        )


def _open(
    plan: FoldPlan, fold: Fold, method: DrawingMethod, device: Device
) -> Ensemble:
    """Open what was trained without a fold: of a blend all, which predict together."""
    folders = [plan.folder(place, fold) for place in plan.models]
    ensembles = [Ensemble(f, read_model(f), method, device) for f in folders]
    if len(ensembles) == 1:
        return ensembles[0]
    return Blend(plan.folder(plan.name, fold), ensembles)


def _predict(
    plan: FoldPlan,
    fold: Fold,
    ensemble: Ensemble,
    failures: dict[str, str],
    progress: Progress,
) -> OutOfFold:
    """Predict what is held out, and fit the baselines to what was trained on."""
    rasters = rasters_by_output(plan.experiment)
    dataset = plan.without(fold)
    progress.start("predicting", len(fold.held_out) + len(fold.train), "feature")
    own = ensemble.model.experiment
    pixels = read_known_pixels(
        own,
        dataset,
        fold.held_out,
        rasters,
        progress,
        ensemble=ensemble,
        failures=failures,
    )
    training = read_known_pixels(own, dataset, fold.train, rasters, progress)
    methods = fit_methods(plan.experiment, training, pixels, dataset.units)
    return OutOfFold(fold, ensemble.seeds, pixels, methods)


def _score(plan: FoldPlan, done: list[OutOfFold]) -> tuple[dict[str, Any], list[Path]]:
    """Score all folds as one, calibrate by their errors, and write what is found."""
    experiment, workspace, dataset = plan.experiment, plan.workspace, plan.dataset
    of_folds = workspace.model(plan.name) / FOLDS
    seeds = find_common_seeds(of_folds, done, experiment.seeds_number)
    pixels, methods = join_folds(done, seeds, dataset.resolutions)
    scores = score_outputs(
        experiment.losses_name,
        experiment.evaluation_description.classes,
        pixels,
        seeds,
        methods,
        dataset.units,
        f"{dataset.folder}: all folds",
        plan.groups,
    )
    calibrations = calibrate_outputs(experiment, scores, pixels, plan.groups)
    metrics = {
        "model": plan.name,
        "model_identity": identity_now(experiment, workspace, dataset),
        "split": CROSSVAL,
        "features": [feature for fold in plan.folds for feature in fold.held_out],
        "seeds": seeds,
        "software": f"glacier_inversion {glacier_inversion.__version__}",
        "folds": [part.describe() for part in done],
        "outputs": scores,
    }
    written = write_crossval(
        experiment, workspace, dataset, plan.folds, pixels, metrics
    )
    calibration = keep_calibration(
        experiment, workspace, dataset, calibrations, len(seeds), "crossval"
    )
    if calibration is not None:
        written.append(calibration)
    return metrics, written
