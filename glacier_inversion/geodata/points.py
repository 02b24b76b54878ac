"""Measured points: selected from a table, and placed in the CRS of the tiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError

from glacier_inversion.errors import RasterError, first_line, name_some
from glacier_inversion.experiment.rasters import Raster
from glacier_inversion.geodata.point_tables import (
    find_places,
    numbers_of,
    read_head,
    read_table,
)
from glacier_inversion.geodata.survey_dates import within
from glacier_inversion.geodata.table_heads import TableHead
from glacier_inversion.geodata.usual_nodata import USUAL_NODATA, undeclared
from glacier_inversion.geodata.vectors import name_crs
from glacier_inversion.grid import Bounds

_DATES = ("survey_date", "date")
# Columns that the Glacier Thickness Database and OGGM's version of it have, and others
# hardly; then these are in metres.
_OF_GLATHIDA = ("glathida_id", "survey_id")
_METRES = ("thickness", "thickness_uncertainty", "elevation")
_MOST_SHOWN = 6  # values of a column
_WITH_SHAPEFILE = (".shx", ".dbf", ".prj", ".cpg")


@dataclass(frozen=True)
class PointCounts:
    """
    What became of the rows of a table, each in the first of these that holds.

    Attributes
    ----------
    rows : int
        All of them; one that has several points counts for each.
    not_selected : int
        Left out by `where`, `after` or `before`.
    without_value, without_place : int
        Empty or no data; or without coordinates that have a place in the CRS.
    repeated : int
        The same place and value as another row.
    """

    rows: int
    not_selected: int
    without_value: int
    without_place: int
    repeated: int


@dataclass(frozen=True, eq=False)
class PointSource:
    """
    The points of a file as an experiment selects them.

    Attributes
    ----------
    path : Path
    files : tuple of Path
        With what belongs to a shapefile.
    crs : str
        Of the file.
    unit : str, optional
        What is known of the column's.
    counts : PointCounts
    x, y, value : float64 arrays, shape (n_points,)
        In the CRS of the tiles, from south to north.
    """

    path: Path
    files: tuple[Path, ...]
    crs: str
    unit: str | None
    counts: PointCounts
    x: NDArray[np.float64] = field(repr=False)
    y: NDArray[np.float64] = field(repr=False)
    value: NDArray[np.float64] = field(repr=False)

    def near(self, bounds: Bounds) -> NDArray[np.intp]:
        """Return which points lie in or on the sides of a rectangle."""
        left, bottom, right, top = bounds
        first, last = (
            np.searchsorted(self.y, bottom),
            np.searchsorted(self.y, top, side="right"),
        )
        x = self.x[first:last]
        found: NDArray[np.intp] = first + np.flatnonzero((x >= left) & (x <= right))
        return found


def open_points(path: Path, raster: Raster, epsg: int) -> PointSource:
    """
    Read the points of a file that an experiment selects.

    Points of the same place and value count once.

    Parameters
    ----------
    raster : Raster
        One with a column.
    epsg : int
        Of the tiles.

    Raises
    ------
    RasterError
        The file is missing or cannot be read, a column does not exist or holds
        something else than it must, or no point is left.
    """
    head = read_head(path)
    places = find_places(path, head, raster.points_epsg, epsg)
    column, where = str(raster.column), raster.where or {}
    dates = _find_dates(path, head, raster)
    texts = [*where, *([dates] if dates else [])]
    table, x, y = read_table(path, head, [column], texts, places)

    selected = np.ones(len(table), dtype=np.bool_)
    for name, values in where.items():
        selected &= _holds_one_of(table[name], values)
    n_where = int(selected.sum())
    if dates is not None:
        chosen = within(path, table[dates][selected], raster.after, raster.before)
        selected[selected] = chosen
    n_selected = int(selected.sum())
    value = numbers_of(path, column, table[column][selected])
    x, y = _placed(path, x[selected], y[selected], places.crs, epsg)

    known = _known(path, value, raster.nodata or ())
    placed = np.isfinite(x) & np.isfinite(y)
    usable = known & placed
    points = pd.DataFrame({"x": x[usable], "y": y[usable], "value": value[usable]})
    points = points.drop_duplicates().sort_values("y", kind="stable")
    counts = PointCounts(
        rows=len(table),
        not_selected=len(table) - n_selected,
        without_value=int((~known).sum()),
        without_place=int((known & ~placed).sum()),
        repeated=int(usable.sum()) - len(points),
    )
    if points.empty:
        left_out = len(table) - n_where, n_where - n_selected
        raise RasterError(_describe_empty(path, raster, table[texts], counts, left_out))
    return PointSource(
        path,
        _files(path),
        name_crs(CRS.from_user_input(places.crs).to_wkt()),
        _unit(head, column),
        counts,
        *(points[name].to_numpy() for name in ("x", "y", "value")),
    )


def _find_dates(path: Path, head: TableHead, raster: Raster) -> str | None:
    """Return the column of dates, None where it does not matter."""
    if raster.after is None and raster.before is None:
        return None
    found = raster.date_column or head.find(_DATES)
    if found is None:
        message = (
            f"{path}: no column of dates is known, among {name_some(head.columns)}. "
            "Must be SURVEY_DATE or date where date_column is left out. Name it in "
            "date_column."
        )
        raise RasterError(message)
    return found


def _holds_one_of(values: pd.Series, wanted: Sequence[Any]) -> NDArray[np.bool_]:
    """Tell where a column holds one of the wanted values; None is an empty field."""
    codes, found = pd.factorize(values)
    texts = [_as_text(value) for value in found]
    # true and false are 1 and 0, for Python as for OGR
    numbers = [float(v) for v in wanted if v is not None and not isinstance(v, str)]
    is_wanted = [
        None in wanted if text == "" else text in wanted or _as_number(text) in numbers
        for text in texts
    ]
    # the last, which the code -1 means: of what is missing
    known = np.array([*is_wanted, None in wanted], dtype=np.bool_)
    holds: NDArray[np.bool_] = known[codes]
    return holds


def _as_text(value: Any) -> str:
    """
    Write a field as a text file would have it.

    >>> _as_text(3.0), _as_text(" a "), _as_text(pd.Timestamp("2009-07-31"))
    ('3', 'a', '2009-07-31')
    """
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip().removesuffix(" 00:00:00")


def _as_number(text: str) -> float | None:
    """Read a number or a truth, None where it is none."""
    truth = {"true": 1.0, "false": 0.0}.get(text.casefold())
    try:
        return float(text) if truth is None else truth
    except ValueError:
        return None


def _placed(
    path: Path, x: NDArray[np.float64], y: NDArray[np.float64], crs: str, epsg: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return coordinates in the CRS of the tiles, not finite where there are none."""
    try:
        to_tiles = Transformer.from_crs(CRS.from_user_input(crs), epsg, always_xy=True)
        moved_x, moved_y = to_tiles.transform(x, y)
    except ProjError as error:
        message = (
            f"{path}: its CRS {crs} cannot be transformed to EPSG:{epsg} "
            f"({first_line(error)}). Must be one that PROJ knows. Correct points_epsg, "
            "or the CRS of the file."
        )
        raise RasterError(message) from error
    return np.asarray(moved_x, dtype=np.float64), np.asarray(moved_y, dtype=np.float64)


