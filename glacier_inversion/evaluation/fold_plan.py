"""What a cross-validation trains without what: its folds, and what they are made of."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from glacier_inversion.dataset.opened import BuiltDataset, open_dataset
from glacier_inversion.dataset.plan import check_serves
from glacier_inversion.evaluation.calibrate import warn_of_other_models
from glacier_inversion.evaluation.folds import (
    Fold,
    check_known,
    make_folds,
    name_options,
    read_groups,
)
from glacier_inversion.evaluation.predictions import read_known_pixels
from glacier_inversion.evaluation.subject import (
    find_experiments,
    name_subject,
)
from glacier_inversion.experiment.evaluation import find_other_units
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.progress import Progress
from glacier_inversion.training.engine import check_network
from glacier_inversion.training.ensemble_folder import refuse_other_experiment
from glacier_inversion.workspace import SPLITS, Workspace, last_part

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FoldPlan:
    """
    The folds of a cross-validation.

    Attributes
    ----------
    experiment : Experiment
    workspace : Workspace
    dataset : BuiltDataset
    models : dict of Experiment
        What is trained without each fold, by the place of the model: the experiment
        itself, or each model of the blend that it names.
    folds : list of Fold
    kept_out : list of str
        Features that no fold trains on: the test split, unless it takes part.
    groups : dict of str, optional
        The group of each feature, where folds are of groups.
    """

    experiment: Experiment
    workspace: Workspace
    dataset: BuiltDataset
    models: Mapping[str, Experiment]
    folds: list[Fold]
    kept_out: list[str]
    groups: dict[str, str] | None

    @property
    def name(self) -> str:
        """Of what is cross-validated, a model or a blend."""
        return name_subject(self.experiment)

    def folder(self, place: str, fold: Fold) -> Path:
        """Return where a model's members lie that are trained without a fold."""
        return self.workspace.fold(last_part(place), fold.name)

    def refuse_others(self) -> None:
        """Refuse folders that hold folds of other experiments; ModelError."""
        for place, own in self.models.items():
            for fold in self.folds:
                refuse_other_experiment(own, self.folder(place, fold))

    def without(self, fold: Fold) -> BuiltDataset:
        """Return the dataset, split for the training without a fold."""
        return replace(self.dataset, splits=fold.splits(self.kept_out))


def plan_folds(
    experiment: Experiment,
    workspace: Workspace,
    *,
    n_folds: int | None,
    group: str | None,
    nested: bool,
    with_test: bool,
    progress: Progress,
) -> FoldPlan:
    """
    Divide what is known into folds, and check that each can be trained without.

    Parameters are those of `crossval`.

    Raises
    ------
    DatasetError, ExperimentError, ModelError
        As `crossval` raises them.
    """
    models = find_experiments(experiment, workspace)
    for own in models.values():
        check_network(own)
        check_serves(experiment.dataset_description, own)
    read = [v.name for own in models.values() for v in own.inputs]
    description = experiment.evaluation_description
    dataset = open_dataset(experiment, workspace, [*description.rasters, *read])
    for message in find_other_units(description, dataset.units):
        logger.warning("%s", message)
    warn_of_other_models(models, workspace, dataset)
    splits = SPLITS if with_test else SPLITS[:-1]
    features = [f for f in dataset.rows if dataset.splits.get(f) in splits]
    kept_out = [f for f in dataset.select("test") if f not in features]
    nested = nested or any(own.best_by.of_validation for own in models.values())
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
    for own in models.values():
        check_known(folds, known, own.criterion)
    plan = FoldPlan(experiment, workspace, dataset, models, folds, kept_out, groups)
    validated = "nested" if nested else "no validation"
    logger.info("%s: %d folds, %s", plan.name, len(folds), validated)
    return plan
