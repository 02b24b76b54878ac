"""Evaluate: how far an ensemble is from what is known, beside simple methods."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import glacier_inversion
from glacier_inversion.choices import DeviceName, DrawingMethod, FeatureGroup
from glacier_inversion.errors import ModelError
from glacier_inversion.evaluation.metrics import REGRESSION
from glacier_inversion.evaluation.pixels import KnownPixels
from glacier_inversion.evaluation.split_scores import SplitScores, scoring_split
from glacier_inversion.evaluation.tables import format_csv, tabulate_residuals
from glacier_inversion.evaluation.uncertainty import score_calibration
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.files import write_all
from glacier_inversion.geodata.vectors import to_geopackage
from glacier_inversion.progress import Progress
from glacier_inversion.sharing.executors import check_jobs
from glacier_inversion.sharing.shards import find_hands
from glacier_inversion.state_files import to_state
from glacier_inversion.training.model.calibration import Calibration
from glacier_inversion.training.model.calibration_file import (
    CALIBRATION,
    read_calibration,
)
from glacier_inversion.training.model.ensemble import Ensemble
from glacier_inversion.training.network.devices import Device, open_device
from glacier_inversion.workspace import Workspace

logger = logging.getLogger(__name__)

FORMAT = 1  # of metrics.json


@dataclass(frozen=True)
class EvaluationReport:
    """
    How good a model is.

    Attributes
    ----------
    written : list of Path
        metrics.json, metrics.csv and residuals.gpkg.
    metrics : dict
        What metrics.json holds.
    pixels : dict of KnownPixels
        The known pixels of each output, with what each member predicts.
    failures : dict of str
        Why features could not be read or predicted, by id; they are left out.
    """

    written: list[Path]
    metrics: dict[str, Any]
    pixels: dict[str, KnownPixels]
    failures: dict[str, str]


def evaluate(
    experiment: Experiment,
    workspace: Workspace,
    *,
    split: FeatureGroup = "test",
    method: DrawingMethod = "auto",
    device: DeviceName | Device = "auto",
    jobs: int | None = None,
    shard: str | None = None,
    scheduler: str | None = None,
    progress: Progress | None = None,
) -> EvaluationReport:
    """
    Compare what the experiment's model, or its blend, predicts with what is known.

    The ensemble predicts at the centres of the known pixels of its outputs, inside the
    outlines and outside, as far as they are the features' own. It is measured there
    beside each of its members, the mean of the training pixels, and what the
    experiment's `evaluation_description` names. Of a measured output the intervals of
    the members' spread are scored, those of its calibration, and those of errors
    of one size. Numbers and points are written into evaluations/MODEL/SPLIT, all of
    them or none. Targets that have changed since the model was trained are warned of,
    as are features that its networks may have been trained on by other ids.

    Parameters
    ----------
    split : {"test", "validation", "train", "all"}
        The features: those that the model remembers by this name, or all of the
        dataset.
    method : {"auto", "dense", "patches"}
        How points are evaluated, as in `draw`.
    device : {"auto", "cpu", "cuda"} or Device
        "auto" is the GPU if there is one.
    jobs : int or None
        Features predicted at the same time, as in `draw`.
    shard : str, optional
        Such as "1/4": share the features with other calls that do so, on any machine.
        The last of them scores what all have predicted.
    scheduler : str, optional
        Address of a Dask scheduler, "tcp://HOST:8786", whose workers predict.

    Raises
    ------
    DatasetError
        The dataset is not built, or was built from another description; no output is
        known on the features, or on those of training.
    ModelError
        The model is not trained or does not fit; or models cannot be blended.
    DeviceError
        The GPU fails, or its memory does not suffice.
    WorkspaceError
        The files cannot be written, or another command is writing them.
    LeftToOthersError
        Other shards finish the evaluation, or have finished it.
    GlacierInversionError
        No process is left that could begin.
    """
    check_jobs(jobs)
    device = open_device(device)
    n_jobs = device.jobs(jobs)
    hands, workspace = find_hands(shard, scheduler, n_jobs, workspace)
    scoring = scoring_split(
        experiment,
        workspace,
        split=split,
        method=method,
        device=device,
        progress=progress,
        hands=hands,
        jobs=n_jobs,
    )
    with scoring as scored:
        calibration = _find_calibration(scored.ensemble)
        calibrations = {} if calibration is None else calibration.outputs
        for output, of_output in scored.scores.items():
            if of_output["kind"] == REGRESSION.name:
                of_output["uncertainty"] = score_calibration(
                    scored.pixels[output], calibrations.get(output)
                )
        return write_evaluation(experiment, workspace, scored, calibration)


def write_evaluation(
    experiment: Experiment,
    workspace: Workspace,
    scored: SplitScores,
    calibration: Calibration | None = None,
) -> EvaluationReport:
    """
    Write numbers and points into evaluations/MODEL/SPLIT, all of them or none.

    Within the block of `scoring_split`, which holds that folder.

    Parameters
    ----------
    calibration : Calibration, optional
        The model's, where what it says of these features was scored.

    Raises
    ------
    WorkspaceError
        They cannot be written.
    """
    ensemble, name = scored.ensemble, scored.ensemble.name
    metrics = {
        "model": name,
        "model_identity": ensemble.model.identity,
        "model_sha256": ensemble.digest,
        "calibration_sha256": None if calibration is None else calibration.digest,
        "split": scored.split,
        "features": scored.features,
        "maybe_seen": scored.maybe_seen,
        "seeds": ensemble.seeds,
        "software": f"glacier_inversion {glacier_inversion.__version__}",
        "outputs": scored.scores,
    }
    folder = workspace.evaluations(name, scored.split)
    epsg = experiment.dataset_description.epsg
    residuals = tabulate_residuals(scored.pixels, ensemble.seeds, epsg)
    files = {
        folder / "metrics.json": to_state(metrics, FORMAT),
        folder / "metrics.csv": format_csv(metrics).encode(),
        folder / "residuals.gpkg": to_geopackage(residuals, "residuals"),
    }
    write_all(files)
    return EvaluationReport([*files], metrics, scored.pixels, scored.failures)


def _find_calibration(ensemble: Ensemble) -> Calibration | None:
    """Return how far a model errs; None where that is not known, or cannot be read."""
    if not (ensemble.folder / CALIBRATION).exists():
        return None
    identity, n_members = ensemble.model.identity, len(ensemble.seeds)
    try:
        return read_calibration(ensemble.folder, identity, n_members)
    except ModelError as error:
        logger.warning("%s It is left aside", error)
        return None
