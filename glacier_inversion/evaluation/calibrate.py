"""Calibration: how far a model errs where it was not trained, kept with the model."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from glacier_inversion.errors import DatasetError
from glacier_inversion.evaluation.metrics import REGRESSION
from glacier_inversion.evaluation.pixels import KnownPixels
from glacier_inversion.evaluation.uncertainty import calibrate_output
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.training.model.calibration import (
    Calibration,
    Source,
    write_calibration,
)
from glacier_inversion.training.model.model import read_model
from glacier_inversion.workspace import Workspace

logger = logging.getLogger(__name__)


def calibrate_outputs(
    experiment: Experiment,
    workspace: Workspace,
    scores: dict[str, Any],
    pixels: Mapping[str, KnownPixels],
    groups: Mapping[str, str] | None,
    source: Source,
) -> None:
    """
    Fit the uncertainty of measured outputs, score it, and keep it with the model.

    It is kept where the model is trained from this experiment, which is warned of if it
    is not. An output with errors on fewer than 4 features or groups has none.

    Parameters
    ----------
    scores : dict
        By output, as `score_outputs` returns them; 'uncertainty' is added, what
        `calibrate_output` says of it.
    pixels : mapping of KnownPixels
        What members predict that did not know the features.
    groups : mapping of str, optional
        What features belong together.
    source : {"crossval", "validation"}
        Where these members are from.
    """
    calibrations = {}
    for output, of_output in scores.items():
        if of_output["kind"] == REGRESSION.name:
            activation = experiment.last_activation(output)
            try:
                calibrations[output], of_output["uncertainty"] = calibrate_output(
                    output, pixels[output], groups, activation
                )
            except DatasetError as error:
                logger.warning("no calibration: %s", error)
    folder = workspace.model(experiment.model_name)
    if not calibrations:
        return
    if not (folder / "model.json").exists():
        logger.warning(
            "%s: is not trained, so no calibration is kept with it. Train it, and run "
            "this again: its folds are kept",
            folder,
        )
        return
    model = read_model(folder)
    changed = model.differing(replace(model, experiment=experiment))
    if changed:
        logger.warning(
            "%s: was trained with other values of: %s. No calibration is kept with it",
            folder,
            ", ".join(changed),
        )
        return
    write_calibration(Calibration(calibrations, source, model.identity), folder)
