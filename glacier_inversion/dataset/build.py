"""Build a dataset: clip and resample every raster around every buffered outline."""

from __future__ import annotations

import json
import logging
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from glacier_inversion.dataset.outlines import Outline, read_outlines, write_outlines
from glacier_inversion.dataset.plan import (
    describe_empty,
    find_left_out,
    find_oddities,
    find_small_buffer,
    find_unusable,
    open_sources,
    plan_bounds,
    refuse_large,
)
from glacier_inversion.dataset.splits import (
    assign_splits,
    find_overlaps,
    find_shared_areas,
)
from glacier_inversion.dataset.summary import SUMMARY, write_summary
from glacier_inversion.dataset.tiling import TiledFeature, TilingJob, tile_features
from glacier_inversion.errors import DatasetError, RasterError, WorkspaceError
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.files import (
    is_scratch,
    locked,
    refuse_links,
    remove,
    remove_if_empty,
    write_json,
)
from glacier_inversion.geodata.geotiffs import read_tags
from glacier_inversion.geodata.rasters import Source
from glacier_inversion.progress import Progress, Silent, duration
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
    experiment: Experiment,
    workspace: Workspace,
    jobs: int = 1,
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
    outlines = refuse_large(description, outlines)
    splits = assign_splits(shapefile, outlines, description.split)
    sources, problems = open_sources(description, workspace)
    if problems:
        raise RasterError("\n".join(problems))
    for warning in (
        *find_left_out(shapefile, outlines, splits),
        *find_small_buffer(experiment),
    ):
        logger.warning("%s", warning)
    with locked(folder, "building"):
        failures = find_unusable(outlines, splits)
        bounds = plan_bounds(description, outlines, splits)
        todo = [
            TilingJob(
                outline,
                splits[outline.feature],
                bounds[outline.feature],
                folder,
            )
            for outline in outlines
            if outline.feature in bounds
        ]
        # Tiles of other files go before the files of today are put on record: so
        # those that are there were made from these, whenever a build is killed.
        record = {
            raster.name: {
                "file": raster.file,
                "parts": _identify(sources[raster.name]),
            }
            for raster in description.rasters
        }
        changed = _find_changed(folder / "sources.json", record)
        _clear(folder, todo, list(record), changed)
        write_json(folder / "sources.json", record)
        rows: dict[str, dict[str, Any]] = {}
        n_written = 0
        progress.start("building", len(todo), "feature")
        # closed, so that its processes end before the folder is let go
        with closing(tile_features(experiment, sources, todo, jobs)) as results:
            for feature, result in results:
                if isinstance(result, RasterError):
                    failures[feature] = str(result)
                else:
                    rows[feature] = result.row
                    n_written += result.n_written
                    _log_details(result)
                progress.advance(feature)
        for feature, problem in failures.items():
            logger.error("%s: %s", feature, problem)
        if not rows:
            raise DatasetError(describe_empty(folder, failures))
        done = [job for job in todo if job.outline.feature in rows]
        _finish(experiment, sources, folder, outlines, done, rows, failures)
    n_kept = len(rows) * len(description.rasters) - n_written
    return BuildReport(folder, n_written, n_kept, failures)


def _clear(
    folder: Path, todo: list[TilingJob], rasters: list[str], changed: list[str]
) -> None:
    """
    Remove the summary, the tiles of changed rasters, and those not wanted any more.

    Tiles that nobody wants are ours by their tags.

    All or nothing: what cannot be removed, or is a link, is found before.
    """
    wanted = {job.tile(raster) for job in todo for raster in rasters}
    for feature in {path.parent for path in wanted}:
        refuse_links(feature)
    stale = [
        path
        for split in SPLITS
        for path in (folder / split).glob("*/*.tif")
        if path not in wanted
        and (is_scratch(path) or "GINV_FINGERPRINT" in read_tags(path))
    ]
    outdated = [job.tile(raster) for job in todo for raster in changed]
    if (folder / SUMMARY).is_dir():
        message = (
            f"{folder / SUMMARY}: is a folder. Must be the file that a build writes. "
            "Move it away."
        )
        raise WorkspaceError(message)
    remove(folder / SUMMARY, *stale, *outdated)
    for feature in {path.parent for path in stale}:
        remove_if_empty(feature)


def _find_changed(path: Path, sources: dict[str, Any]) -> list[str]:
    """Name the rasters whose tiles were made from other files, by what is on record."""
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        before = None
    known = before if isinstance(before, dict) else {}
    return [name for name, files in sources.items() if known.get(name) != files]


def _identify(source: Source) -> list[dict[str, Any]]:
    """Return name, size and time of each of a source's files, as JSON has them."""
    stats = [(path, path.stat()) for path in source.files]
    return [
        {"file": path.name, "bytes": stat.st_size, "modified_ns": stat.st_mtime_ns}
        for path, stat in stats
    ]


def _log_details(tiled: TiledFeature) -> None:
    """Log what may explain a feature that looks odd."""
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
    known = {
        raster.name: any(
            row["rasters"][raster.name]["valid"] > 0 for row in rows.values()
        )
        for raster in description.rasters
    }
    listed_in = "summary.json"
    for warning in find_oddities(description, known, overlaps, shared, listed_in):
        logger.warning("%s", warning)
    write_summary(
        folder,
        {
            "description": description.model_dump(mode="json"),
            "warping": {name: asdict(s.warping) for name, s in sources.items()},
            "units": {
                r.name: r.unit or sources[r.name].unit for r in description.rasters
            },
            "features": [rows[job.outline.feature] for job in done],
            "failed": [{"feature": f, "problem": p} for f, p in failures.items()],
            "overlaps": overlaps,
            "shared_outlines": shared,
        },
    )
