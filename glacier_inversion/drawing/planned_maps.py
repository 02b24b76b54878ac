"""The maps that a model is to draw, and all that those of a feature follow from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from glacier_inversion.dataset.opened import BuiltDataset
from glacier_inversion.drawing.calibrated import is_calibrated, statistics_of
from glacier_inversion.drawing.drawn_features import DrawnFeature, read_record
from glacier_inversion.drawing.models import describe_way
from glacier_inversion.drawing.provenance import describe_band, digest_inputs, tags_of
from glacier_inversion.drawing.published_volumes import find_comparable
from glacier_inversion.experiment.application import Application
from glacier_inversion.experiment.beds import Bed
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.experiment.sections import APPLICABILITY
from glacier_inversion.geodata.geotiffs import NewGeoTiff
from glacier_inversion.state_files import digest_of
from glacier_inversion.training.model.calibration import OutputCalibration
from glacier_inversion.training.model.ensemble import Ensemble
from glacier_inversion.workspace import Workspace


class PlannedMaps:
    """
    The maps that an experiment asks for of each feature, by one model.

    Attributes
    ----------
    experiment : Experiment or Application
    workspace : Workspace
    ensemble : Ensemble
    dataset : BuiltDataset
    thicknesses : mapping of OutputCalibration or None
        The outputs whose volume is asked for, with what their uncertainty follows from.
    compared : list of (output, raster)
        The thicknesses that published maps are compared with, and the maps.

    Raises
    ------
    ModelError
        Weights are not those that training wrote.
    """

    def __init__(
        self,
        experiment: Experiment | Application,
        workspace: Workspace,
        ensemble: Ensemble,
        dataset: BuiltDataset,
        thicknesses: Mapping[str, OutputCalibration | None],
    ) -> None:
        self.experiment, self.ensemble, self.dataset = experiment, ensemble, dataset
        self.thicknesses = thicknesses
        self.workspace = workspace
        description = experiment.drawing_description
        bed = description.bed
        outputs = {output: output for output in ensemble.layout.outputs}
        if bed is not None:
            outputs[bed.output] = bed.thickness  # whose calibration is its own, too
        comparable = find_comparable(experiment, dataset.units)
        self.compared = [
            (output, raster)
            for output in thicknesses
            for raster in comparable.get(output, [])
        ]
        self._inputs = [variable.name for variable in ensemble.model.experiment.inputs]
        if bed is not None:
            self._inputs.append(bed.surface)
        self._said = {
            (output, name): (
                tags_of(experiment, ensemble, output, name),
                None
                if name == APPLICABILITY
                else unit_of(ensemble, dataset, output, bed),
                describe_band(output, name),
            )
            for output, calibrated in outputs.items()
            for name in statistics_of(
                calibrated, description.statistics, ensemble.calibration
            )
        }
        # tags hold the digests of model, experiment and calibration, and the version
        self._common = digest_of(
            [
                [*self._said.values()],
                describe_way(ensemble),
                {output: own and asdict(own) for output, own in thicknesses.items()},
                self.compared,
                ensemble.applicability and ensemble.applicability.digest,
            ]
        )

    @property
    def rasters(self) -> list[str]:
        """The rasters whose tiles are read: inputs, surface, published maps."""
        return [*self._inputs, *sorted({raster for _, raster in self.compared})]

    def maps(self, feature: str) -> dict[tuple[str, str], Path]:
        """Return where the maps of a feature lie, by output and statistic."""
        name = self.ensemble.name
        return {
            (output, statistic): self.workspace.drawing(
                name, feature, output, statistic
            )
            for output, statistic in self._said
        }

    @property
    def calibrations(self) -> dict[str, str]:
        """The digests of the calibrations that maps or volumes follow from."""
        known = self.ensemble.calibration
        if known is None:
            return {}
        statistics = self.experiment.drawing_description.statistics
        of_maps = any(map(is_calibrated, statistics))
        return {
            output: own.digest
            for output, own in known.outputs.items()
            if of_maps or self.thicknesses.get(output) is not None
        }

    def files(self, feature: str) -> list[NewGeoTiff]:
        """Return the same as files that are to be written, in that order."""
        inputs = {"inputs_sha256": digest_inputs(self.dataset, feature, self._inputs)}
        return [
            NewGeoTiff(path, {**tags, **inputs}, unit, band)
            for path, (tags, unit, band) in zip(
                self.maps(feature).values(), self._said.values(), strict=True
            )
        ]

    def made_from(self, feature: str) -> str:
        """Identify all that the maps of a feature follow from, and its volumes."""
        return digest_of(
            [
                self._common,
                digest_inputs(self.dataset, feature, self.rasters),
                self.dataset.rows[feature]["bounds"],
                self.dataset.outlines[feature].wkb_hex,
            ]
        )

    def find_drawn(self, feature: str) -> DrawnFeature | None:
        """Return what an earlier run drew of a feature, if it would be the same now."""
        return read_record(self.maps(feature), self.made_from(feature))


def unit_of(
    ensemble: Ensemble, dataset: BuiltDataset, output: str, bed: Bed | None
) -> str | None:
    """
    Return the unit of an output: that of the truth, else that of training.

    That of a bed is its surface's.
    """
    if bed is not None and output == bed.output:
        return dataset.units[bed.surface]
    return dataset.units.get(output) or ensemble.model.units.get(output)
