"""Calibration: how far a model errs where it was not trained, kept with the model."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glacier_inversion.choices import DeviceName, DrawingMethod
from glacier_inversion.dataset.opened import BuiltDataset, open_dataset
from glacier_inversion.drawing.model_changes import find_changed_keys
from glacier_inversion.errors import DatasetError
from glacier_inversion.evaluation.evaluate import write_evaluation
from glacier_inversion.evaluation.metrics import REGRESSION
from glacier_inversion.evaluation.model_now import model_now
from glacier_inversion.evaluation.pixels import KnownPixels
from glacier_inversion.evaluation.split_scores import scoring_split
from glacier_inversion.evaluation.subject import (
    find_experiments,
    join_models,
    name_subject,
)
from glacier_inversion.evaluation.uncertainty import calibrate_output, score_calibration
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.locks import locked
from glacier_inversion.progress import Progress
from glacier_inversion.training.model.calibration import (
    Calibration,
    OutputCalibration,
    Source,
)
from glacier_inversion.training.model.calibration_file import (
    CALIBRATION,
    write_calibration,
)
from glacier_inversion.training.model.model import read_model
from glacier_inversion.training.network.devices import Device
from glacier_inversion.workspace import Workspace

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class CalibrationReport:
    """
    How far a model errs.

    Attributes
    ----------
    written : list of Path
        calibration.json, and what `evaluate` writes of the validation features.
    metrics : dict
        What metrics.json holds: as `evaluate` writes it of the validation features, but
        with what calibrated intervals cover of each, fitted to the others.
    failures : dict of str
        Why features could not be read, by id; they are left out.
    """

    written: list[Path]
    metrics: dict[str, Any]
    failures: dict[str, str]


def calibrate(
    experiment: Experiment,
    workspace: Workspace,
    *,
    method: DrawingMethod = "auto",
    device: DeviceName | Device = "auto",
    progress: Progress | None = None,
) -> CalibrationReport:
    """
    Fit how far a model, or a blend, errs to its errors on the validation features.

    Where there is no time for `crossval`, whose errors are of more features and of none
    that had a say in the training. It needs four validation features of which an output
    is known, and takes the place of a calibration that is there. What it covers of each
    of them, fitted to the others, is written into evaluations/MODEL/validation.

    Parameters
    ----------
    method, device
        As `evaluate` takes them.

    Raises
    ------
    DatasetError
        No output is known on four validation features, or none is a measured one.
    DatasetError, ModelError, DeviceError, WorkspaceError
        As `evaluate` raises them.
    """
    scoring = scoring_split(
        experiment,
        workspace,
        split="validation",
        method=method,
        device=device,
        progress=progress,
    )
    with scoring as scored:
        calibrations = calibrate_outputs(experiment, scored.scores, scored.pixels, None)
        written = None
        if calibrations:
            written = keep_calibration(
                experiment,
                workspace,
                open_dataset(experiment, workspace),
                calibrations,
                len(scored.ensemble.seeds),
                "validation",
            )
        if written is None:
            folder = workspace.model(name_subject(experiment))
            message = (
                f"{folder}: cannot be calibrated. Must be trained from this experiment "
                "and dataset, and have four validation features at least of which a "
                "measured output is known. Run 'ginv crossval', which takes those of "
                "training, too."
            )
            raise DatasetError(message)
        evaluated = write_evaluation(experiment, workspace, scored)
        return CalibrationReport(
            [written, *evaluated.written], evaluated.metrics, evaluated.failures
        )


def calibrate_outputs(
    experiment: Experiment,
    scores: dict[str, Any],
    pixels: Mapping[str, KnownPixels],
    groups: Mapping[str, str] | None,
) -> dict[str, OutputCalibration]:
    """
    Fit and score the uncertainty of measured outputs.

    An output with errors on fewer than 4 features or groups has none, which is logged.

    Parameters
    ----------
    scores : dict
        By output, as `score_outputs` returns them; 'uncertainty' is added, what
        `calibrate_output` says of it, or where there are too few features
        `score_calibration` without a calibration.
    pixels : mapping of KnownPixels
        What members predict that did not know the features.
    groups : mapping of str, optional
        What features belong together.
    """
    calibrations = {}
    for output, of_output in scores.items():
        if of_output["kind"] == REGRESSION.name:
            is_nonnegative = experiment.is_nonnegative(output)
            try:
                calibrations[output], of_output["uncertainty"] = calibrate_output(
                    output, pixels[output], groups, is_nonnegative
                )
            except DatasetError as error:
                logger.warning("no calibration: %s", error)
                spread = score_calibration(pixels[output], None, groups)
                of_output["uncertainty"] = spread
    return calibrations


def warn_of_other_models(
    experiments: Mapping[str, Experiment], workspace: Workspace, dataset: BuiltDataset
) -> None:
    """
    Say early of models with which no calibration will be kept.

    As `find_changed_keys` tells; `keep_calibration` compares targets, too.

    Parameters
    ----------
    experiments : mapping of Experiment
        As `find_experiments` returns them.
    """
    for place, experiment in experiments.items():
        folder = workspace.model_to_read(place)
        if not (folder / "model.json").exists():
            continue
        differing = find_changed_keys(read_model(folder), experiment, dataset)
        if differing:
            logger.warning(
                "%s: was trained with other values of: %s. No calibration will be kept "
                "with it",
                folder,
                ", ".join(differing),
            )


def keep_calibration(
    experiment: Experiment,
    workspace: Workspace,
    dataset: BuiltDataset,
    calibrations: dict[str, OutputCalibration],
    n_members: int,
    source: Source,
) -> Path | None:
    """
    Write how far a model errs into its folder; return the path, None where it is not.

    It is written where the model, or each of a blend, is what would be trained now:
    from this experiment and dataset. Else that is warned of. Where there is nothing to
    write, one that is there stays: too few features, or groups, say nothing against it.

    Parameters
    ----------
    n_members : int
        Of the ensembles whose errors these are.
    source : {"crossval", "validation"}
        Where these members are from.

    Raises
    ------
    WorkspaceError
        It cannot be written, or another command trains or calibrates the model.
    """
    folder = workspace.model(name_subject(experiment))
    if not calibrations:
        if (folder / CALIBRATION).exists():
            logger.info("%s: stays as it is, of other errors", folder / CALIBRATION)
        return None
    experiments = find_experiments(experiment, workspace)
    folders = {place: workspace.model_to_read(place) for place in experiments}
    for own in folders.values():
        if not (own / "model.json").exists():
            logger.warning(
                "%s: is not trained, so no calibration is kept with it. Train it, and "
                "run this again: its folds are kept",
                own,
            )
            return None
    with locked(folder, "training or calibrating"):
        models = []
        for place, own in folders.items():
            model = read_model(own)
            try:
                changed = model.differing(model_now(experiments[place], dataset))
            except DatasetError as error:
                changed = [str(error)]
            if changed:
                logger.warning(
                    "%s: was trained with other values of: %s. "
                    "No calibration is kept with it",
                    own,
                    ", ".join(changed),
                )
                return None
            models.append(model)
        identity = join_models(experiment, models).identity
        write_calibration(
            Calibration(calibrations, source, identity, n_members), folder
        )
    return folder / CALIBRATION
