"""What a report tells of: what the files of a workspace hold."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import geopandas

from glacier_inversion.dataset.opened import BuiltDataset
from glacier_inversion.dataset.summary import Summary
from glacier_inversion.drawing.volume_tables import TOTAL
from glacier_inversion.evaluation.maybe_seen import has_training_features
from glacier_inversion.evaluation.metrics import KINDS, Kind
from glacier_inversion.evaluation.metrics_file import OutputScores
from glacier_inversion.evaluation.scores import kind_of
from glacier_inversion.experiment.application import Application
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.reporting.checks import (
    CROSSVAL,
    VALIDATION,
    Evaluation,
    OfModel,
    describe_check,
    never_seen,
    tell_folds,
)
from glacier_inversion.reporting.map_facts import MapFacts
from glacier_inversion.reporting.quantities import count
from glacier_inversion.training.model.applicability import APPLICABILITY
from glacier_inversion.training.model.calibration import (
    Calibration,
    OutputCalibration,
)
from glacier_inversion.training.model.logs import Curves
from glacier_inversion.training.model.members import MemberState
from glacier_inversion.training.model.model import Model
from glacier_inversion.workspace import SPLITS, Workspace

logger = logging.getLogger(__name__)

Row = dict[str, str]


@dataclass
class Sources:
    """
    Everything that a report on one model tells of.

    Attributes
    ----------
    name : str
        Of the model.
    states : dict
        How far each member is, by seed.
    digest : str or None
        Of the model, as maps have it in their tags; None where a network cannot be
        used, which *unusable* says then.
    calibration : Calibration or None
        None where there is none, or it cannot be used.
    evaluations : dict of Evaluation
        By name, in the order of `CHECKS`, but those of an earlier model last.
    summary : Summary
        Of the dataset.
    facts : dict of dict of MapFacts
        By output, of each feature with a map of the mean that can be read.
    recalibrated : list of str
        The features whose uncertainty is drawn by another calibration than this one.
    holes, volumes : list of dict of str
        The rows of these tables, by column; empty where there is none.
    profiles : list of Path
        The pictures of profiles.
    broken : list of str
        Why files that are there could not be used.
    """

    name: str
    folder: Path
    experiment: Experiment | Application
    workspace: Workspace
    model: Model
    dataset: BuiltDataset
    summary: Summary
    versions: Mapping[str, str]
    states: dict[int, MemberState]
    logs: dict[int, Curves]
    digest: str | None = None
    unusable: str = ""
    calibration: Calibration | None = None
    evaluations: dict[str, Evaluation] = field(default_factory=dict)
    facts: dict[str, dict[str, MapFacts]] = field(default_factory=dict)
    recalibrated: list[str] = field(default_factory=list)
    holes: list[Row] = field(default_factory=list)
    volumes: list[Row] = field(default_factory=list)
    profiles: list[Path] = field(default_factory=list)
    n_profile_tables: int = 0
    broken: list[str] = field(default_factory=list)

    @property
    def outputs(self) -> list[str]:
        """What the model predicts."""
        return [variable.name for variable in self.model.experiment.outputs]

    @property
    def seeds(self) -> list[int]:
        """Those of the finished members."""
        return [seed for seed, state in self.states.items() if state == "finished"]

    @property
    def is_applied(self) -> bool:
        """Whether the experiment only applies the model, trained from another one."""
        return isinstance(self.experiment, Application)

    @property
    def knows_training(self) -> bool:
        """Whether the model holds what its inputs were like in training."""
        return (self.folder / APPLICABILITY).exists()

    @cached_property
    def has_training_features(self) -> bool:
        """
        Whether the features are those of training, not others by the same ids.

        They are told by their tiles where the experiment only applies the model.
        """
        if not self.is_applied:
            return True
        return self.model.splits is not None and has_training_features(
            self.model, self.dataset
        )

    def note(self, message: str) -> None:
        """Take down once why a file could not be used, and log it."""
        if message not in self.broken:
            self.broken.append(message)
            logger.warning("%s", message)

    def forget_map(self, output: str, feature: str) -> None:
        """Count a feature as not drawn: its map cannot be read."""
        self.facts[output].pop(feature, None)

    def advise(self, command: str) -> str:
        """Begin an advice to run a command; others than this file's run elsewhere."""
        if self.is_applied:
            return f"Where the model was trained, with its experiment, run '{command}'"
        return f"Run '{command}'"

    @property
    def drawn(self) -> dict[str, list[str]]:
        """The features with a map of the mean that shows something, by output."""
        return {
            output: [feature for feature, told in own.items() if not told.is_empty]
            for output, own in self.facts.items()
        }

    def empty(self, output: str) -> list[str]:
        """Return the features of whose map no pixel could be drawn."""
        return [f for f, told in self.facts[output].items() if told.is_empty]

    @property
    def splits(self) -> dict[str, str]:
        """The split of each feature: the model's own, or else what it is now."""
        if not self.has_training_features:
            return {}
        remembered = self.model.splits
        if remembered is None:
            return dict(self.dataset.splits)
        return {f: split for split in SPLITS for f in remembered[split]}

    @property
    def drawings(self) -> Path:
        """The folder of the maps."""
        return self.workspace.drawings(self.name)

    def unit(self, output: str) -> str:
        """Return the unit of an output, nothing where it has none."""
        for evaluation in self.evaluations.values():
            scores = evaluation.metrics.outputs.get(output)
            if scores and scores.unit:
                return scores.unit
        unit = self.model.units.get(output) or self.dataset.units.get(output)
        return unit or ""

    def calibrated(self, output: str) -> OutputCalibration | None:
        """Return how far predictions of an output err, None where that is not known."""
        return self.calibration.outputs.get(output) if self.calibration else None

    def scores(self, output: str) -> dict[str, OutputScores]:
        """Return what the evaluations found of an output."""
        return {
            name: evaluation.metrics.outputs[output]
            for name, evaluation in self.evaluations.items()
            if output in evaluation.metrics.outputs
        }

    def volumes_of(self, output: str) -> list[Row]:
        """Return the rows of an output's features in the table of volumes."""
        return [row for row in self._rows_of(output) if row["feature"] != TOTAL]

    def volume_of_all(self, output: str) -> Row | None:
        """Return the row of all features together; None where nothing is drawn."""
        own = self._rows_of(output)
        return next((row for row in own if row["feature"] == TOTAL), None)

    def _rows_of(self, output: str) -> list[Row]:
        return [row for row in self.volumes if row.get("output") == output]

    def best(self, output: str) -> str | None:
        """Return the evaluation that says most of glaciers that were not seen."""
        return next(iter(self.scores(output)), None)

    def tell_fitted(self, output: str) -> str:
        """Say of how many features or groups the calibration of an output is."""
        own = self.calibrated(output)
        if own is None:
            return ""
        if not own.of_groups:
            return count(own.n_features, "feature")
        features = count(len(own.features), "feature")
        return f"{count(own.n_features, 'group')} of {features}"

    def kind(self, output: str) -> Kind:
        """Return how an output is measured: as the best check did, else by its loss."""
        best = self.best(output)
        if best is not None:
            return KINDS[self.scores(output)[best].kind]
        return kind_of(self.model.experiment.losses_name[output])

    def describe(self, check: str) -> str:
        """Say what the features of an evaluation are to the networks."""
        maybe_seen = self.evaluations[check].metrics.maybe_seen
        return describe_check(check, self.model.experiment, maybe_seen)

    @property
    def never_seen(self) -> list[str]:
        """The evaluations whose features had no say in the predicting networks."""
        return [
            check
            for check in never_seen(self.model.experiment)
            if check not in self.evaluations
            or not self.evaluations[check].metrics.maybe_seen
        ]

    def is_earlier(self, check: str) -> bool:
        """Tell whether an evaluation is of an earlier model."""
        return self.evaluations[check].of_model is OfModel.NO

    def tell_folds(self, check: str) -> str:
        """Say where a cross-validation learnt from more features than the model."""
        if check != CROSSVAL:
            return ""
        return tell_folds(self.evaluations[check].metrics, self.model)

    def learnt_from(self, check: str) -> dict[str, list[str]]:
        """
        Return what the networks of a check learnt from, by the feature they predict.

        Nothing of a check of features that they have learnt from themselves.
        """
        metrics = self.evaluations[check].metrics
        if check == CROSSVAL:
            return {f: fold.train for fold in metrics.folds for f in fold.held_out}
        if check not in ("test", VALIDATION):
            return {}
        trained = [f for f, split in self.splits.items() if split == "train"]
        return dict.fromkeys(metrics.features, trained)

    def residuals(self, output: str, name: str) -> geopandas.GeoDataFrame | None:
        """Return the known pixels of an output in an evaluation, None if not there."""
        table = self.evaluations[name].residuals
        if table is None:
            return None
        own: geopandas.GeoDataFrame = table[table["output"] == output]
        return own
