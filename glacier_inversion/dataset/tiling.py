"""Make the tiles of features, those of several at once."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Generator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from glacier_inversion.dataset.checked_tiles import digest_pixels
from glacier_inversion.dataset.large_tiles import LaidAside
from glacier_inversion.dataset.outlines import Outline
from glacier_inversion.dataset.rasters import Rasters, turned_with
from glacier_inversion.errors import RasterError
from glacier_inversion.experiment.rasters import Raster
from glacier_inversion.files import write_bytes
from glacier_inversion.geodata.geotiffs import gdal_ready, opened_pixels
from glacier_inversion.geodata.open_rasters import reading_many
from glacier_inversion.geodata.tile_files import (
    holding_aside,
    write_strips,
    write_tile,
)
from glacier_inversion.grid import Bounds, Grid
from glacier_inversion.patches.tiles import digest
from glacier_inversion.progress import Progress
from glacier_inversion.sharing.attempts import Result
from glacier_inversion.sharing.job import Job
from glacier_inversion.sharing.lost_processes import ProcessLostError
from glacier_inversion.sharing.side_by_side import do_side_by_side
from glacier_inversion.workspace import tile_path

logger = logging.getLogger(__name__)

# Part of every tile's fingerprint: raise it when the same inputs give other tiles.
_FORMAT = 2
# Likewise of derived tiles: raise it when the same derivation gives other values.
_DERIVED_FORMAT = 1
# Likewise of tiles of points: raise it when the same points give other values.
_POINTS_FORMAT = "points 1"
# A larger tile is made part by part.
_LARGE = 2**24  # pixels


@dataclass(frozen=True)
class PlannedTiles:
    """The tiles of one feature, to be made."""

    outline: Outline
    bounds: Bounds
    dataset: Path

    def __str__(self) -> str:
        """Return what it is called in messages."""
        return self.outline.feature

    def tile(self, raster: str) -> Path:
        """Return the path of a tile."""
        return tile_path(self.dataset, self.outline.feature, raster)


def points_path(tile: Path) -> Path:
    """Return the path of the table of points beside the tile that is made of them."""
    return tile.with_suffix(".points.csv")


@dataclass(frozen=True)
class TiledFeature:
    """The row of a feature whose tiles are there, and what that took."""

    row: dict[str, Any]
    n_written: int
    seconds: float


TilingResult = TiledFeature | RasterError


def tile_features(
    rasters: Rasters, todo: list[PlannedTiles], jobs: int | None
) -> Generator[tuple[str, TilingResult], None, None]:
    """
    Yield each feature with its row, or why it has none, as its tiles are made.

    In *jobs* processes, one of which a file may crash, or in this one where it is None.
    A feature whose process dies is tried once more. Features that lie near one another
    follow one another, so that what is read of files for one, and is decompressed,
    serves the next.

    Raises
    ------
    ProcessLostError
        No process is left that could begin.
    """
    todo = _by_place(todo)
    if jobs is None:
        with closing(rasters.files):
            for planned in todo:
                yield planned.outline.feature, _try_feature(rasters, planned)
        return
    # Processes, since rasterio warps into arrays with a race between threads.
    with closing(do_side_by_side(_try_in_process, rasters, todo, jobs)) as doing:
        for planned, result in doing:
            if isinstance(result, ProcessLostError):
                yield planned.outline.feature, _explain(rasters, result)
            else:
                yield planned.outline.feature, result


def tile_together(
    job: Job, rasters: Rasters, todo: list[PlannedTiles], progress: Progress
) -> dict[str, TilingResult]:
    """Return of each feature what `tile_features` yields, by commands that share it."""
    tasks = {planned.outline.feature: planned for planned in _by_place(todo)}
    results = job.do(_tile_task, rasters, tasks, progress)
    return {
        feature: RasterError(result["failure"])
        if "failure" in result
        else TiledFeature(**result)
        for feature, result in results.items()
    }


def _tile_task(rasters: Rasters, planned: PlannedTiles) -> Result:
    result = _try_in_process(rasters, planned)
    if isinstance(result, RasterError):
        return {"failure": str(result)}
    return asdict(result)


def _by_place(todo: list[PlannedTiles]) -> list[PlannedTiles]:
    """Put features into the order of a Z curve through the middles of their tiles."""
    if not todo:
        return []
    sides = np.array([planned.bounds for planned in todo])
    middles = (sides[:, :2] + sides[:, 2:]) * [1, -1]  # from the north, as files are
    extent = max(float(np.ptp(middles, axis=0).max()), 1.0)
    cells = (middles - middles.min(axis=0)) / extent * (2**16 - 1)
    col, row = cells.astype(np.int64).T
    keys = np.zeros(len(todo), dtype=np.int64)
    for bit in range(16):
        keys |= (col >> bit & 1) << 2 * bit | (row >> bit & 1) << 2 * bit + 1
    return [todo[i] for i in np.argsort(keys, kind="stable")]


def _explain(rasters: Rasters, lost: ProcessLostError) -> RasterError:
    """Say what may have become of a process, and of the next one, and what to do."""
    files = ", ".join(str(source.path) for source in rasters.sources.values())
    message = (
        f"the process that made its tiles was lost ({lost}), and the next one, too: "
        f"memory did not suffice, or GDAL fails at a file: {files}. Run it again, with "
        "fewer --jobs; if it is lost again, see at which file 'gdalinfo -checksum' "
        "fails, and put that there again."
    )
    return RasterError(message)


def _try_in_process(rasters: Rasters, planned: PlannedTiles) -> TilingResult:
    """Make the tiles of a feature in a process that does nothing else."""
    with reading_many():
        return _try_feature(rasters, planned)


def _try_feature(rasters: Rasters, planned: PlannedTiles) -> TilingResult:
    try:
        with gdal_ready():
            return _tile_feature(rasters, planned)
    except RasterError as error:
        return error
    except MemoryError:
        message = (
            "its tiles do not fit into memory. Use fewer --jobs, or coarser tiles."
        )
        return RasterError(message)


def _tile_feature(rasters: Rasters, planned: PlannedTiles) -> TiledFeature:
    """Make the tiles of one feature."""
    begun = time.perf_counter()
    tiles: dict[str, dict[str, Any]] = {}
    n_written = 0
    for raster in rasters.description.rasters:
        tags, written = _build_tile(rasters, raster, planned)
        tiles[raster.name] = {
            "valid": float(tags["GINV_VALID"]),
            "sha256": tags["GINV_SHA256"],
        }
        n_written += written
    polygon = planned.outline.polygon
    assert polygon is not None  # only those with one have bounds
    row = {
        "feature": planned.outline.feature,
        "columns": planned.outline.columns,
        "bounds": list(planned.bounds),
        "area_km2": round(polygon.area / 1e6, 6),
        "repairs": list(planned.outline.repairs),
        "rasters": tiles,
    }
    return TiledFeature(row, n_written, time.perf_counter() - begun)


def _build_tile(
    rasters: Rasters, raster: Raster, planned: PlannedTiles
) -> tuple[dict[str, str], bool]:
    path = planned.tile(raster.name)
    epsg = rasters.description.epsg
    grid = Grid.from_bounds(planned.bounds, raster.resolution)
    feature = planned.outline.feature
    fingerprint = _fingerprint(rasters, raster.name, grid, feature, {})
    if path.exists():
        tags, is_whole = _look_at(path, grid, fingerprint)
        if is_whole:
            return tags, False
        if tags.get("GINV_FINGERPRINT") == fingerprint:
            logger.info("%s: is damaged: made anew", path)
    tags = {"GINV_FINGERPRINT": fingerprint}
    if grid.n_rows * grid.n_cols > _LARGE and rasters.is_warped(raster.name):
        tags["GINV_RESAMPLING"] = rasters.sources[raster.name].warping.method
        with holding_aside(path) as file:
            aside = LaidAside(file, grid, rasters.parts(raster.name, grid))
            tags |= _sum_up(aside.digest, aside.valid)
            write_strips(path, aside.strip, grid, epsg, tags)
        return tags, True
    tile = rasters.tile(raster.name, grid, feature)
    tags |= _sum_up(digest(tile), float(np.isfinite(tile).mean()))
    if raster.name in rasters.points:
        table = rasters.points[raster.name].cells(feature, grid).csv()
        write_bytes(points_path(path), table)  # before the tile, which is looked for
        tags["GINV_POINTS"] = hashlib.sha256(table).hexdigest()
    elif raster.derive is None:
        tags["GINV_RESAMPLING"] = rasters.sources[raster.name].warping.method
    else:
        tags["GINV_DERIVATION"] = raster.derive.model_dump_json()
    write_tile(path, tile, grid, epsg, tags)
    return tags, True


def _sum_up(sha256: str, valid: float) -> dict[str, str]:
    return {"GINV_SHA256": sha256, "GINV_VALID": f"{valid:.6f}"}


def _look_at(path: Path, grid: Grid, fingerprint: str) -> tuple[dict[str, str], bool]:
    """
    Return the tags of a tile, and whether it is the one that is wanted, and whole.

    Then its pixels, and its points, are those that were written.
    """
    tags: dict[str, str] = {}
    try:
        with opened_pixels(path) as src:
            tags = src.tags()
            if tags.get("GINV_FINGERPRINT") != fingerprint or src.shape != grid.shape:
                return tags, False
            is_whole = digest_pixels(src, grid) == tags.get("GINV_SHA256")
        if "GINV_POINTS" in tags:
            table = points_path(path).read_bytes()
            is_whole &= hashlib.sha256(table).hexdigest() == tags["GINV_POINTS"]
    except (RasterError, OSError):
        return tags, False
    return tags, is_whole


def _fingerprint(
    rasters: Rasters, name: str, grid: Grid, feature: str, known: dict[str, str]
) -> str:
    """
    Identify what a tile is made of: description and place.

    Of a derived tile what it is derived from, too, and the outlines if it depends on
    them; of one of points the feature's own. Not the files, whose times would change
    the bytes of tiles that hold the same: those are in sources.json, and what was made
    from others is not there any more.

    Parameters
    ----------
    known : dict of str
        Fingerprints of other rasters on the same grid, to which this one is added.
    """
    if name in known:
        return known[name]
    derivation = rasters.description.raster(name).derive
    parts: list[Any] = [rasters.description.epsg, grid.bounds, grid.resolution]
    if name in rasters.points:
        parts = [_POINTS_FORMAT, *parts, rasters.points[name].digest(feature)]
    elif derivation is None:
        pair = turned_with(rasters.description, rasters.sources, name)
        of_vector = ["turned", pair.index(name)] if pair else []
        for component in [name] if pair is None else pair:
            source = rasters.sources[component]
            own = [source.band, repr(source.nodata), source.warping.method]
            of_vector += own
        parts = [_FORMAT, *parts, *of_vector]
    else:
        given = [
            _fingerprint(rasters, of, grid, feature, known) for of in derivation.rasters
        ]
        ice = rasters.ice.digest if derivation.uses_outlines else None
        parts = [_DERIVED_FORMAT, *parts, derivation.model_dump(), given, ice]
    known[name] = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    return known[name]
