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
from glacier_inversion.files import write_all
from glacier_inversion.geodata.vectors import to_geopackage
from glacier_inversion.state_files import to_state
from glacier_inversion.workspace import Workspace


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
    epsg = experiment.dataset_description.epsg
    residuals = tabulate_residuals(pixels, metrics["seeds"], epsg)
    fold_of = {feature: f.name for f in folds for feature in f.held_out}
    residuals.insert(2, "fold", residuals["feature"].map(fold_of))
    kinds = {output: kind_of(experiment.losses_name[output]) for output in pixels}
    outlines = tabulate_folds(dataset, fold_of, pixels, kinds, epsg)
    files = {
        folder / "metrics.json": to_state(metrics, FORMAT),
        folder / "metrics.csv": format_csv(metrics).encode(),
        folder / "predictions.csv": format_predictions(residuals).encode(),
        folder / "residuals.gpkg": to_geopackage(residuals, "residuals"),
        folder / "folds.gpkg": to_geopackage(outlines, "folds"),
    }
    write_all(files)
    return [*files]
