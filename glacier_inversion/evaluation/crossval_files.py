"""What a cross-validation writes: numbers, points and the outlines of folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from glacier_inversion.dataset.opened import BuiltDataset
from glacier_inversion.evaluation.evaluate import FORMAT
from glacier_inversion.evaluation.folds import CROSSVAL, Fold
from glacier_inversion.evaluation.pixels import KnownPixels
from glacier_inversion.evaluation.scores import kind_of
from glacier_inversion.evaluation.tables import (
    format_csv,
    format_predictions,
    tabulate_folds,
    tabulate_residuals,
)
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.files import replacing_all
from glacier_inversion.geodata.vectors import to_geopackage
from glacier_inversion.state_files import to_state
from glacier_inversion.workspace import Workspace

_FILES = (
    "metrics.json",
    "metrics.csv",
    "predictions.csv",
    "residuals.gpkg",
    "folds.gpkg",
)


def write_crossval(
    experiment: Experiment,
    workspace: Workspace,
    dataset: BuiltDataset,
    folds: Sequence[Fold],
    pixels: Mapping[str, KnownPixels],
    metrics: dict[str, Any],
) -> list[Path]:
    """
    Write numbers, points and outlines, all of them or none; return their paths.

    The caller holds the folder that they are written to.
    """
    folder = workspace.evaluations(metrics["model"], CROSSVAL)
    written = [folder / file for file in _FILES]
    epsg = experiment.dataset_description.epsg
    residuals = tabulate_residuals(pixels, metrics["seeds"], epsg)
    fold_of = {feature: f.name for f in folds for feature in f.held_out}
    residuals.insert(2, "fold", residuals["feature"].map(fold_of))
    kinds = {output: kind_of(experiment.losses_name[output]) for output in pixels}
    outlines = tabulate_folds(dataset, fold_of, pixels, kinds, epsg)
    contents = (
        to_state(metrics, FORMAT),
        format_csv(metrics).encode(),
        format_predictions(residuals).encode(),
        to_geopackage(residuals, "residuals"),
        to_geopackage(outlines, "folds"),
    )
    with replacing_all(written) as scratches:
        for scratch, content in zip(scratches, contents, strict=True):
            scratch.write_bytes(content)
    return written