def _known(
    path: Path, value: NDArray[np.float64], nodata: Sequence[float]
) -> NDArray[np.bool_]:
    """Tell which values are data; refuse a usual nodata number that nobody named."""
    with np.errstate(over="ignore"):  # what tiles cannot hold, as in rasters
        missing = np.isin(value, nodata) | ~np.isfinite(value.astype(np.float32))
    for number in USUAL_NODATA:
        if bool((value[~missing] == number).any()):
            raise RasterError(undeclared(path, nodata, number))
    return ~missing


def _describe_empty(
    path: Path,
    raster: Raster,
    selecting: pd.DataFrame,
    counts: PointCounts,
    left_out: tuple[int, int],
) -> str:
    """Say that no point is left, why, and what the columns of the selection hold."""
    by_where, by_date = left_out
    held = "; ".join(
        f"{name} holds {', '.join(_shown(selecting[name]))}" for name in selecting
    )
    return (
        f"{path}: no point is left of {counts.rows:,} rows: 'where' leaves out "
        f"{by_where:,}, 'after' and 'before' {by_date:,}, {counts.without_value:,} "
        f"have no {raster.column}, {counts.without_place:,} no place"
        f"{f' ({held})' if held else ''}. Must leave some. Change the selection, or "
        "name another column."
    )


def _shown(values: pd.Series) -> list[str]:
    """Write some of a column's values as JSON has them, in order."""
    texts = sorted({"" if pd.isna(v) else _as_text(v) for v in values.unique()})
    shown = ["null" if text == "" else text for text in texts]
    if len(shown) <= _MOST_SHOWN:
        return shown
    return [*shown[: _MOST_SHOWN - 1], "...", shown[-1]]


def _files(path: Path) -> tuple[Path, ...]:
    """Return the files that a file of points consists of."""
    if path.suffix.casefold() != ".shp":
        return (path,)
    others = (path.with_suffix(ending) for ending in _WITH_SHAPEFILE)
    return (path, *(other for other in others if other.is_file()))


def _unit(head: TableHead, column: str) -> str | None:
    """Return the unit of a column that is known."""
    is_metric = column.strip().casefold() in _METRES
    is_known = is_metric and head.find(_OF_GLATHIDA) is not None
    return "m" if is_known else None
