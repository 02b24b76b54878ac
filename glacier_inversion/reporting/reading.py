"""Read what a report tells of: the files of a workspace, once."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

from glacier_inversion.dataset.opened import BuiltDataset
from glacier_inversion.dataset.summary import read_summary
from glacier_inversion.drawing.drawn_features import read_calibrations
from glacier_inversion.drawing.holes import HOLES
from glacier_inversion.drawing.volume_tables import VOLUMES
from glacier_inversion.errors import ModelError, first_line
from glacier_inversion.evaluation.metrics_file import METRICS
from glacier_inversion.experiment.application import Application
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.reporting.checks import CHECKS, read_evaluation
from glacier_inversion.reporting.map_facts import read_facts
from glacier_inversion.reporting.sources import Row, Sources
from glacier_inversion.training.model.calibration import Calibration
from glacier_inversion.training.model.calibration_file import (
    CALIBRATION,
    read_calibration,
)
from glacier_inversion.training.model.ensemble import Ensemble
from glacier_inversion.training.model.logs import read_logs
from glacier_inversion.training.model.members import member_folders, member_state
from glacier_inversion.training.model.model import read_model, read_versions
from glacier_inversion.workspace import Workspace, last_part


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
            found.note(str(error))
    try:
        found.digest = Ensemble(folder, model).digest
    except ModelError as error:
        found.unusable = str(error)
    _read_evaluations(found)
    _read_drawings(found)
    return found


def _read_evaluations(found: Sources) -> None:
    for check in CHECKS:
        at = found.workspace.evaluations(found.name, check)
        if not (at / METRICS).exists():
            continue
        problems: list[str] = []
        evaluation = read_evaluation(at, found.model, found.digest, problems)
        if evaluation is not None:
            found.evaluations[check] = evaluation
        for problem in problems:
            found.note(problem)
    found.evaluations = dict(
        sorted(found.evaluations.items(), key=lambda own: found.is_earlier(own[0]))
    )


def _read_drawings(found: Sources) -> None:
    for output in found.outputs:
        paths = {
            path: feature
            for feature in found.dataset.rows
            if (
                path := found.workspace.drawing(found.name, feature, output, "mean")
            ).is_file()
        }
        facts = read_facts([*paths], found.note)
        found.facts[output] = {paths[path]: own for path, own in facts.items()}
    if found.calibration is not None:
        found.recalibrated = [
            feature
            for feature in found.dataset.rows
            if _is_of_another(found, found.calibration, feature)
        ]
    found.holes = _read_table(found.drawings / HOLES, found.note)
    found.volumes = _read_table(found.drawings / VOLUMES, found.note)
    profiles = found.drawings / "profiles"
    found.profiles = sorted(path for path in profiles.glob("*.png") if path.is_file())
    found.n_profile_tables = len(list(profiles.glob("*.csv")))


def _is_of_another(found: Sources, calibration: Calibration, feature: str) -> bool:
    """
    Tell whether a feature was drawn by another calibration, as far as is known.

    Maps of the uncertainty may be those of an earlier run than the volumes. Of volumes
    that an earlier version wrote it is not known.
    """
    paths = [
        found.workspace.drawing(found.name, feature, output, "uncertainty")
        for output in found.outputs
    ]
    now = {output: own.digest for output, own in calibration.outputs.items()}
    told = read_calibrations(paths[0].parent) or {}
    if any(now.get(output) != digest for output, digest in told.items()):
        return True
    facts = read_facts([path for path in paths if path.is_file()], found.note)
    known = {"", calibration.digest}
    return any(own.calibration_sha256 not in known for own in facts.values())


def _read_table(path: Path, note: Callable[[str], None]) -> list[Row]:
    """Return the rows of a table; none where there is none, or it cannot be read."""
    if not path.exists():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            table = csv.DictReader(file, strict=True)
            columns, rows = table.fieldnames or [], list(table)
        if "feature" not in columns or any(None in row for row in rows):
            message = "it has no column 'feature', or a row that is too long"
            raise ValueError(message)
    except (OSError, ValueError, csv.Error) as error:
        note(
            f"{path}: cannot be read ({first_line(error)}). Must be as it was written. "
            "Run 'ginv draw' again."
        )
        return []
    return [{key: value or "" for key, value in row.items()} for row in rows]
