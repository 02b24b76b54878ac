"""Predict what is known of a split, and score it beside simpler methods."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import get_args

from glacier_inversion.choices import DeviceName, DrawingMethod, FeatureGroup
from glacier_inversion.dataset.opened import BuiltDataset, open_dataset
from glacier_inversion.drawing.models import describe_way, features_of
from glacier_inversion.errors import DatasetError, RasterError, name_some
from glacier_inversion.evaluation.baselines import Method, fit_baselines
from glacier_inversion.evaluation.maybe_seen import find_maybe_seen
from glacier_inversion.evaluation.pixels import KnownPixels
from glacier_inversion.evaluation.prediction_tasks import (
    predict_side_by_side,
    predicting_together,
)
from glacier_inversion.evaluation.predictions import Parts, read_known_pixels
from glacier_inversion.evaluation.scores import Scores, score_outputs
from glacier_inversion.evaluation.subject import open_subject
from glacier_inversion.experiment.evaluation import find_other_units, rasters_of
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.locks import working_in
from glacier_inversion.patches.tiles import Tiles, contents
from glacier_inversion.progress import Progress, Silent
from glacier_inversion.sharing.attempts import Hands
from glacier_inversion.training.model.blend import parts_of
from glacier_inversion.training.model.ensemble import Ensemble
from glacier_inversion.training.network.devices import Device, open_device
from glacier_inversion.workspace import Workspace

logger = logging.getLogger(__name__)

_TRAINED = "train", "validation"  # the splits that training reads


@dataclass(frozen=True)
class SplitScores:
    """
    What a model predicts of a split, beside what is known.

    Attributes
    ----------
    split : str
    ensemble : Ensemble
    features : list of str
        Those of the split.
    pixels : dict of KnownPixels
        Of each output, with what each member predicts.
    scores : dict of Scores
        Of each output that is known, as `score_output` gives them.
    failures : dict of str
        Why features could not be read or predicted, by id.
    maybe_seen : list of str
        Features of a split that is kept apart of which it is not known that no network
        was trained on them, as `find_maybe_seen` tells.
    """

    split: str
    ensemble: Ensemble
    features: list[str]
    pixels: dict[str, KnownPixels]
    scores: dict[str, Scores]
    failures: dict[str, str]
    maybe_seen: list[str]


@contextmanager
def scoring_split(
    experiment: Experiment,
    workspace: Workspace,
    *,
    split: FeatureGroup,
    method: DrawingMethod,
    device: DeviceName | Device,
    progress: Progress | None,
    hands: Hands | None = None,
    jobs: int = 1,
) -> Iterator[SplitScores]:
    """
    Predict what is known, and score it, as `evaluate` does before it writes.

    The folder of the evaluation is held for the block, in which it writes.

    Parameters
    ----------
    split, method, device
        As `evaluate` takes them.
    hands : Hands, optional
        Who predicts.
    jobs : int
        Where nobody else does: processes that predict; 1 on a GPU.

    Raises
    ------
    DatasetError, ModelError, DeviceError, LeftToOthersError, WorkspaceError
        As `evaluate` raises them.
    """
    for name, value, allowed in (
        ("split", split, get_args(FeatureGroup)),
        ("method", method, get_args(DrawingMethod)),
    ):
        if value not in allowed:
            message = f"Invalid {name} {value!r}. Must be one of {allowed}."
            raise ValueError(message)
    progress = progress or Silent()
    device = open_device(device)  # before data are read: it may not be there
    description = experiment.evaluation_description
    dataset = open_dataset(experiment, workspace, description.rasters)
    ensemble = open_subject(experiment, dataset, workspace, method, device)
    name = ensemble.name
    with ExitStack() as held:
        if hands is None:  # before data are read: shards may be at work
            folder = workspace.evaluations(name, split)
            held.enter_context(working_in(folder, "evaluating into"))
        features, trained = (
            features_of(ensemble, dataset, wanted, dataset.select(wanted))
            for wanted in (split, "train")
        )
        if not features:
            message = (
                f"{dataset.folder}: none of its features is in the split {split!r}. "
                "Must be one at least, on which something was measured. Evaluate "
                "another split, or let the experiment give some to this one."
            )
            raise DatasetError(message)
        logger.info(
            "%s: evaluating %d members on %d features, %s",
            name,
            len(ensemble.seeds),
            len(features),
            describe_way(ensemble),
        )
        maybe_seen = _warn_of_what_it_saw(ensemble, dataset, split, features)
        for part in parts_of(ensemble):
            _warn_of_targets(part, dataset)
        rasters = rasters_by_output(experiment)
        own, failures = ensemble.model.experiment, dataset.find_failed(split)
        progress.start("evaluating", len(features) + len(trained), "feature")
        read: dict[str, Parts | str] | None = None  # None: here, one after the other
        if hands is not None:
            predicting = predicting_together(
                experiment,
                workspace,
                ensemble,
                dataset,
                split,
                features,
                rasters,
                hands,
                progress,
            )
            read = held.enter_context(predicting)
        elif min(jobs, len(features)) > 1:
            read = predict_side_by_side(
                experiment,
                workspace,
                ensemble,
                split,
                features,
                rasters,
                jobs,
                progress,
            )
        training = read_known_pixels(own, dataset, trained, rasters, progress)
        pixels = read_known_pixels(
            own,
            dataset,
            features,
            rasters,
            progress if read is None else Silent(),
            ensemble=ensemble,
            failures=failures,
            read=read,
        )
        failures |= _find_unpredicted(pixels)
        for feature, why in failures.items():
            logger.error("%s: %s", feature, why)
        scores = _score(experiment, dataset, ensemble, split, training, pixels)
        yield SplitScores(
            split, ensemble, features, pixels, scores, failures, maybe_seen
        )


def _score(
    experiment: Experiment,
    dataset: BuiltDataset,
    ensemble: Ensemble,
    split: str,
    training: Mapping[str, KnownPixels],
    pixels: Mapping[str, KnownPixels],
) -> dict[str, Scores]:
    """Score what was predicted, beside methods that are fitted to *training*."""
    own, description = ensemble.model.experiment, experiment.evaluation_description
    units = {v.name: ensemble.model.units.get(v.name) for v in own.outputs}
    units |= {output: unit for output, unit in dataset.units.items() if unit}
    for message in find_other_units(description, units):
        logger.warning("%s", message)
    return score_outputs(
        own.losses_name,
        description.classes,
        pixels,
        ensemble.seeds,
        fit_methods(experiment, training, pixels, units),
        units,
        f"{dataset.folder}: split {split}",
    )


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


def _warn_of_what_it_saw(
    ensemble: Ensemble, dataset: BuiltDataset, split: str, features: list[str]
) -> list[str]:
    """
    Say that features had a part in training, as far as they had one.

    Returns
    -------
    maybe_seen : list of str
        As `SplitScores` has it.
    """
    if split in ("train", "all"):
        logger.warning(
            "%s: was trained on features of these. Errors on others are larger",
            ensemble.name,
        )
    elif split == "validation" and any(
        part.model.experiment.best_by.of_validation for part in parts_of(ensemble)
    ):
        logger.warning(
            "%s: its best epochs were chosen by these features. Errors on others may "
            "be larger: 'ginv crossval' predicts features that had no say",
            ensemble.name,
        )
    if split not in ("test", "validation"):
        return []
    seen = {
        feature
        for part in parts_of(ensemble)
        for feature in find_maybe_seen(part.model, dataset, features)
    }
    maybe_seen = [feature for feature in features if feature in seen]
    if maybe_seen:
        logger.warning(
            "%s: its networks may have been trained on the places of: %s. By their "
            "ids they were kept apart, but their outlines overlap with those of "
            "training, or the features of training are others now. Give the ids and "
            "data back, or train anew",
            ensemble.name,
            name_some(maybe_seen),
        )
    return maybe_seen


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
