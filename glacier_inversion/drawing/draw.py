"""Draw: every member of an ensemble over features and along profiles."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from glacier_inversion.choices import DeviceName, DrawingMethod
from glacier_inversion.dataset.opened import BuiltDataset, open_dataset
from glacier_inversion.dataset.outlines import read_profiles
from glacier_inversion.drawing.beds import with_bed
from glacier_inversion.drawing.holes import (
    HOLES,
    HoleCounter,
    Holes,
    tell_holes,
    write_holes,
)
from glacier_inversion.drawing.layers import LAYERS, write_layers
from glacier_inversion.drawing.maps import Map, Window, lay_map, predict_blocks
from glacier_inversion.drawing.models import (
    describe_way,
    features_of,
    open_ensembles,
)
from glacier_inversion.drawing.mosaics import remove_mosaics, write_mosaics
from glacier_inversion.drawing.overview import OVERVIEW, write_overview
from glacier_inversion.drawing.profiles import draw_profile
from glacier_inversion.drawing.provenance import (
    describe_band,
    digest_inputs,
    tags_of,
)
from glacier_inversion.drawing.styles import (
    DrawnMaps,
    ranges_of,
    style_maps,
    style_path,
)
from glacier_inversion.errors import (
    DatasetError,
    ModelError,
    OutlineError,
    RasterError,
)
from glacier_inversion.experiment.application import Application
from glacier_inversion.experiment.beds import Bed, bed_of
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.files import locked, remove
from glacier_inversion.geodata.geotiffs import (
    NewGeoTiff,
    auxiliary_path,
    cog_writers,
)
from glacier_inversion.geodata.rasterizing import inside
from glacier_inversion.progress import Progress, Silent, duration
from glacier_inversion.training.model.ensemble import Ensemble
from glacier_inversion.training.network.devices import Device, open_device
from glacier_inversion.workspace import Workspace

logger = logging.getLogger(__name__)

Result = TypeVar("Result")


@dataclass(frozen=True)
class DrawingReport:
    """What was drawn, and what could not be."""

    written: list[Path]
    failures: dict[str, str]


def draw(
    experiment: Experiment | Application,
    workspace: Workspace,
    *,
    method: DrawingMethod = "auto",
    device: DeviceName | Device = "auto",
    progress: Progress | None = None,
) -> DrawingReport:
    """
    Draw what the experiment's drawing description names.

    For every model, feature, output and statistic a Cloud-Optimized GeoTIFF whose pixel
    centres are the points of the lattice; for every model, profile and output a CSV
    file. A bed has maps as an output has, but no profile. NaN, or an empty field, where
    a window reaches beyond its tile, where inputs are not valid enough, and outside the
    outline if it clips; in a bed also where its surface is not known. Uncertainty and
    the bounds of intervals follow from the calibration that `crossval` keeps with a
    model. Memory is bounded by blocks. Tags of a map say how it came about; drawn
    again, its bytes are the same.

    Parameters
    ----------
    method : {"auto", "dense", "patches"}
        How points are evaluated; see `training.network.predict`. The numbers are the
        same within rounding.
    device : {"auto", "cpu", "cuda"} or Device
        "auto" is the GPU if there is one.

    Raises
    ------
    DatasetError
        The dataset is not built, or was built from another description.
    ModelError, ExperimentError
        Features, models or profiles do not exist or do not fit, a model lacks the
        calibration of what is to be drawn, or the method is not exact, all of them
        named; nothing is drawn then.
    DeviceError
        The GPU fails, or its memory does not suffice even for small blocks.
    WorkspaceError
        Drawings cannot be written, or another command is drawing them.
    """
    if method not in get_args(DrawingMethod):
        message = (
            f"Invalid method {method!r}. Must be one of {get_args(DrawingMethod)}."
        )
        raise ValueError(message)
    progress = progress or Silent()
    if isinstance(device, str):  # before data are read: it may not be there
        device = open_device(device)
    description = experiment.drawing_description
    surfaces = [description.bed.surface] if description.bed else []
    dataset = open_dataset(experiment, workspace, surfaces)
    problems: list[str] = []
    named = _or_problem(problems, lambda: dataset.select(description.features)) or []
    lines = _or_problem(problems, lambda: read_profiles(experiment, workspace)) or {}
    ensembles = open_ensembles(experiment, dataset, workspace, method, device, problems)
    if problems:
        raise ModelError("\n".join(problems))
    maps = {
        ensemble.name: [
            lay_map(experiment, ensemble, dataset, feature, description.clip_to_outline)
            for feature in features_of(ensemble, dataset, description.features, named)
        ]
        for ensemble in ensembles
    }
    laid = [drawn for of_model in maps.values() for drawn in of_model]
    if not laid and not description.profiles:
        logger.warning("drawing_description: names no feature and no profile")
    n_blocks = sum(len(drawn.blocks(device.block_px)) for drawn in laid)
    n_steps = n_blocks + len(lines) * len(ensembles)
    progress.start("drawing", n_steps, "block")
    written: list[Path] = []
    failures: dict[str, str] = {}
    for ensemble in ensembles:
        logger.info(
            "%s: drawing with %d members on %s, %s",
            ensemble.name,
            len(ensemble.seeds),
            device,
            describe_way(ensemble),
        )
        folder = workspace.drawings(ensemble.name)
        of_run: DrawnMaps = {}
        holes: list[Holes] = []
        with locked(folder, "drawing into"):
            for drawn in maps[ensemble.name]:
                try:
                    of_feature, of_map = _draw_feature(
                        experiment, workspace, ensemble, dataset, drawn, progress
                    )
                    holes.append(of_map)
                    if not of_run:
                        _remove_outdated(folder, ensemble)
                    remove(*map(style_path, of_feature.values()))
                    # what GDAL or QGIS found out of the map that was there
                    remove(*map(auxiliary_path, of_feature.values()))
                    written += of_feature.values()
                    for of_what, path in of_feature.items():
                        of_run.setdefault(of_what, []).append(path)
                except (DatasetError, RasterError) as error:
                    logger.error("%s: %s", drawn.feature, error)
                    failures[drawn.feature] = str(error)
            try:
                written += _show_together(
                    experiment, ensemble.name, folder, of_run, dataset
                )
            except RasterError as error:  # a map that was drawn is gone
                logger.error("%s: %s", ensemble.name, error)
                failures[f"mosaics of {ensemble.name}"] = str(error)
            if holes:
                written.append(write_holes(folder, holes))
            for name, profile in lines.items():
                try:
                    written += draw_profile(
                        experiment, workspace, ensemble, dataset, profile, name
                    )
                except (DatasetError, OutlineError, RasterError) as error:
                    logger.error("profile %s: %s", name, error)
                    failures[f"profile {name}"] = str(error)
                progress.advance(name)
    return DrawingReport(written, failures)


def _or_problem(problems: list[str], read: Callable[[], Result]) -> Result | None:
    """Return what *read* returns, or note why it cannot."""
    try:
        return read()
    except (DatasetError, OutlineError) as error:
        problems.append(str(error))
        return None


def _draw_feature(
    experiment: Experiment | Application,
    workspace: Workspace,
    ensemble: Ensemble,
    dataset: BuiltDataset,
    drawn: Map,
    progress: Progress,
) -> tuple[dict[tuple[str, str], Path], Holes]:
    """Draw the maps of a feature; return them by output and statistic, and holes."""
    description = experiment.drawing_description
    if 0 in drawn.grid.shape:
        message = (
            "holds no point of the lattice. Must be larger than a pixel. Draw it at a "
            "finer resolution, or leave it out."
        )
        raise DatasetError(message)
    outline, bed = dataset.outlines[drawn.feature], description.bed
    outputs = [*ensemble.layout.outputs]
    if bed is not None:
        dataset.check_tiles(drawn.feature, [bed.surface])
        outputs.append(bed.output)

    def wanted_in(block: Window) -> NDArray[np.bool_]:
        part = drawn.grid.window(*block)
        if description.clip_to_outline:
            return inside([outline], part)
        return np.ones(part.shape, dtype=np.bool_)

    written = {
        (output, name): workspace.drawing(ensemble.name, drawn.feature, output, name)
        for output in outputs
        for name in description.statistics
    }
    read = [variable.name for variable in ensemble.model.experiment.inputs]
    read += [] if bed is None else [bed.surface]
    inputs = digest_inputs(dataset, drawn.feature, read)
    files = [
        NewGeoTiff(
            path,
            {**tags_of(experiment, ensemble, output, name), "inputs_sha256": inputs},
            _unit(ensemble, dataset, output, bed),
            describe_band(output, name),
        )
        for (output, name), path in written.items()
    ]
    epsg = experiment.dataset_description.epsg
    counter = HoleCounter(experiment, ensemble, dataset, drawn)
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
            for (output, name), write in zip(written, writers, strict=True):
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
    return written, counter.holes


def _remove_outdated(folder: Path, ensemble: Ensemble) -> None:
    """Remove what shows the maps of an earlier run together, once one has changed."""
    outputs = ensemble.layout.outputs
    remove_mosaics(folder, [*outputs, *map(bed_of, outputs)])
    together = (folder / name for name in (LAYERS, OVERVIEW, HOLES))
    remove(*(path for path in together if path.is_file()))


def _show_together(
    experiment: Experiment | Application,
    model: str,
    folder: Path,
    maps: DrawnMaps,
    dataset: BuiltDataset,
) -> list[Path]:
    """Style the maps of a run alike, join, list and picture them."""
    if not maps:
        return []
    ranges = ranges_of(maps)
    style_maps(maps, ranges)
    mosaics = write_mosaics(folder, maps, ranges)
    paths = next(iter(maps.values()))
    outlines = [dataset.outlines[path.parent.name] for path in paths]
    epsg = experiment.dataset_description.epsg
    layers = write_layers(folder, model, maps, ranges, epsg)
    return [*mosaics, layers, write_overview(folder, model, ranges, outlines)]


def _unit(
    ensemble: Ensemble, dataset: BuiltDataset, output: str, bed: Bed | None
) -> str | None:
    """
    Return the unit of an output: that of the truth, else that of training.

    That of a bed is its surface's.
    """
    if bed is not None and output == bed.output:
        return dataset.units[bed.surface]
    return dataset.units.get(output) or ensemble.model.units.get(output)
