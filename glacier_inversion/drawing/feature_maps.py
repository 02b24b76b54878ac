"""The maps of a feature: every output and statistic, block by block, into GeoTIFFs."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glacier_inversion.drawing.beds import read_raster_at, with_bed
from glacier_inversion.drawing.drawn_features import DrawnFeature, write_record
from glacier_inversion.drawing.holes import HoleCounter
from glacier_inversion.drawing.map_grids import NO_POINTS
from glacier_inversion.drawing.maps import MapExtent, Window, predict_blocks
from glacier_inversion.drawing.models import describe_way
from glacier_inversion.drawing.planned_maps import PlannedMaps
from glacier_inversion.drawing.published_volumes import PublishedCounter
from glacier_inversion.drawing.styles import Extremes, extremes_of, join_extremes
from glacier_inversion.drawing.volumes import ThicknessCounter
from glacier_inversion.errors import DatasetError
from glacier_inversion.geodata.map_files import map_writers
from glacier_inversion.geodata.rasterizing import inside
from glacier_inversion.progress import Progress, duration

logger = logging.getLogger(__name__)


def draw_feature(
    planned: PlannedMaps, extent: MapExtent, progress: Progress
) -> DrawnFeature:
    """
    Draw the maps of a feature, all of them or none.

    Those that an earlier run drew are kept, if they are what would be drawn now.

    Raises
    ------
    DatasetError
        It is smaller than a pixel, or a tile is not the one that was built.
    RasterError
        A tile cannot be read.
    WorkspaceError
        A map cannot be written.
    """
    experiment, ensemble = planned.experiment, planned.ensemble
    dataset, thicknesses = planned.dataset, planned.thicknesses
    description = experiment.drawing_description
    if 0 in extent.grid.shape:
        raise DatasetError(NO_POINTS)
    dataset.check_tiles(extent.feature, planned.rasters)
    blocks = extent.blocks(ensemble.device.block_px)
    if (kept := planned.find_drawn(extent.feature)) is not None:
        for _ in blocks:
            progress.advance(extent.feature)
        return kept
    outline, bed = dataset.outlines[extent.feature], description.bed

    def wanted_in(block: Window) -> NDArray[np.bool_]:
        part = extent.grid.window(*block)
        if description.clip_to_outline:
            return inside([outline], part)
        return np.ones(part.shape, dtype=np.bool_)

    maps, files = planned.maps(extent.feature), planned.files(extent.feature)
    epsg = experiment.dataset_description.epsg
    counter = HoleCounter(experiment, ensemble, dataset, extent)
    volumes = {
        variable.name: ThicknessCounter(
            extent,
            outline,
            variable.name,
            len(ensemble.seeds),
            thicknesses[variable.name],
            variable.resolution,
        )
        for variable in ensemble.model.experiment.outputs
        if variable.name in thicknesses
    }
    published = {
        (output, raster): PublishedCounter(extent, outline, output)
        for output, raster in planned.compared
    }
    extremes: dict[Path, Extremes] = dict.fromkeys(maps.values())
    n_drawn, begun = 0, time.perf_counter()
    with map_writers(files, extent.grid, epsg) as writers:
        for values in predict_blocks(ensemble, dataset, extent, wanted_in):
            progress.advance(extent.feature)
            if values is None:
                continue
            n_drawn += int(values.predicted.sum())
            shown = values
            if bed is not None:
                shown = with_bed(values, bed, dataset, extent, ensemble.layout)
            counter.add(shown)
            for volume in volumes.values():
                volume.add(shown)
            for (_, raster), other in published.items():
                other.add(
                    shown,
                    read_raster_at(raster, shown, dataset, extent, ensemble.layout),
                )
            for what, write in zip(maps, writers, strict=True):
                image = shown.image(*what)
                write(image, *shown.block)
                path = maps[what]
                extremes[path] = join_extremes(extremes[path], extremes_of(image))
    logger.debug(
        "%s: %s: %d of %d pixels drawn in %d blocks, %s; %s",
        ensemble.name,
        extent.feature,
        n_drawn,
        extent.grid.n_rows * extent.grid.n_cols,
        len(blocks),
        describe_way(ensemble),
        duration(time.perf_counter() - begun),
    )
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
    done = DrawnFeature(maps, counter.holes, means, extremes)
    made_from = planned.made_from(extent.feature)
    write_record(done, made_from, planned.calibrations)
    return done
