"""The evaluations of a model: of which features they are, and of which model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import geopandas

from glacier_inversion.errors import WorkspaceError
from glacier_inversion.evaluation.metrics_file import (
    Metrics,
    read_metrics,
    read_residuals,
)
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.reporting.quantities import count, names
from glacier_inversion.training.model.model import Model

CROSSVAL, VALIDATION = "crossval", "validation"
CHECKS = (CROSSVAL, "test", VALIDATION, "train", "all")
"""From the one that says most of glaciers never seen to those that say least."""
_OF_FEATURES = {
    CROSSVAL: "held out in turn: the networks that predict a feature were trained "
    "without it",
    "test": "kept apart as a test: no network has seen them",
    "train": "trained on: errors there say little of others",
    "all": "of the whole dataset: those that the networks were trained on, too",
}


class OfModel(Enum):
    """Whether an evaluation is of the model that is there."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Evaluation:
    """
    An evaluation, and the known pixels that were predicted.

    Attributes
    ----------
    residuals : GeoDataFrame or None
        None where they cannot be read.
    """

    metrics: Metrics
    residuals: geopandas.GeoDataFrame | None
    of_model: OfModel


def describe_check(
    check: str, experiment: Experiment, maybe_seen: Sequence[str] = ()
) -> str:
    """Say what the features of an evaluation are to the networks."""
    if maybe_seen:
        return (
            f"of the {check} by their ids, but the networks may have been trained on "
            f"the places of {names([*maybe_seen])}"
        )
    if check != VALIDATION:
        return _OF_FEATURES[check]
    if experiment.best_by.of_validation:
        said = "they decided which epoch of each network was kept"
        return f"used for validation: not trained on, but {said}"
    return "used for validation: not trained on, and they decided nothing"


def never_seen(experiment: Experiment) -> list[str]:
    """Return the evaluations whose features had no say in the predicting networks."""
    validated = [] if experiment.best_by.of_validation else [VALIDATION]
    return [CROSSVAL, "test", *validated]


def read_evaluation(
    folder: Path, model: Model, digest: str | None, problems: list[str]
) -> Evaluation | None:
    """
    Read an evaluation; None where there are no numbers.

    Parameters
    ----------
    digest : str or None
        As `Ensemble.digest`, None where a network cannot be used.
    problems : list of str
        Takes down what cannot be read.
    """
    try:
        metrics = read_metrics(folder)
    except WorkspaceError as error:
        problems.append(str(error))
        return None
    residuals = None
    try:
        residuals = read_residuals(folder)
    except WorkspaceError as error:
        problems.append(
            f"{error} Until then its numbers are told without its points: no maps of "
            "errors, no chart of predicted against measured values."
        )
    return Evaluation(metrics, residuals, _of_model(metrics, model, digest))


def _of_model(metrics: Metrics, model: Model, digest: str | None) -> OfModel:
    if metrics.model_identity is None:
        return OfModel.UNKNOWN
    is_same = metrics.model_identity == model.identity
    if metrics.model_sha256 is not None and digest is not None:
        is_same = is_same and metrics.model_sha256 == digest
    return OfModel.YES if is_same else OfModel.NO


def tell_folds(metrics: Metrics, model: Model) -> str:
    """
    Say where the networks of a cross-validation learnt from more than the model's.

    They learn from validation features, too, so what they err may be less.
    """
    sizes = sorted({len(fold.train) for fold in metrics.folds})
    own = len((model.splits or {}).get("train", []))
    if not sizes or not own or sum(sizes) / len(sizes) <= own:
        return ""
    most = f"{sizes[0]} to " if len(sizes) > 1 else ""
    return (
        f"The networks of the cross-validation learnt from {most}"
        f"{count(sizes[-1], 'feature')}, those that draw the maps from {own:,}: the "
        "errors of the maps may be larger than these."
    )
