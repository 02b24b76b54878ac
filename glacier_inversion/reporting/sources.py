"""What a report tells of: the files of a workspace, read once."""

from __future__ import annotations

import csv
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import geopandas

from glacier_inversion.dataset.opened import BuiltDataset
from glacier_inversion.dataset.summary import Summary, read_summary
from glacier_inversion.drawing.holes import HOLES
from glacier_inversion.drawing.volume_tables import TOTAL, VOLUMES
from glacier_inversion.errors import (
    GlacierInversionError,
    ModelError,
    first_line,
)
from glacier_inversion.evaluation.metrics_file import (
    METRICS,
    Metrics,
    OutputScores,
    read_metrics,
    read_residuals,
)
from glacier_inversion.experiment.application import Application
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.training.model.calibration import Calibration, OutputCalibration
from glacier_inversion.training.model.calibration_file import (
    CALIBRATION,
    read_calibration,
)
from glacier_inversion.training.model.logs import Curves, read_logs
from glacier_inversion.training.model.members import (
    MemberState,
    member_folders,
    member_state,
)
from glacier_inversion.training.model.model import (
    Model,
    read_model,
    read_versions,
)
from glacier_inversion.workspace import SPLITS, Workspace, last_part

logger = logging.getLogger(__name__)

CHECKS = {
    "crossval": "held out in turn: the networks that predict a feature were trained "
    "without it",
    "test": "kept apart as a test: no network has seen them",
    "validation": "used for validation: not trained on, but they may have decided "
    "which networks were kept",
    "train": "trained on: errors there say little of others",
    "all": "of the whole dataset: those that the networks were trained on, too",
}
"""
The evaluations, and what their features are to the networks.

From the one that says most of glaciers never seen to those that say least.
"""
NEVER_SEEN = ("crossval", "test")
"""Those whose features the predicting networks did not know in any way."""

Row = dict[str, str]


@dataclass(frozen=True)
class Evaluation:
    """An evaluation of the model, and the known pixels that it predicted."""

    metrics: Metrics
    residuals: geopandas.GeoDataFrame


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
    calibration : Calibration or None
        None where there is none, or it cannot be used.
    evaluations : dict of Evaluation
        By name, in the order of `CHECKS`.
    summary : Summary
        Of the dataset.
    drawn : dict of list of str
        The features with a map of the mean, by output.
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
    calibration: Calibration | None = None
    evaluations: dict[str, Evaluation] = field(default_factory=dict)
    drawn: dict[str, list[str]] = field(default_factory=dict)
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
    def splits(self) -> dict[str, str]:
        """The split of each feature: the model's own, or else what it is now."""
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

    def residuals(self, output: str, name: str) -> geopandas.GeoDataFrame:
        """Return the known pixels of an output in an evaluation."""
        table = self.evaluations[name].residuals
        own: geopandas.GeoDataFrame = table[table["output"] == output]
        return own


def read_sources(
    experiment: Experiment | Application,
    workspace: Workspace,
    dataset: BuiltDataset,
    place: str,
) -> Sources:
    """
    Read all that there is of a model.

    Parameters
    ----------
    place : str
        The model's name, or the path to its folder.

    Raises
    ------
    ModelError
        It is not trained, or its model.json cannot be used.
    """
    name, folder = last_part(place), workspace.model_to_read(place)
    model = read_model(folder)
    states = {s: member_state(path) for s, path in member_folders(folder).items()}
    if "finished" not in states.values():
        message = (
            f"{folder}: has no finished member. Must have one at least. Run 'ginv "
            "train' first."
        )
        raise ModelError(message)
    finished = [p for s, p in member_folders(folder).items() if states[s] == "finished"]
    found = Sources(
        name,
        folder,
        experiment,
        workspace,
        model,
        dataset,
        read_summary(dataset.folder),
        read_versions(folder),
        states,
        read_logs(finished, model.experiment.best_by.column),
    )
    if (folder / CALIBRATION).exists():
        try:
            found.calibration = read_calibration(
                folder, model.identity, len(found.seeds)
            )
        except ModelError as error:
            found.broken.append(str(error))
    for split in CHECKS:
        at = workspace.evaluations(name, split)
        if not (at / METRICS).exists():
            continue
        try:
            found.evaluations[split] = Evaluation(read_metrics(at), read_residuals(at))
        except GlacierInversionError as error:
            found.broken.append(str(error))
    found.drawn = {
        output: [
            feature
            for feature in dataset.rows
            if workspace.drawing(name, feature, output, "mean").is_file()
        ]
        for output in found.outputs
    }
    found.holes = _read_table(found.drawings / HOLES, found.broken)
    found.volumes = _read_table(found.drawings / VOLUMES, found.broken)
    profiles = found.drawings / "profiles"
    found.profiles = sorted(profiles.glob("*.png"))
    found.n_profile_tables = len(list(profiles.glob("*.csv")))
    for message in found.broken:
        logger.warning("%s", message)
    return found


def _read_table(path: Path, broken: list[str]) -> list[Row]:
    """Return the rows of a table; none where there is none, or it cannot be read."""
    if not path.exists():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, strict=True))
        if any("feature" not in row or None in row for row in rows):
            message = "it has no column 'feature', or a row that is too long"
            raise ValueError(message)
    except (OSError, ValueError, csv.Error) as error:
        broken.append(
            f"{path}: cannot be read ({first_line(error)}). Must be as it was written. "
            "Run 'ginv draw' again."
        )
        return []
    return [{key: value or "" for key, value in row.items()} for row in rows]
