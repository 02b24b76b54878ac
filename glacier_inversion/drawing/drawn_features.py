"""What draw keeps of each feature, so that tables tell of all maps that lie there."""

from __future__ import annotations

import hashlib
import json
import logging
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

import glacier_inversion
from glacier_inversion.dataset.opened import BuiltDataset
from glacier_inversion.drawing.error_cells import ErrorCells
from glacier_inversion.drawing.feature_maps import DrawnFeature, rasters_read
from glacier_inversion.drawing.holes import Holes
from glacier_inversion.drawing.provenance import digest_experiment, digest_inputs
from glacier_inversion.drawing.published_volumes import PublishedMean, find_comparable
from glacier_inversion.drawing.volumes import MeanThickness
from glacier_inversion.errors import RasterError, WorkspaceError, first_line
from glacier_inversion.experiment.application import Application
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.geodata.geotiffs import opened
from glacier_inversion.state_files import read_state, write_state
from glacier_inversion.training.model.calibration import OutputCalibration
from glacier_inversion.training.model.ensemble import Ensemble
from glacier_inversion.workspace import Workspace

logger = logging.getLogger(__name__)

DRAWN = "drawn.json"
"""The name of the file, in the folder of a model's drawings."""
_FORMAT = 2  # 1: without the cells of errors


class DrawnFeatures:
    """
    What is known of every feature whose maps are those that would be drawn now.

    A feature that an earlier run drew is left out once anything has changed that its
    numbers follow from (the model, its calibration, the tiles, the outline, the
    resolution, the bed, the published maps, the version of this package), and where its
    maps are gone or were drawn otherwise since.

    Parameters
    ----------
    thicknesses : mapping of OutputCalibration or None
        The outputs whose volume is asked for, with what their uncertainty follows from.
    """

    def __init__(
        self,
        experiment: Experiment | Application,
        workspace: Workspace,
        ensemble: Ensemble,
        dataset: BuiltDataset,
        thicknesses: Mapping[str, OutputCalibration | None],
    ) -> None:
        self._workspace, self._ensemble = workspace, ensemble
        self._dataset = dataset
        self._path = workspace.drawings(ensemble.name) / DRAWN
        self._experiment = digest_experiment(experiment)
        description = experiment.drawing_description
        self._read = rasters_read(ensemble, description.bed)
        comparable = find_comparable(experiment, dataset.units)
        published = {output: comparable.get(output, []) for output in thicknesses}
        self._compared = sorted({r for own in published.values() for r in own})
        applicability = ensemble.applicability
        self._common = [
            glacier_inversion.__version__,
            ensemble.digest,
            description.resolution,
            description.bed and description.bed.model_dump(),
            {output: own and asdict(own) for output, own in thicknesses.items()},
            published,
            applicability and applicability.n_most,
            applicability is not None,
            experiment.dataset_description.epsg,
        ]

    def add(self, drawn: Mapping[str, DrawnFeature]) -> list[DrawnFeature]:
        """
        Keep what a run has drawn; return it with what is known of other features.

        A file that cannot be used is warned of, and is no more than none.

        Parameters
        ----------
        drawn : mapping of DrawnFeature
            By feature.

        Returns
        -------
        features : list of DrawnFeature
            In the order of the dataset.

        Raises
        ------
        WorkspaceError
            It cannot be written.
        """
        kept = self._kept(drawn)
        every = {
            feature: drawn[feature] if feature in drawn else kept[feature][1]
            for feature in self._dataset.rows
            if feature in drawn or feature in kept
        }
        records = {
            feature: kept[feature][0] if feature in kept else self._record(own)
            for feature, own in every.items()
        }
        content = {"sha256": _digest(records), "features": records}
        write_state(self._path, content, _FORMAT)
        return [*every.values()]

    def _kept(
        self, drawn: Mapping[str, DrawnFeature]
    ) -> dict[str, tuple[dict[str, Any], DrawnFeature]]:
        """Return the records of other features that hold still, and what they say."""
        if not self._path.exists():
            return {}
        try:
            content = read_state(self._path, _FORMAT)
            records = content["features"]
            if content["sha256"] != _digest(records):
                message = "it is not as it was written"
                raise ValueError(message)
            return {
                feature: (record, self._feature(feature, record))
                for feature, record in records.items()
                if feature not in drawn and self._holds(feature, record)
            }
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            logger.warning(
                "%s: cannot be used (%s). It is written anew: the tables of holes and "
                "volumes tell of the features of this run alone",
                self._path,
                first_line(error),
            )
            return {}

    def _holds(self, feature: str, record: Mapping[str, Any]) -> bool:
        """Tell whether a record is of the maps that lie there, and as drawn now."""
        if feature not in self._dataset.rows or (
            record["made_from"] != self._made_from(feature)
        ):
            return False
        paths = [self._map(feature, *of_what) for of_what in record["maps"]]
        if not paths or not all(path.is_file() for path in paths):
            return False
        try:
            with opened(paths[0]) as src:
                tags: dict[str, str] = src.tags()
        except RasterError:
            return False
        # a run that was stopped may have drawn another one since
        return (
            tags.items()
            >= {
                "model_sha256": self._ensemble.digest,
                "experiment_sha256": record["experiment_sha256"],
                "inputs_sha256": digest_inputs(self._dataset, feature, self._read),
            }.items()
        )

    def _map(self, feature: str, output: str, statistic: str) -> Path:
        try:
            name = self._ensemble.name
            return self._workspace.drawing(name, feature, output, statistic)
        except WorkspaceError as error:
            raise ValueError(str(error)) from error

    def _made_from(self, feature: str) -> str:
        """Identify all that the numbers of a feature follow from."""
        tiles = digest_inputs(self._dataset, feature, [*self._read, *self._compared])
        outline = self._dataset.outlines[feature].wkb_hex
        return _digest([*self._common, tiles, outline])

    def _record(self, own: DrawnFeature) -> dict[str, Any]:
        return {
            "made_from": self._made_from(own.holes.feature),
            "experiment_sha256": self._experiment,
            "maps": [list(of_what) for of_what in own.maps],
            "holes": asdict(own.holes),
            "thicknesses": {
                output: _to_json(mean) for output, mean in own.thicknesses.items()
            },
        }

    def _feature(self, feature: str, record: Mapping[str, Any]) -> DrawnFeature:
        maps = {
            (output, statistic): self._map(feature, output, statistic)
            for output, statistic in record["maps"]
        }
        means = {
            output: _from_json(mean) for output, mean in record["thicknesses"].items()
        }
        return DrawnFeature(maps, Holes(**record["holes"]), means)


def _to_json(mean: MeanThickness) -> dict[str, Any]:
    """Return what JSON can hold: it knows no NaN."""
    content = asdict(mean) | {"members": mean.members.tolist()}
    content["cells"] = mean.cells and mean.cells.to_json()
    written: dict[str, Any] = _replace(content)
    return written


def _replace(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _replace(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_replace(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _from_json(content: Mapping[str, Any]) -> MeanThickness:
    published = {
        raster: PublishedMean(**{name: _number(n) for name, n in own.items()})
        for raster, own in content["published"].items()
    }
    numbers = {
        name: _number(value)
        for name, value in content.items()
        if name not in ("feature", "members", "published", "cells")
    }
    members = np.array([_number(n) for n in content["members"]], np.float64)
    cells = content["cells"]
    return MeanThickness(
        feature=content["feature"],
        members=members,
        published=published,
        cells=None if cells is None else ErrorCells.from_json(cells),
        **numbers,
    )


def _number(value: Any) -> Any:
    return math.nan if value is None else value


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
