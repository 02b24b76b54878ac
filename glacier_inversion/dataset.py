"""Build a dataset: clip and resample every raster around every buffered outline."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glacier_inversion.errors import DatasetError, RasterError
from glacier_inversion.experiment import Experiment
from glacier_inversion.grid import common_multiple, snap_bounds
from glacier_inversion.outlines import Outline, read_outlines, write_outlines
from glacier_inversion.progress import Progress, Silent
from glacier_inversion.rasters import Source, open_source, read_tags
from glacier_inversion.sections import DatasetDescription
from glacier_inversion.splits import assign_splits, find_overlaps, find_shared_areas
from glacier_inversion.tiling import TilingJob, tile_features
from glacier_inversion.workspace import SPLITS, Workspace, locked, write_json

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class BuildReport:
    """What a build did."""

    folder: Path
    n_written: int
    n_kept: int
    failures: dict[str, str]


def build_dataset(
    experiment: Experiment,
    workspace: Workspace,
    jobs: int = 1,
    progress: Progress | None = None,
) -> BuildReport:
    """
    Make the tiles of every feature, and say in summary.json what they are.

    A tile whose description and input files are those that it was made from is kept.
    The summary is removed first and written last: a dataset without one is not
    complete. A feature that fails is logged, and the others go on.

    Parameters
    ----------
    jobs : int
        Features worked on at once, each in a process.

    Raises
    ------
    OutlineError, RasterError
        The outlines or a raster cannot be used at all.
    DatasetError
        No feature could be built.
    WorkspaceError
        The dataset cannot be written, or another command is building it.
    """
    progress = progress or Silent()
    description = experiment.dataset_description
    folder = workspace.dataset(description.dataset_name)
    shapefile = workspace.data(description.shapefile_file)
    outlines = read_outlines(
        shapefile, description.shapefile_fieldname, description.epsg
    )
    splits = assign_splits(shapefile, outlines, description.split)
    if len(splits) < len(outlines):
        n_left_out = len(outlines) - len(splits)
        logger.warning("%s: %d features have no split: left out", shapefile, n_left_out)
    sources = _open_sources(experiment, workspace)
    _warn_of_small_buffer(experiment)
    with locked(folder, "building"):
        (folder / "summary.json").unlink(missing_ok=True)
        failures = {
            outline.feature: f"the outline {outline.problem}"
            for outline in outlines
            if outline.feature in splits and outline.problem is not None
        }
        todo = _plan(experiment, outlines, splits, folder)
        _remove_stale(folder, todo, [raster.name for raster in description.rasters])
        rows: dict[str, dict[str, Any]] = {}
        n_written = 0
        progress.start(len(todo), "feature")
        for feature, result in tile_features(experiment, sources, todo, jobs):
            if isinstance(result, RasterError):
                failures[feature] = str(result)
            else:
                rows[feature], n_new = result
                n_written += n_new
            progress.advance(feature)
        for feature, problem in failures.items():
            logger.error("%s: %s", feature, problem)
        if not rows:
            message = (
                f"{folder}: no feature could be built. Must have one at least. Mend "
                f"the first: {next(iter(failures.values()), 'the outlines hold none')}"
            )
            raise DatasetError(message)
        done = [job for job in todo if job.outline.feature in rows]
        _finish(experiment, sources, folder, outlines, done, rows, failures)
    n_kept = len(rows) * len(description.rasters) - n_written
    return BuildReport(folder, n_written, n_kept, failures)


def _open_sources(experiment: Experiment, workspace: Workspace) -> dict[str, Source]:
    """Open every raster once; report all that cannot be used together."""
    description = experiment.dataset_description
    sources: dict[str, Source] = {}
    problems: list[str] = []
    for raster in description.rasters:
        try:
            sources[raster.name] = open_source(
                workspace.data(raster.file),
                raster.band,
                raster.nodata,
                raster.resampling,
                raster.resolution,
                description.epsg,
            )
        except RasterError as error:
            problems.append(str(error))
    if problems:
        raise RasterError("\n".join(dict.fromkeys(problems)))
    return sources


def _warn_of_small_buffer(experiment: Experiment) -> None:
    buffer_m = experiment.dataset_description.buffer_distance
    coarsest = max(variable.resolution for variable in experiment.variables())
    needed = experiment.area_size / 2 + coarsest
    if buffer_m < needed:
        logger.warning(
            "dataset_description.buffer_distance: %g is less than %g, half the area "
            "size and one coarsest pixel: the margins of glaciers will not be drawn",
            buffer_m,
            needed,
        )


def _plan(
    experiment: Experiment,
    outlines: list[Outline],
    splits: dict[str, str],
    folder: Path,
) -> list[TilingJob]:
    description = experiment.dataset_description
    step = common_multiple(raster.resolution for raster in description.rasters)
    return [
        TilingJob(
            outline,
            splits[outline.feature],
            snap_bounds(outline.polygon.bounds, description.buffer_distance, step),
            folder / splits[outline.feature] / outline.feature,
        )
        for outline in outlines
        if outline.feature in splits and outline.polygon is not None
    ]


def _remove_stale(folder: Path, todo: list[TilingJob], rasters: list[str]) -> None:
    """Remove tiles, ours by their tags, that the dataset does not hold any more."""
    wanted = {job.folder / f"{raster}.tif" for job in todo for raster in rasters}
    for split in SPLITS:
        for path in (folder / split).glob("*/*.tif"):
            if path not in wanted and "GINV_FINGERPRINT" in read_tags(path):
                path.unlink()
        for feature in (folder / split).glob("*/"):
            if feature.is_dir() and not any(feature.iterdir()):
                feature.rmdir()


def _finish(
    experiment: Experiment,
    sources: dict[str, Source],
    folder: Path,
    outlines: list[Outline],
    done: list[TilingJob],
    rows: dict[str, dict[str, Any]],
    failures: dict[str, str],
) -> None:
    """Write the outlines and, last, the summary."""
    description = experiment.dataset_description
    write_outlines(
        folder / "outlines.gpkg",
        [
            (o, rows[o.feature]["split"] if o.feature in rows else None)
            for o in outlines
        ],
        description.epsg,
    )
    overlaps = find_overlaps(
        {job.outline.feature: job.bounds for job in done},
        {job.outline.feature: job.split for job in done},
    )
    shared = find_shared_areas(
        {o.feature: o.polygon for o in outlines if o.polygon is not None}
    )
    _warn_of_oddities(description, rows, overlaps, shared)
    write_json(
        folder / "summary.json",
        {
            "description": description.model_dump(mode="json"),
            "resampling": {name: source.resampling for name, source in sources.items()},
            "units": {
                r.name: r.unit or sources[r.name].unit for r in description.rasters
            },
            "features": [rows[job.outline.feature] for job in done],
            "failed": [{"feature": f, "problem": p} for f, p in failures.items()],
            "overlaps": overlaps,
            "shared_outlines": shared,
        },
    )


def _warn_of_oddities(
    description: DatasetDescription,
    rows: dict[str, dict[str, Any]],
    overlaps: list[dict[str, Any]],
    shared: list[dict[str, Any]],
) -> None:
    """Say what a user may not have meant."""
    for overlap in overlaps[:5]:
        (first, second), (its_split, other) = overlap["features"], overlap["splits"]
        logger.warning(
            "the tiles of %s (%s) and %s (%s) overlap by %.2f km2: they share inputs "
            "across the split; targets serve one of them alone",
            first,
            its_split,
            second,
            other,
            overlap["area_km2"],
        )
    if len(overlaps) > 5:
        logger.warning("%d more such overlaps, in summary.json", len(overlaps) - 5)
    for pair in shared[:5]:
        logger.warning(
            "the outlines of %s and %s overlap by %.4f km2: targets there are nobody's",
            *pair["features"],
            pair["area_km2"],
        )
    if len(shared) > 5:
        logger.warning("%d more such pairs, in summary.json", len(shared) - 5)
    for raster in description.rasters:
        if not any(row["rasters"][raster.name]["valid"] > 0 for row in rows.values()):
            logger.warning(
                "%s: no valid pixel in any feature: %s", raster.name, raster.file
            )
