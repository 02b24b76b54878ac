"""Build a dataset: clip and resample every raster around every buffered outline."""

from __future__ import annotations

import hashlib
import json
import logging
import multiprocessing
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from glacier_inversion.errors import DatasetError, RasterError
from glacier_inversion.experiment import Experiment
from glacier_inversion.grid import Bounds, Grid, common_multiple, snap_bounds
from glacier_inversion.outlines import Outline, read_outlines, write_outlines
from glacier_inversion.progress import Progress, Silent
from glacier_inversion.rasters import (
    Source,
    open_source,
    read_tags,
    warp,
    write_tile,
)
from glacier_inversion.sections import Raster
from glacier_inversion.splits import assign_splits, find_overlaps
from glacier_inversion.workspace import SPLITS, Workspace, locked, write_json

logger = logging.getLogger(__name__)

# Part of every tile's fingerprint: raise it when the same inputs give other tiles.
_FORMAT = 1


@dataclass(frozen=True)
class BuildReport:
    """What a build did."""

    folder: Path
    n_written: int
    n_kept: int
    failures: dict[str, str]


@dataclass(frozen=True)
class _Job:
    """The tiles of one feature, to be made."""

    outline: Outline
    split: str
    bounds: Bounds
    folder: Path


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
        for feature, result in _build_features(experiment, sources, todo, jobs):
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
        _finish(experiment, sources, folder, done, rows, failures)
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
) -> list[_Job]:
    description = experiment.dataset_description
    step = common_multiple(raster.resolution for raster in description.rasters)
    return [
        _Job(
            outline,
            splits[outline.feature],
            snap_bounds(outline.polygon.bounds, description.buffer_distance, step),
            folder / splits[outline.feature] / outline.feature,
        )
        for outline in outlines
        if outline.feature in splits and outline.polygon is not None
    ]


def _remove_stale(folder: Path, todo: list[_Job], rasters: list[str]) -> None:
    """Remove tiles, ours by their tags, that the dataset does not hold any more."""
    wanted = {job.folder / f"{raster}.tif" for job in todo for raster in rasters}
    for split in SPLITS:
        for path in (folder / split).glob("*/*.tif"):
            if path not in wanted and "GINV_FINGERPRINT" in read_tags(path):
                path.unlink()
        for feature in (folder / split).glob("*/"):
            if not any(feature.iterdir()):
                feature.rmdir()


_Result = tuple[dict[str, Any], int] | RasterError


def _build_features(
    experiment: Experiment, sources: dict[str, Source], todo: list[_Job], jobs: int
) -> Iterator[tuple[str, _Result]]:
    """Yield the row and the number of new tiles of each feature, as they are made."""
    if jobs == 1 or len(todo) < 2:
        for job in todo:
            yield job.outline.feature, _try_feature(experiment, sources, job)
        return
    # Processes, since rasterio warps into arrays with a race between threads; spawned,
    # since GDAL does not survive a fork.
    context = multiprocessing.get_context("spawn")
    n_workers = min(jobs, len(todo))
    with ProcessPoolExecutor(n_workers, context, _ignore_interrupt) as pool:
        futures = {
            pool.submit(_try_feature, experiment, sources, job): job.outline.feature
            for job in todo
        }
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _ignore_interrupt() -> None:
    """Leave Ctrl-C to the main process, which lets the workers end their features."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _try_feature(
    experiment: Experiment, sources: dict[str, Source], job: _Job
) -> _Result:
    try:
        return _build_feature(experiment, sources, job)
    except RasterError as error:
        return error


def _build_feature(
    experiment: Experiment, sources: dict[str, Source], job: _Job
) -> tuple[dict[str, Any], int]:
    """Make the tiles of one feature; return its row and the number of new tiles."""
    tiles: dict[str, dict[str, Any]] = {}
    n_written = 0
    for raster in experiment.dataset_description.rasters:
        tags, written = _build_tile(experiment, sources[raster.name], raster, job)
        tiles[raster.name] = {
            "valid": float(tags["GINV_VALID"]),
            "sha256": tags["GINV_SHA256"],
        }
        n_written += written
    polygon = job.outline.polygon
    assert polygon is not None  # `_plan` took those with one
    row = {
        "feature": job.outline.feature,
        "split": job.split,
        "bounds": list(job.bounds),
        "area_km2": round(polygon.area / 1e6, 6),
        "outline_sha256": hashlib.sha256(polygon.normalize().wkb).hexdigest(),
        "repairs": list(job.outline.repairs),
        "rasters": tiles,
    }
    return row, n_written


def _build_tile(
    experiment: Experiment, source: Source, raster: Raster, job: _Job
) -> tuple[dict[str, str], bool]:
    path = job.folder / f"{raster.name}.tif"
    epsg = experiment.dataset_description.epsg
    grid = Grid.from_bounds(job.bounds, raster.resolution)
    fingerprint = _fingerprint(source, epsg, grid)
    tags = read_tags(path) if path.exists() else {}
    if tags.get("GINV_FINGERPRINT") == fingerprint:
        return tags, False
    tile = warp(source, epsg, grid)
    tags = {
        "GINV_FINGERPRINT": fingerprint,
        "GINV_SHA256": hashlib.sha256(tile.tobytes()).hexdigest(),
        "GINV_VALID": f"{np.isfinite(tile).mean():.6f}",
        "GINV_RESAMPLING": source.resampling,
    }
    write_tile(path, tile, grid, epsg, tags)
    return tags, True


def _fingerprint(source: Source, epsg: int, grid: Grid) -> str:
    """Identify what a tile is made from: description, place, and the input file."""
    stat = source.path.stat()
    parts = [
        _FORMAT,
        epsg,
        grid.bounds,
        grid.resolution,
        source.path.name,
        stat.st_size,
        stat.st_mtime_ns,
        source.band,
        repr(source.nodata),
        source.resampling,
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _finish(
    experiment: Experiment,
    sources: dict[str, Source],
    folder: Path,
    done: list[_Job],
    rows: dict[str, dict[str, Any]],
    failures: dict[str, str],
) -> None:
    """Write the outlines and, last, the summary; say what is odd about the dataset."""
    description = experiment.dataset_description
    write_outlines(
        folder / "outlines.gpkg",
        [(job.outline, job.split) for job in done],
        description.epsg,
    )
    overlaps = find_overlaps(
        {job.outline.feature: job.bounds for job in done},
        {job.outline.feature: job.split for job in done},
    )
    for overlap in overlaps[:5]:
        logger.warning(
            "the tiles of %s (%s) and %s (%s) overlap by %.2f km2: their inputs are "
            "shared across the split, their targets are not",
            *(
                item
                for pair in zip(overlap["features"], overlap["splits"], strict=True)
                for item in pair
            ),
            overlap["area_km2"],
        )
    if len(overlaps) > 5:
        logger.warning("%d more such overlaps, in summary.json", len(overlaps) - 5)
    for raster in description.rasters:
        if not any(row["rasters"][raster.name]["valid"] > 0 for row in rows.values()):
            logger.warning(
                "%s: no valid pixel in any feature: %s", raster.name, raster.file
            )
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
        },
    )
