"""Features that are predicted by other processes, of this command or of several."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch

from glacier_inversion.choices import DeviceName, DrawingMethod
from glacier_inversion.dataset.opened import BuiltDataset, open_dataset
from glacier_inversion.errors import DatasetError, RasterError
from glacier_inversion.evaluation.at_pixels import Floats
from glacier_inversion.evaluation.predictions import (
    KnownPart,
    Parts,
    read_feature,
)
from glacier_inversion.evaluation.subject import open_subject
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.progress import Progress
from glacier_inversion.sharing.attempts import Hands, Result, once, share_of_cores
from glacier_inversion.sharing.job import working_together
from glacier_inversion.sharing.lost_processes import (
    ProcessLostError,
    needing_processes,
    tell_lost,
)
from glacier_inversion.sharing.side_by_side import do_side_by_side
from glacier_inversion.state_files import digest_of
from glacier_inversion.training.model.calibration_file import CALIBRATION
from glacier_inversion.training.model.ensemble import Ensemble
from glacier_inversion.training.network.devices import Device, open_device
from glacier_inversion.workspace import Workspace


class _Given(NamedTuple):
    """What a process must know to predict features."""

    token: str
    experiment: Experiment
    workspace: Workspace
    rasters: dict[str, list[str]]
    method: DrawingMethod
    device: DeviceName | Device


@contextmanager
def predicting_together(
    experiment: Experiment,
    workspace: Workspace,
    ensemble: Ensemble,
    dataset: BuiltDataset,
    split: str,
    features: Sequence[str],
    rasters: dict[str, list[str]],
    hands: Hands,
    progress: Progress,
) -> Iterator[dict[str, Parts | str]]:
    """
    Hold the folder of an evaluation, once all have predicted the features.

    Others wait until the block has ended, in which files are written from what they
    have predicted.

    Yields
    ------
    read : dict
        What `read_feature` reads of each feature, or why it could not be read.

    Raises
    ------
    LeftToOthersError
        Others are still predicting: the last of them goes on.
    WorkspaceError
        The folder of the evaluation is held by another command, or cannot be written.
    """
    folder = workspace.evaluations(ensemble.name, split)
    content = experiment.model_dump(mode="json", exclude={"drawing_description"})
    calibration = ensemble.folder / CALIBRATION  # what is predicted is scored with it
    calibrated = calibration.read_bytes().hex() if calibration.exists() else None
    of_model = [ensemble.digest, ensemble.method, calibrated]
    key = digest_of([content, dataset.digest, of_model, [*features]])
    with working_together(folder, "evaluating into", hands, key) as job:
        given = _give(experiment, workspace, rasters, ensemble, job.token)
        tasks = {feature: feature for feature in features}
        results = job.do(_predict_task, given, tasks, progress)
        yield {
            feature: result["failure"] if "failure" in result else _to_parts(result)
            for feature, result in results.items()
        }


def predict_side_by_side(
    experiment: Experiment,
    workspace: Workspace,
    ensemble: Ensemble,
    split: str,
    features: Sequence[str],
    rasters: dict[str, list[str]],
    jobs: int,
    progress: Progress,
) -> dict[str, Parts | str]:
    """
    Return what `predicting_together` yields, by processes of this command.

    Raises
    ------
    GlacierInversionError
        No process is left that could begin. What `read_feature` raises otherwise is
        raised.
    """
    given = _give(experiment, workspace, rasters, ensemble)
    read: dict[str, Parts | str] = {}
    folder = workspace.evaluations(ensemble.name, split)
    predicting = closing(do_side_by_side(_predict_one, given, features, jobs))
    with needing_processes(folder, keeps=False), predicting as done:
        for feature, parts in done:
            if isinstance(parts, ProcessLostError):
                read[feature] = tell_lost()
            else:
                read[feature] = parts
            progress.advance(feature)
    return read


def _give(
    experiment: Experiment,
    workspace: Workspace,
    rasters: dict[str, list[str]],
    ensemble: Ensemble,
    token: str = "",
) -> _Given:
    device = ensemble.device.elsewhere
    return _Given(token, experiment, workspace, rasters, ensemble.method, device)


def _predict_task(given: _Given, feature: str) -> Result:
    parts = _predict_one(given, feature)
    return {"failure": parts} if isinstance(parts, str) else _from_parts(parts)


def _predict_one(given: _Given, feature: str) -> Parts | str:
    """Return what is known and predicted of a feature, or why nothing is."""
    torch.set_num_threads(share_of_cores())
    dataset, ensemble = once(given.token, lambda: _open(given))
    try:
        return read_feature(
            ensemble.model.experiment, dataset, feature, given.rasters, ensemble
        )
    except (DatasetError, RasterError) as error:
        return str(error)


def _open(given: _Given) -> tuple[BuiltDataset, Ensemble]:
    experiment = given.experiment
    rasters = experiment.evaluation_description.rasters
    dataset = open_dataset(experiment, given.workspace, rasters)
    device = open_device(given.device)
    ensemble = open_subject(experiment, dataset, given.workspace, given.method, device)
    return dataset, ensemble


def _from_parts(parts: Parts) -> Result:
    """Return what JSON can hold, to the bit."""
    return {
        "parts": [
            {
                "output": output,
                "x": _to_text(part.x),
                "y": _to_text(part.y),
                "observed": _to_text(part.observed),
                "rasters": {n: _to_text(own) for n, own in part.rasters.items()},
                "n_members": len(part.members),
                "members": _to_text(part.members),
                "noise": _to_text(part.noise),
            }
            for output, part in parts
        ]
    }


def _to_parts(result: dict[str, Any]) -> Parts:
    return [
        (
            own["output"],
            KnownPart(
                _from_text(own["x"]),
                _from_text(own["y"]),
                _from_text(own["observed"]),
                {n: _from_text(text) for n, text in own["rasters"].items()},
                _from_text(own["members"]).reshape(own["n_members"], -1),
                _from_text(own["noise"]),
            ),
        )
        for own in result["parts"]
    ]


def _to_text(numbers: Floats) -> str:
    return base64.b64encode(numbers.astype("<f8").tobytes()).decode()


def _from_text(text: str) -> Floats:
    return np.frombuffer(base64.b64decode(text), "<f8").astype(np.float64)
