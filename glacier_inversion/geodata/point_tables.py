"""Tables of points: CSV, Parquet and vector files; their columns, places and CRS."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import pyogrio
from numpy.typing import NDArray
from pyproj import CRS
from pyproj.exceptions import ProjError

from glacier_inversion.errors import RasterError, first_line, name_some
from glacier_inversion.geodata.archives import file_of, kind_of
from glacier_inversion.geodata.point_geometries import (
    find_geometries,
    find_layer,
    split_points,
)
from glacier_inversion.geodata.table_heads import TableHead
from glacier_inversion.geodata.text_tables import EMPTY, read_form, read_rows
from glacier_inversion.machine.crashes import reading
from glacier_inversion.sharing.executors import ending_if_stuck

_PARQUET = {".parquet", ".geoparquet"}
_TABLES = {".csv", ".tsv", ".txt", *_PARQUET}
_RASTERS = {".tif", ".tiff", ".vrt", ".nc", ".img", ".asc"}
# As GlaThiDa 3 and 2, OGGM, GPX to CSV converters and people call them; in any case.
_LONGITUDES = ("point_lon", "longitude", "lon", "long")
_LATITUDES = ("point_lat", "latitude", "lat")
_EASTINGS, _NORTHINGS = ("x", "easting"), ("y", "northing")
_PLACES = {*_LONGITUDES, *_LATITUDES, *_EASTINGS, *_NORTHINGS}
_EPSG_OF_DEGREES = 4326
_UNPACKED = (
    "Must be a file of its own, as a table of points is not read from an archive. "
    "Unpack it into the workspace's data folder, and correct 'file'."
)
# What pandas, pyarrow and pyogrio raise of a broken file.
_UNREADABLE = (
    ProjError,
    OSError,
    ValueError,
    RuntimeError,
    NotImplementedError,
    KeyError,
    csv.Error,
)


def read_head(path: Path) -> TableHead:
    """
    Read the names of a table's columns.

    Raises
    ------
    RasterError
        The file is missing, unreadable, or holds no points, or two of its columns have
        one name.
    """
    if file_of(path) != path and file_of(path).is_file():
        message = f"{path}: lies in an archive. {_UNPACKED}"
        raise RasterError(message)
    try:
        head = _read_head(path)
    except RasterError as error:
        if kind_of(path) is None or not path.is_file():
            raise
        message = f"{path}: is an archive. {_UNPACKED}"
        raise RasterError(message) from error
    _check_names(path, head.columns)
    return head


def _check_names(path: Path, columns: Sequence[str]) -> None:
    """Refuse columns of one name; those of places are found in any case."""
    positions: dict[str, int] = {}
    for position, column in enumerate(columns, 1):
        name = column.strip().casefold()
        key = name if name in _PLACES else column
        first = positions.setdefault(key, position)
        if first != position:
            message = (
                f"{path}: columns {first} and {position} are both called {column!r}. "
                "Must have a name each, to know which one is meant. Rename or remove "
                "one of them."
            )
            raise RasterError(message)


def _read_head(path: Path) -> TableHead:
    if not path.is_file():
        is_what = "is no file" if path.exists() else "does not exist"
        message = (
            f"{path}: {is_what}. Must be a file of points in the workspace's data "
            "folder. Put it there, or correct 'file'."
        )
        raise RasterError(message)
    ending = path.suffix.casefold()
    if ending in _RASTERS:
        message = (
            f"{path}: is a raster, and 'column' is for points. Must be a table or a "
            "vector file. Leave 'column' out, or name another file."
        )
        raise RasterError(message)
    with _refusing_broken(path):
        if ending in _PARQUET:
            return _head_of_parquet(path)
        if ending in _TABLES:
            form = read_form(path)
            return TableHead(form.columns, form=form)
        columns, layer, crs = find_layer(path)
        return TableHead(columns, layer, crs=crs)


def _head_of_parquet(path: Path) -> TableHead:
    schema = _parquet(path).read_schema(path)
    column, crs = find_geometries(schema) or (None, None)
    names = tuple(name for name in schema.names if name != column)
    return TableHead(names, geometry=column, crs=crs)


def _parquet(path: Path) -> Any:
    """Import what reads Parquet, which is an extra."""
    try:
        from pyarrow import parquet  # noqa: PLC0415  an extra
    except ImportError as error:
        message = (
            f"{path}: cannot be read without the package pyarrow. Must be installed. "
            "Run 'pip install pyarrow', or write the table as CSV."
        )
        raise RasterError(message) from error
    return parquet


@dataclass(frozen=True)
class Places:
    """
    Where the points of a table are told.

    Attributes
    ----------
    x, y : str, None where they are geometries
        The columns; x is easting or longitude.
    crs : str
        As pyproj reads it.
    """

    x: str | None
    y: str | None
    crs: str


def find_places(
    path: Path, head: TableHead, points_epsg: int | None, epsg: int
) -> Places:
    """
    Find where the points of a table are told, and in which CRS.

    Longitude and latitude are taken before x and y, unless *points_epsg* says that
    coordinates are something else.

    Parameters
    ----------
    points_epsg : int, optional
        What the experiment says.
    epsg : int
        Of the tiles: that of x and y, if nothing else is said.

    Raises
    ------
    RasterError
        There are no such columns, or a vector file has no CRS or another one.
    """
    told = None if points_epsg is None else f"EPSG:{points_epsg}"
    if head.has_points:
        if head.crs and told and CRS.from_user_input(head.crs).to_epsg() != points_epsg:
            message = (
                f"{path}: has a CRS of its own, and points_epsg is {points_epsg}. Must "
                "be the same. Leave points_epsg out."
            )
            raise RasterError(message)
        if not (head.crs or told):
            message = (
                f"{path}: has no CRS. Must say where its points are. Add points_epsg "
                "to the raster in the experiment."
            )
            raise RasterError(message)
        return Places(None, None, head.crs or str(told))
    degrees = head.find(_LONGITUDES), head.find(_LATITUDES)
    metres = head.find(_EASTINGS), head.find(_NORTHINGS)
    kinds = [
        (degrees, told or f"EPSG:{_EPSG_OF_DEGREES}"),
        (metres, told or f"EPSG:{epsg}"),
    ]
    for (x, y), crs in reversed(kinds) if told else kinds:
        if x is not None and y is not None:
            return Places(x, y, crs)
    message = (
        f"{path}: no columns tell where the points are, among "
        f"{name_some(head.columns) or 'none'}. Must be longitude and latitude (also "
        "lon and lat, or POINT_LON and POINT_LAT), or x and y. Rename them."
    )
    raise RasterError(message)


def read_table(
    path: Path,
    head: TableHead,
    numbers: Sequence[str],
    texts: Sequence[str],
    places: Places,
) -> tuple[pd.DataFrame, NDArray[np.float64], NDArray[np.float64]]:
    """
    Read some columns of a table, and the coordinates of its points.

    Parameters
    ----------
    numbers, texts : sequence of str
        Names of columns. Those of texts are as the file has them, not as what they may
        be taken for.

    Returns
    -------
    table : DataFrame
        With a row for each point of a geometry of several.
    x, y : float64 arrays, shape (n_rows,)
        In the CRS of the table, NaN where a row has no place.

    Raises
    ------
    RasterError
        The file cannot be read, a column does not exist, coordinates are text, or a row
        has more fields than the header.
    """
    columns = {name: head.named(path, name) for name in (*numbers, *texts)}
    told = filter(None, (places.x, places.y))
    wanted = list(dict.fromkeys([*columns.values(), *told]))
    with _refusing_broken(path):
        if head.layer is not None:
            table = pyogrio.read_dataframe(path, layer=head.layer, columns=wanted)
        elif head.geometry is not None:
            table = geopandas.read_parquet(path, columns=[*wanted, head.geometry])
        elif head.form is not None:
            as_texts = {columns[name] for name in texts}
            table = read_rows(path, head.form, wanted, as_texts)
        else:
            table = _parquet(path).read_table(path, columns=wanted).to_pandas()
    found = pd.DataFrame({name: table[own] for name, own in columns.items()})
    if head.has_points:
        rows, x, y = split_points(table.geometry)
        return found.iloc[rows], x, y
    x, y = (numbers_of(path, str(name), table[name]) for name in (places.x, places.y))
    return found, x, y


def numbers_of(path: Path, column: str, values: pd.Series) -> NDArray[np.float64]:
    """
    Return a column as numbers, NaN where it is empty.

    Raises
    ------
    RasterError
        A field holds something else.
    """
    numbers = pd.to_numeric(values, errors="coerce")
    wrong = numbers.isna() & values.notna()
    if wrong.any():
        wrong &= ~values.astype(str).str.strip().isin(EMPTY)
    if wrong.any():
        row = int(np.argmax(wrong.to_numpy()))
        message = (
            f"{path}: {column} is {str(values.iloc[row])!r} in data row "
            f"{values.index[row] + 1}. Must be a number, with a decimal point, or "
            "empty. Correct it, or leave the row out by 'where'."
        )
        raise RasterError(message)
    found: NDArray[np.float64] = numbers.to_numpy(dtype=np.float64, na_value=np.nan)
    return found


@contextmanager
def _refusing_broken(path: Path) -> Iterator[None]:
    """Raise RasterError where the libraries cannot read a table."""
    try:
        with reading(path), ending_if_stuck():
            yield
    except RasterError:
        raise
    except _UNREADABLE as error:
        message = (
            f"{path}: cannot be read ({first_line(error)}). Must be a table of points: "
            "CSV, Parquet, or a vector file that OGR reads. Put it there again."
        )
        raise RasterError(message) from error
