"""The tables of measured points that lie in the data folder."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glacier_inversion.dataset.outlines import Outline
from glacier_inversion.dataset.ownership import Ownership
from glacier_inversion.dataset.point_targets import PointTargets, describe_counts
from glacier_inversion.errors import RasterError
from glacier_inversion.experiment.rasters import Raster
from glacier_inversion.geodata.point_tables import read_head
from glacier_inversion.geodata.points import open_points
from glacier_inversion.geodata.table_heads import TableHead
from glacier_inversion.proposing.names import recognize

logger = logging.getLogger(__name__)

_ENDINGS = {".csv", ".tsv", ".txt", ".parquet", ".shp", ".gpkg", ".geojson", ".fgb"}
_FLAGS = ("data_flag", "flag")  # not empty where a measurement is doubtful


@dataclass(frozen=True)
class FoundPoints:
    """
    A table of points, of which some lie inside outlines.

    Attributes
    ----------
    file : str
        Relative to the data folder.
    keys : dict
        What the entry says of its points.
    unit : str, optional
        What is known of the column's.
    counts : mapping of int
        What became of its rows, as `PointTargets.counts` has it.
    misplaced : str, optional
        Where its points are, if no outline holds any.
    """

    file: str
    keys: dict[str, Any]
    unit: str | None
    counts: Mapping[str, int]
    misplaced: str | None = None

    def entry(self, name: str, resolution: float) -> dict[str, Any]:
        """Return the entry of the experiment file."""
        entry: dict[str, Any] = {"name": name, "resolution": resolution}
        entry |= {"file": self.file, **self.keys}
        return entry if self.unit else {**entry, "unit": "m"}

    def describe(self) -> str:
        """Say what of it is taken."""
        flagged = [f"where {name} is empty: " for name in self.keys.get("where", {})]
        return f"{self.file}: {''.join(flagged)}{describe_counts(self.counts)}"


def find_points(
    data: Path, outlines: list[Outline], epsg: int, variable: str
) -> FoundPoints | None:
    """
    Find the table with most points of a variable inside outlines, None without any.

    What is left aside, and why, is logged.
    """
    polygons = {o.feature: o.polygon for o in outlines if o.polygon is not None}
    ownership = Ownership(polygons, {}, {})
    best: FoundPoints | None = None
    for path, head, column in _find_tables(data, variable):
        file = path.relative_to(data).as_posix()
        try:
            found = _describe(path, file, column, head, ownership, epsg)
        except RasterError as error:
            logger.warning("%s", error)
            continue
        if not found.counts["used"]:
            logger.warning("%s: left aside: %s", file, found.misplaced)
            continue
        if best is not None:
            if found.counts["used"] > best.counts["used"]:
                best, found = found, best
            logger.warning(
                "%s: is %s, too, and %s is taken: change 'file', or join the tables",
                found.file,
                variable,
                best.file,
            )
        else:
            best = found
    return best


def _find_tables(data: Path, variable: str) -> Iterator[tuple[Path, TableHead, str]]:
    """Iterate over the tables that have a column of a variable."""
    for path in sorted(data.rglob("*")):
        if path.suffix.casefold() not in _ENDINGS or path.name.startswith("."):
            continue
        try:
            head = read_head(path)
        except RasterError as error:  # outlines, for example
            logger.debug("%s", error)
            continue
        columns = [column for column in head.columns if recognize(column) == variable]
        if columns:
            yield path, head, columns[0]


def _describe(
    path: Path,
    file: str,
    column: str,
    head: TableHead,
    ownership: Ownership,
    epsg: int,
) -> FoundPoints:
    """Open a table; without the points that are flagged, if others are left."""
    flag = head.find(_FLAGS)
    whole: dict[str, Any] = {"column": column}
    for keys in ([{**whole, "where": {flag: None}}] if flag else []) + [whole]:
        raster = Raster(name="points", resolution=1.0, file=file, **keys)
        try:
            source = open_points(path, raster, epsg)
        except RasterError:
            if keys is whole:
                raise
            continue
        targets = PointTargets(source, ownership)
        if targets.counts["used"] or keys is whole:
            break
    if flag and keys is whole and targets.counts["used"]:
        logger.warning(
            "%s: all points are flagged as doubtful in %s: taken nevertheless",
            file,
            flag,
        )
    misplaced = targets.describe_misplaced()
    return FoundPoints(file, keys, source.unit, targets.counts, misplaced)
