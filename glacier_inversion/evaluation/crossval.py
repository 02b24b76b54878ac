"""Cross-validation: every known pixel, predicted by members that never saw it."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import glacier_inversion
from glacier_inversion.choices import DeviceName, DrawingMethod
from glacier_inversion.dataset.opened import BuiltDataset, open_dataset
from glacier_inversion.dataset.plan import check_serves
from glacier_inversion.dataset.training_tiles import read_training_tiles
from glacier_inversion.errors import ModelError, name_some
from glacier_inversion.evaluation.calibrate import (
    calibrate_outputs,
    keep_calibration,
    warn_of_other_models,
)
from glacier_inversion.evaluation.crossval_files import write_crossval
from glacier_inversion.evaluation.fold_training import training_folds_together
from glacier_inversion.evaluation.folds import (
    CROSSVAL,
    Fold,
    check_known,
    make_folds,
    name_options,
    read_groups,
)
from glacier_inversion.evaluation.model_now import identity_now
from glacier_inversion.evaluation.out_of_fold import (
    OutOfFold,
    find_common_seeds,
    join_folds,
)
from glacier_inversion.evaluation.predictions import read_known_pixels
from glacier_inversion.evaluation.scores import score_outputs
from glacier_inversion.evaluation.split_scores import fit_methods, rasters_by_output
from glacier_inversion.evaluation.subject import (
    check_fold_folders,
    find_experiments,
    name_subject,
)
from glacier_inversion.experiment.evaluation import find_other_units
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.machine.cores import available_cores
from glacier_inversion.progress import Progress, Silent
from glacier_inversion.sharing.shards import find_hands
from glacier_inversion.training.engine import check_network, train_members
from glacier_inversion.training.model.blend import Blend
from glacier_inversion.training.model.ensemble import Ensemble
from glacier_inversion.training.model.model import read_model
from glacier_inversion.training.network.devices import Device, open_device
from glacier_inversion.workspace import FOLDS, SPLITS, Workspace, last_part

logger = logging.getLogger(__name__)


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
    of_gpu = device.torch_device.type == "cuda"
    n_jobs = jobs or (1 if of_gpu else available_cores())
    hands, workspace = find_hands(shard, scheduler, n_jobs, workspace)
    if hands is not None and experiment.drawing_description.blend is not None:
        message = (
            "drawing_description.blend: cannot be cross-validated by several commands. "
            "Must be by one. Cross-validate each model by them, by its own file, and "
            "then the blend without: what was trained serves again."
        )
        raise ModelError(message)
    check_fold_folders(experiment, workspace)
    experiments = find_experiments(experiment, workspace)
    for own in experiments.values():
        check_network(own)
        check_serves(experiment.dataset_description, own)
    read = [v.name for own in experiments.values() for v in own.inputs]
    description = experiment.evaluation_description
    dataset = open_dataset(experiment, workspace, [*description.rasters, *read])
    for message in find_other_units(description, dataset.units):
        logger.warning("%s", message)
    warn_of_other_models(experiments, workspace, dataset)
    splits = SPLITS if with_test else SPLITS[:-1]
    features = [f for f in dataset.rows if dataset.splits.get(f) in splits]
    kept_out = [f for f in dataset.select("test") if f not in features]
    nested = nested or any(own.best_by.of_validation for own in experiments.values())
    grouping = None
    if group is not None:  # before pixels are read: there may be no such column
        grouping = read_groups(experiment, workspace, dataset, group)
    truths = filter(dataset.has_truth, experiment.outputs)
    variables = [variable.name for variable in (*experiment.inputs, *truths)]
    dataset.check_features(features, [*variables, *description.rasters])
    progress.start("reading", len(features), "feature")
    found = read_known_pixels(experiment, dataset, features, {}, progress)
    known = {output: pixels.count_by_feature() for output, pixels in found.items()}
    n_known = {f: sum(counts[f] for counts in known.values()) for f in features}
    groups = None if grouping is None else grouping.of_known(n_known)
    folds = make_folds(
        n_known,
        n_folds=n_folds,
        groups=groups,
        nested=nested,
        suffix=name_options(group, nested, with_test),
    )
    for own in experiments.values():
        check_known(folds, known, own.criterion)
    name = name_subject(experiment)
    logger.info(
        "%s: %d folds, %s", name, len(folds), "nested" if nested else "no validation"
    )
    trained: AbstractContextManager[None] = nullcontext()
    if hands is not None:
        trained = training_folds_together(
            experiment,
            workspace,
            dataset,
            folds,
            kept_out,
            hands,
            overwrite,
            method,
            "cuda" if of_gpu else "cpu",
            progress,
        )
    with trained:
        failures: dict[str, str] = {}
        done = []
        for number, fold in enumerate(folds, 1):
            logger.info(
                "fold %d of %d, %s: trained on %d features, held out %s",
                number,
                len(folds),
                fold.name,
                len(fold.train),
                name_some(fold.held_out),
            )
            without = replace(dataset, splits=fold.splits(kept_out))
            ensembles = []
            for place, own in experiments.items():
                folder = workspace.fold(last_part(place), fold.name)
                if hands is None:
                    train_members(
                        own,
                        read_training_tiles(without, own, progress),
                        folder,
                        overwrite=overwrite,
                        jobs=jobs,
                        progress=progress,
                        device=device,
                        test_features=without.select("test"),
                        units=dataset.units,
                    )
                ensembles.append(Ensemble(folder, read_model(folder), method, device))
            ensemble = ensembles[0]
            if len(ensembles) > 1:
                ensemble = Blend(workspace.fold(name, fold.name), ensembles)
            done.append(
                _predict(experiment, without, fold, ensemble, failures, progress)
            )
        for feature, why in failures.items():
            logger.error("%s: %s", feature, why)
        of_folds = workspace.model(name) / FOLDS
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
            groups,
        )
        calibrations = calibrate_outputs(experiment, scores, pixels, groups)
        metrics = {
            "model": name,
            "model_identity": identity_now(experiment, workspace, dataset),
            "split": CROSSVAL,
            "features": [feature for fold in folds for feature in fold.held_out],
            "seeds": seeds,
            "software": f"glacier_inversion {glacier_inversion.__version__}",
            "folds": [part.describe() for part in done],
            "outputs": scores,
        }
        written = write_crossval(
            experiment, workspace, dataset, folds, pixels, metrics, hands is not None
        )
        calibration = keep_calibration(
            experiment, workspace, dataset, calibrations, len(seeds), "crossval"
        )
        if calibration is not None:
            written.append(calibration)
        return CrossvalReport(written, metrics, folds, failures)


def _predict(
    experiment: Experiment,
    dataset: BuiltDataset,
    fold: Fold,
    ensemble: Ensemble,
    failures: dict[str, str],
    progress: Progress,
) -> OutOfFold:
    """Predict what is held out, and fit the baselines to what was trained on."""
    rasters = rasters_by_output(experiment)
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
    methods = fit_methods(experiment, training, pixels, dataset.units)
    return OutOfFold(fold, ensemble.seeds, pixels, methods)
