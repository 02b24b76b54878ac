"""Evaluate: how far an ensemble is from what is known, beside simple methods."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import glacier_inversion
from glacier_inversion.choices import DeviceName, DrawingMethod, FeatureGroup
from glacier_inversion.dataset.opened import BuiltDataset, open_dataset
from glacier_inversion.drawing.models import describe_way, features_of, open_ensemble
from glacier_inversion.errors import DatasetError, ModelError, RasterError
from glacier_inversion.evaluation.baselines import Method, fit_baselines
from glacier_inversion.evaluation.metrics import REGRESSION
from glacier_inversion.evaluation.pixels import KnownPixels
from glacier_inversion.evaluation.predictions import read_known_pixels
from glacier_inversion.evaluation.scores import score_outputs
from glacier_inversion.evaluation.tables import format_csv, tabulate_residuals
from glacier_inversion.evaluation.uncertainty import score_calibration
from glacier_inversion.experiment.evaluation import find_other_units, rasters_of
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.files import replacing_all, working_in
from glacier_inversion.geodata.vectors import to_geopackage
from glacier_inversion.patches.tiles import Tiles, contents
from glacier_inversion.progress import Progress, Silent
from glacier_inversion.state_files import to_state
from glacier_inversion.training.model.calibration import OutputCalibration
from glacier_inversion.training.model.calibration_file import (
    CALIBRATION,
    read_calibration,
)
from glacier_inversion.training.model.ensemble import Ensemble
from glacier_inversion.training.network.devices import Device, open_device
from glacier_inversion.workspace import Workspace

logger = logging.getLogger(__name__)

FORMAT = 1  # of metrics.json
_TRAINED = "train", "validation"  # the splits that training reads
_FILES = ("metrics.json", "metrics.csv", "residuals.gpkg")


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
    progress: Progress | None = None,
) -> EvaluationReport:
    """
    Compare what the experiment's model predicts with what is known.

    The ensemble predicts at the centres of the known pixels of its outputs, inside the
    outlines and outside, as far as they are the features' own. It is measured there
    beside each of its members, the mean of the training pixels, and what the
    experiment's `evaluation_description` names. Of a measured output the intervals of
    the members' spread are scored, those of its calibration, and those of errors
    of one size. Numbers and points are written into evaluations/MODEL/SPLIT, all of
    them or none. Targets that have changed since the model was trained are warned of.

    Parameters
    ----------
    split : {"test", "validation", "train", "all"}
        The features: those that the model remembers by this name, or all of the
        dataset.
    method : {"auto", "dense", "patches"}
        How points are evaluated, as in `draw`.
    device : {"auto", "cpu", "cuda"} or Device
        "auto" is the GPU if there is one.

    Raises
    ------
    DatasetError
        The dataset is not built, or was built from another description; no output is
        known on the features, or on those of training.
    ModelError
        The model is not trained or does not fit.
    DeviceError
        The GPU fails, or its memory does not suffice.
    WorkspaceError
        The files cannot be written, or another command is writing them.
    """
    for name, value, allowed in (
        ("split", split, get_args(FeatureGroup)),
        ("method", method, get_args(DrawingMethod)),
    ):
        if value not in allowed:
            message = f"Invalid {name} {value!r}. Must be one of {allowed}."
            raise ValueError(message)
    progress = progress or Silent()
    if isinstance(device, str):  # before data are read: it may not be there
        device = open_device(device)
    description = experiment.evaluation_description
    dataset = open_dataset(experiment, workspace, description.rasters)
    problems: list[str] = []
    name = experiment.model_name
    ensemble = open_ensemble(
        experiment, dataset, workspace, name, method, device, problems
    )
    if problems or ensemble is None:
        raise ModelError("\n".join(problems))
    features, trained = (
        features_of(ensemble, dataset, wanted, dataset.select(wanted))
        for wanted in (split, "train")
    )
    logger.info(
        "%s: evaluating %d members on %d features, %s",
        name,
        len(ensemble.seeds),
        len(features),
        describe_way(ensemble),
    )
    if split in ("train", "all"):
        logger.warning(
            "%s: was trained on features of these. Errors on others are larger", name
        )
    _warn_of_targets(ensemble, dataset)
    rasters = rasters_by_output(experiment)
    own, failures = ensemble.model.experiment, dataset.find_failed(split)
    progress.start("evaluating", len(features) + len(trained), "feature")
    training = read_known_pixels(own, dataset, trained, rasters, progress)
    pixels = read_known_pixels(
        own,
        dataset,
        features,
        rasters,
        progress,
        ensemble=ensemble,
        failures=failures,
    )
    failures |= _find_unpredicted(pixels)
    for feature, why in failures.items():
        logger.error("%s: %s", feature, why)
    units = {v.name: ensemble.model.units.get(v.name) for v in own.outputs}
    units |= {output: unit for output, unit in dataset.units.items() if unit}
    for message in find_other_units(description, units):
        logger.warning("%s", message)
    scores = score_outputs(
        own.losses_name,
        description.classes,
        pixels,
        ensemble.seeds,
        fit_methods(experiment, training, pixels, units),
        units,
        f"{dataset.folder}: split {split}",
    )
    calibrations = _read_calibrations(ensemble)
    for output, of_output in scores.items():
        if of_output["kind"] == REGRESSION.name:
            calibration = calibrations.get(output)
            of_output["uncertainty"] = score_calibration(pixels[output], calibration)
    metrics = {
        "model": name,
        "model_identity": ensemble.model.identity,
        "model_sha256": ensemble.digest,
        "split": split,
        "features": features,
        "seeds": ensemble.seeds,
        "software": f"glacier_inversion {glacier_inversion.__version__}",
        "outputs": scores,
    }
    folder = workspace.evaluations(name, split)
    written = [folder / file for file in _FILES]
    epsg = experiment.dataset_description.epsg
    with working_in(folder, "evaluating into"):
        residuals = tabulate_residuals(pixels, ensemble.seeds, epsg)
        files = (
            to_state(metrics, FORMAT),
            format_csv(metrics).encode(),
            to_geopackage(residuals, "residuals"),
        )
        with replacing_all(written) as scratches:
            for scratch, content in zip(scratches, files, strict=True):
                scratch.write_bytes(content)
    return EvaluationReport(written, metrics, pixels, failures)


def _find_unpredicted(pixels: Mapping[str, KnownPixels]) -> dict[str, str]:
    """Say of which features something is known, and nothing can be predicted there."""
    known, predicted = Counter[str](), Counter[str]()
    for of_output in pixels.values():
        known.update(of_output.count_by_feature())
        predicted.update(of_output.count_predicted())
    return {
        feature: f"nothing can be predicted at its {n:,} known pixels. Must have valid "
        "inputs around some. 'ginv draw' says what is missing."
        for feature, n in known.items()
        if n and not predicted[feature]
    }


def _warn_of_targets(ensemble: Ensemble, dataset: BuiltDataset) -> None:
    """Say which targets the model was trained on that are others now."""
    model = ensemble.model
    splits = model.splits or {}  # an earlier version kept none
    trained = {f: split for split in _TRAINED for f in splits.get(split, [])}
    now = {f: split for f, split in dataset.splits.items() if split in _TRAINED}
    if trained != now:
        return  # which is said already, and changes what all targets are
    try:
        found = contents(_read_targets(dataset, model.experiment, now))
    except (DatasetError, RasterError) as error:  # it may be evaluated all the same
        logger.warning(
            "%s: targets not compared with training: %s", ensemble.name, error
        )
        return
    changed = [key for key, own in found.items() if model.contents.get(key) != own]
    if changed:
        logger.warning(
            "%s: was trained with other values of: %s. It is used as it was trained",
            ensemble.name,
            ", ".join(changed),
        )


def _read_targets(
    dataset: BuiltDataset, experiment: Experiment, splits: Mapping[str, str]
) -> Iterator[Tiles]:
    """Yield the targets of features, whole, as training reads them."""
    for feature, split in splits.items():
        grid = dataset.grid(feature, experiment.finest_resolution)
        rows, cols = slice(0, grid.n_rows), slice(0, grid.n_cols)
        targets = dataset.read_targets(experiment, feature, rows, cols)
        yield Tiles(feature, split, grid, {}, targets)


def _read_calibrations(ensemble: Ensemble) -> dict[str, OutputCalibration]:
    """Return how far a model errs, by output; nothing where it is not calibrated."""
    if not (ensemble.folder / CALIBRATION).exists():
        return {}
    identity, n_members = ensemble.model.identity, len(ensemble.seeds)
    try:
        return read_calibration(ensemble.folder, identity, n_members).outputs
    except ModelError as error:
        logger.warning("%s It is left aside", error)
        return {}


def rasters_by_output(experiment: Experiment) -> dict[str, list[str]]:
    """Return the rasters that the baselines of each output read."""
    baselines = experiment.evaluation_description.baselines
    return {
        output: [raster for baseline in own for raster in rasters_of(baseline)]
        for output, own in baselines.items()
    }


def fit_methods(
    experiment: Experiment,
    training: Mapping[str, KnownPixels],
    pixels: Mapping[str, KnownPixels],
    units: Mapping[str, str | None],
) -> dict[str, list[Method]]:
    """Fit the baselines of each output that is known, and apply them."""
    baselines = experiment.evaluation_description.baselines
    return {
        output: fit_baselines(
            output,
            baselines.get(output, []),
            training[output],
            known,
            units.get(output),
        )
        for output, known in pixels.items()
        if len(known.observed)
    }
