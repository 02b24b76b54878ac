"""The maps of a feature: every output and statistic, block by block, into GeoTIFFs."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glacier_inversion.dataset.opened import BuiltDataset
from glacier_inversion.drawing.beds import read_raster_at, with_bed
from glacier_inversion.drawing.calibrated import statistics_of
from glacier_inversion.drawing.holes import HoleCounter, Holes, tell_holes
from glacier_inversion.drawing.maps import Map, Window, predict_blocks
from glacier_inversion.drawing.models import describe_way
from glacier_inversion.drawing.provenance import (
    describe_band,
    digest_inputs,
    tags_of,
)
from glacier_inversion.drawing.published_volumes import (
    PublishedCounter,
    find_comparable,
)
from glacier_inversion.drawing.volumes import MeanThickness, ThicknessCounter
from glacier_inversion.errors import DatasetError
from glacier_inversion.experiment.application import Application
from glacier_inversion.experiment.beds import Bed
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.experiment.sections import APPLICABILITY
from glacier_inversion.geodata.geotiffs import NewGeoTiff, cog_writers
from glacier_inversion.geodata.rasterizing import inside
from glacier_inversion.progress import Progress, duration
from glacier_inversion.training.model.calibration import OutputCalibration
from glacier_inversion.training.model.ensemble import Ensemble
from glacier_inversion.workspace import Workspace

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DrawnFeature:
    """
    What was drawn of a feature.

    Attributes
    ----------
    maps : dict of Path
        By output and statistic.
    holes : Holes
    thicknesses : dict of MeanThickness
        By output.
    """

    maps: dict[tuple[str, str], Path]
    holes: Holes
    thicknesses: dict[str, MeanThickness]


def draw_feature(
    experiment: Experiment | Application,
    workspace: Workspace,
    ensemble: Ensemble,
    dataset: BuiltDataset,
    drawn: Map,
    thicknesses: Mapping[str, OutputCalibration | None],
    progress: Progress,
) -> DrawnFeature:
    """
    Draw the maps of a feature, all of them or none.

    Parameters
    ----------
    thicknesses : mapping of OutputCalibration or None
        The outputs whose volume is asked for, with what their uncertainty follows from.

    Raises
    ------
    DatasetError
        It is smaller than a pixel, or a tile is not the one that was built.
    RasterError
        A tile cannot be read.
    WorkspaceError
        A map cannot be written.
    """
    description = experiment.drawing_description
    if 0 in drawn.grid.shape:
        message = (
            "holds no point of the lattice. Must be larger than a pixel. Draw it at a "
            "finer resolution, or leave it out."
        )
        raise DatasetError(message)
    outline, bed = dataset.outlines[drawn.feature], description.bed
    outputs = {output: output for output in ensemble.layout.outputs}
    if bed is not None:
        dataset.check_tiles(drawn.feature, [bed.surface])
        outputs[bed.output] = bed.thickness  # whose calibration is its own, too

    def wanted_in(block: Window) -> NDArray[np.bool_]:
        part = drawn.grid.window(*block)
        if description.clip_to_outline:
            return inside([outline], part)
        return np.ones(part.shape, dtype=np.bool_)

    maps = {
        (output, name): workspace.drawing(ensemble.name, drawn.feature, output, name)
        for output, calibrated in outputs.items()
        for name in statistics_of(
            calibrated, description.statistics, ensemble.calibration
        )
    }
    inputs = digest_inputs(dataset, drawn.feature, rasters_read(ensemble, bed))
    files = [
        NewGeoTiff(
            path,
            {**tags_of(experiment, ensemble, output, name), "inputs_sha256": inputs},
            None if name == APPLICABILITY else unit_of(ensemble, dataset, output, bed),
            describe_band(output, name),
        )
        for (output, name), path in maps.items()
    ]
    epsg = experiment.dataset_description.epsg
    counter = HoleCounter(experiment, ensemble, dataset, drawn)
    volumes = {
        variable.name: ThicknessCounter(
            drawn,
            outline,
            variable.name,
            len(ensemble.seeds),
            thicknesses[variable.name],
            variable.resolution,
        )
        for variable in ensemble.model.experiment.outputs
        if variable.name in thicknesses
    }
    comparable = find_comparable(experiment, dataset.units)
    published = {
        (output, raster): PublishedCounter(drawn, outline, output)
        for output in thicknesses
        for raster in comparable.get(output, [])
    }
    dataset.check_tiles(drawn.feature, {raster for _, raster in published})
    n_drawn, begun = 0, time.perf_counter()
    with cog_writers(files, drawn.grid, epsg) as writers:
        for values in predict_blocks(ensemble, dataset, drawn, wanted_in):
            progress.advance(drawn.feature)
            if values is None:
                continue
            n_drawn += int(values.predicted.sum())
            shown = values
            if bed is not None:
                shown = with_bed(values, bed, dataset, drawn, ensemble.layout)
            counter.add(shown)
            for volume in volumes.values():
                volume.add(shown)
            for (_, raster), other in published.items():
                other.add(
                    shown,
                    read_raster_at(raster, shown, dataset, drawn, ensemble.layout),
                )
            for (output, name), write in zip(maps, writers, strict=True):
                write(shown.image(output, name), *shown.block)
    logger.debug(
        "%s: %s: %d of %d pixels drawn in %d blocks, %s; %s",
        ensemble.name,
        drawn.feature,
        n_drawn,
        drawn.grid.n_rows * drawn.grid.n_cols,
        len(drawn.blocks(ensemble.device.block_px)),
        describe_way(ensemble),
        duration(time.perf_counter() - begun),
    )
    tell_holes(counter.holes)
    means = {
        output: replace(
            volume.finish(counter.holes, epsg),
            published={
                raster: other.finish()
                for (of, raster), other in published.items()
                if of == output
            },
        )
        for output, volume in volumes.items()
    }
    return DrawnFeature(maps, counter.holes, means)


def rasters_read(ensemble: Ensemble, bed: Bed | None) -> list[str]:
    """Return the rasters that the maps of a feature are made from."""
    inputs = [variable.name for variable in ensemble.model.experiment.inputs]
    return inputs if bed is None else [*inputs, bed.surface]


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
