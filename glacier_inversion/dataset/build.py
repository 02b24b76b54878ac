"""Build a dataset: clip and resample every raster around every buffered outline."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from glacier_inversion.dataset.outlines import write_outlines
from glacier_inversion.dataset.plan import DatasetPlan, describe_empty, plan_dataset
from glacier_inversion.dataset.point_targets import describe_counts
from glacier_inversion.dataset.recorded_sources import (
    find_changed,
    record_sources,
    write_sources,
)
from glacier_inversion.dataset.summary import SUMMARY, refuse_newer, write_summary
from glacier_inversion.dataset.tiling import (
    PlannedTiles,
    TilingResult,
    points_path,
    tile_features,
    tile_together,
)
from glacier_inversion.errors import (
    DatasetError,
    RasterError,
    WorkspaceError,
    name_some,
)
from glacier_inversion.experiment.application import Application
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.files import (
    is_scratch,
    move,
    refuse_links,
    remove,
    remove_if_empty,
)
from glacier_inversion.geodata.tile_files import read_tags
from glacier_inversion.locks import working_in
from glacier_inversion.progress import Progress, Silent, duration
from glacier_inversion.sharing.executors import check_jobs
from glacier_inversion.sharing.job import working_together
from glacier_inversion.sharing.lost_processes import needing_processes
from glacier_inversion.sharing.shards import find_hands
from glacier_inversion.sharing.steps import Steps
from glacier_inversion.state_files import digest_of
from glacier_inversion.workspace import SPLITS, Workspace

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class BuildReport:
    """What a build did."""

    folder: Path
    n_written: int
    n_kept: int
    failures: dict[str, str]


def build_dataset(
    experiment: Experiment | Application,
    workspace: Workspace,
    *,
    jobs: int | None = None,
    shard: str | None = None,
    scheduler: str | None = None,
    progress: Progress | None = None,
) -> BuildReport:
    """
    Make the tiles of every feature, and say in summary.json what they are.

    A tile whose description and input files are those that it was made from is kept,
    if it still holds what was written.
    The summary is removed first and written last: a dataset without one is not
    complete. A feature that fails is logged, and the others go on.

    Parameters
    ----------
    jobs : int or None
        Features worked on at once, each in a process of its own, so that a crash of
        GDAL costs one feature. None: one after the other in this process.
    shard : str, optional
        Such as "1/4": share the features with other calls that do so, on any machine.
        The last of them finishes the dataset.
    scheduler : str, optional
        Address of a Dask scheduler, "tcp://HOST:8786", whose workers make the tiles.

    Raises
    ------
    OutlineError, RasterError
        The outlines or a raster cannot be used at all; the message names all of them.
    DatasetError
        No feature could be built.
    WorkspaceError
        The dataset cannot be written, or another command is building it.
    LeftToOthersError
        Other shards finish the dataset, or have finished it.
    GlacierInversionError
        No process is left that could begin.
    """
    check_jobs(jobs)
    hands, workspace = find_hands(shard, scheduler, jobs or 1, workspace)
    progress = progress or Silent()
    plan = plan_dataset(experiment, workspace)
    plan.check_buildable()
    if experiment.dataset_description.shapefile_fieldname is None:
        logger.info(
            "%s: ids are those of column %r",
            plan.description.shapefile_file,
            plan.description.shapefile_fieldname,
        )
    for name, points in plan.rasters.points.items():
        logger.info("%s: %s", name, describe_counts(points.counts))
    for warning in plan.warnings:
        logger.warning("%s", warning)
    folder, bounds = plan.folder, plan.ownership.bounds
    todo = [
        PlannedTiles(outline, bounds[outline.feature], folder)
        for outline in plan.outlines
        if outline.feature in bounds
    ]
    record = record_sources(plan.rasters, folder)
    results: dict[str, TilingResult] = {}
    progress.start("building", len(todo), "feature")
    if hands is not None:
        outlines = [
            (
                o.feature,
                o.columns,
                o.polygon and o.polygon.wkb_hex,
                bounds.get(o.feature),
            )
            for o in plan.outlines
        ]
        key = digest_of([plan.description.model_dump(mode="json"), record, outlines])
        steps = Steps(prepare=lambda: _prepare(folder, todo, record))
        with working_together(folder, "building", hands, key, steps) as job:
            results = tile_together(job, plan.rasters, todo, progress)
            for result in results.values():
                _log_details(result)
            return _finish(experiment, plan, results)
    with working_in(folder, "building"):
        _prepare(folder, todo, record)
        # closed, so that its processes end before the folder is let go
        tiling = closing(tile_features(plan.rasters, todo, jobs))
        with needing_processes(plan.folder), tiling as tiled:
            for feature, result in tiled:
                results[feature] = result
                _log_details(result)
                progress.advance(feature)
        return _finish(experiment, plan, results)


def _prepare(folder: Path, todo: list[PlannedTiles], record: dict[str, Any]) -> None:
    """Put away what is not wanted any more, and put the files on record."""
    # Tiles of other files go before the files of today are put on record: so
    # those that are there were made from these, whenever a build is killed.
    refuse_newer(folder)
    changed = find_changed(folder, record)
    _move_out_of_splits(folder)
    _clear(folder, todo, list(record), changed)
    write_sources(folder, record)


def _finish(
    experiment: Experiment | Application,
    plan: DatasetPlan,
    results: Mapping[str, TilingResult],
) -> BuildReport:
    """Say what became of all features, and write what tells that."""
    failures, rows, n_written = dict(plan.failures), {}, 0
    # in the order of the outlines, whichever was made first
    for feature in plan.ownership.bounds:
        result = results[feature]
        if isinstance(result, RasterError):
            failures[feature] = str(result)
        else:
            rows[feature] = result.row
            n_written += result.n_written
    for feature, problem in failures.items():
        logger.error("%s: %s", feature, problem)
    if not rows:
        raise DatasetError(describe_empty(plan.folder, failures))
    if isinstance(experiment, Experiment) and experiment.min_valid:
        _warn_of_empty(experiment, rows)
    _write_what_is_there(plan, rows, failures)
    n_kept = len(rows) * len(plan.description.rasters) - n_written
    return BuildReport(plan.folder, n_written, n_kept, failures)


def _move_out_of_splits(folder: Path) -> None:
    """Move tiles to where they lie today: earlier versions had a folder a split."""
    for path in _of_splits(folder):  # all or nothing
        refuse_links(path)
    for path in _of_splits(folder):
        to = folder / path.parent.name / path.name
        is_ours = not is_scratch(path) and "GINV_FINGERPRINT" in read_tags(path)
        if is_ours and not to.exists():
            move(path, to)
            remove_if_empty(path.parent)
            remove_if_empty(path.parent.parent)


def _of_splits(folder: Path) -> list[Path]:
    """Return the tiles that lie as earlier versions had them."""
    return sorted(p for split in SPLITS for p in (folder / split).glob("*/*.tif"))


def _clear(
    folder: Path, todo: list[PlannedTiles], rasters: list[str], changed: list[str]
) -> None:
    """
    Remove the summary, the tiles of changed rasters, and those not wanted any more.

    Of the tiles that are not wanted those are removed that a build made, which their
    tags tell. All or nothing: what cannot be removed, or is a link, is found before.
    """
    wanted = {planned.tile(raster) for planned in todo for raster in rasters}
    for feature in {path.parent for path in wanted}:
        refuse_links(feature)
    stale = [
        path
        for path in (*folder.glob("*/*.tif"), *_of_splits(folder))
        if path not in wanted
        and (is_scratch(path) or "GINV_FINGERPRINT" in read_tags(path))
    ]
    outdated = [planned.tile(raster) for planned in todo for raster in changed]
    if (folder / SUMMARY).is_dir():
        message = (
            f"{folder / SUMMARY}: is a folder. Must be the file that a build writes. "
            "Move it away."
        )
        raise WorkspaceError(message)
    gone = [*stale, *outdated]
    tables = [points_path(p) for p in gone if "GINV_POINTS" in read_tags(p)]
    remove(folder / SUMMARY, *gone, *tables)
    for emptied in {path.parent for path in stale}:
        remove_if_empty(emptied)
        if emptied.parent != folder:
            remove_if_empty(emptied.parent)


def _log_details(tiled: TilingResult) -> None:
    """Log what may explain a feature that looks odd."""
    if isinstance(tiled, RasterError):
        return
    tiles = tiled.row["rasters"]
    logger.debug(
        "%s: bounds %s, %d tiles written, %d kept, valid: %s; %s",
        tiled.row["feature"],
        " ".join(f"{side:.12g}" for side in tiled.row["bounds"]),
        tiled.n_written,
        len(tiles) - tiled.n_written,
        ", ".join(f"{name} {tile['valid']:.1%}" for name, tile in tiles.items()),
        duration(tiled.seconds),
    )


def _warn_of_empty(experiment: Experiment, rows: dict[str, dict[str, Any]]) -> None:
    """Say for which features, of several, an input is known nowhere."""
    for variable in experiment.inputs:
        empty = [f for f, r in rows.items() if not r["rasters"][variable.name]["valid"]]
        if 0 < len(empty) < len(rows):  # of all of them it is said otherwise
            logger.warning(
                "%s: no valid pixel in %d of %d features, of which nothing can be "
                "predicted: %s",
                variable.name,
                len(empty),
                len(rows),
                name_some(empty),
            )


def _write_what_is_there(
    plan: DatasetPlan, rows: dict[str, dict[str, Any]], failures: dict[str, str]
) -> None:
    """Write the outlines and, last, the summary."""
    rasters = plan.description.rasters
    write_outlines(plan.folder / "outlines.gpkg", plan.outlines, plan.description.epsg)
    known = {
        raster.name: any(
            row["rasters"][raster.name]["valid"] > 0 for row in rows.values()
        )
        for raster in rasters
    }
    for warning in plan.find_oddities(known):
        logger.warning("%s", warning)
    columns = {outline.feature: outline.columns for outline in plan.outlines}
    write_summary(
        plan.folder,
        {
            "description": plan.description.model_dump(mode="json"),
            "warping": {
                **{name: asdict(s.warping) for name, s in plan.sources.items()},
                **dict.fromkeys(plan.points),
            },
            "points": {n: p.counts for n, p in plan.rasters.points.items()},
            "units": {r.name: plan.rasters.unit(r.name) for r in rasters},
            "features": [rows[f] for f in plan.ownership.bounds if f in rows],
            "failed": [
                {"feature": feature, "problem": problem, "columns": columns[feature]}
                for feature, problem in failures.items()
            ],
        },
    )
