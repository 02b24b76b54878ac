"""Vector files: opened, placed in a CRS, and their lines."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import fiona
import geopandas
import numpy as np
import pyogrio
import shapely
from fiona._err import CPLE_BaseError
from fiona.errors import FionaError
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError
from shapely.geometry import shape

from glacier_inversion.errors import (
    OutlineError,
    first_line,
    name_some,
    nearest,
    unprinted,
)
from glacier_inversion.geodata.archives import READ_ONLY, archive_problem, file_of
from glacier_inversion.machine.crashes import reading
from glacier_inversion.sharing.executors import ending_if_stuck

# What fiona raises of a broken file: its own, GDAL's, and what happens to it when it
# cannot write down a CRS, or GDAL's message.
_SPEECHLESS = (UnboundLocalError, SystemError)
UNREADABLE = (
    FionaError,
    CPLE_BaseError,
    pyogrio.errors.DataSourceError,
    pyogrio.errors.DataLayerError,
    *_SPEECHLESS,
)

# No CRS in metres puts anything on the Earth farther from its origin, zone numbers in
# front of the easting included.
_FARTHEST = 1e8


def read_lines(path: Path, epsg: int) -> list[shapely.LineString]:
    """
    Read the lines of a vector file in the CRS *epsg*.

    The parts of a multi-part line that meet end to end become one.

    Raises
    ------
    OutlineError
        The file is missing, unreadable, has no CRS or holds no line.
    """
    with opened_vectors(path) as src:
        to_tiles = transformer_of(path, src, epsg)
        geometries = [
            shapely.force_2d(shape(record.geometry))
            for record in records_of(src)
            if record.geometry is not None
        ]
    lines: list[shapely.LineString] = []
    for geometry in geometries:
        if geometry.geom_type == "MultiLineString":
            lines += shapely.get_parts(shapely.line_merge(geometry)).tolist()
        elif geometry.geom_type == "LineString":
            lines.append(geometry)
    with np.errstate(over="ignore"):  # of a line beyond all measure, which is refused
        lines = [reprojected(line, to_tiles) for line in lines if line.length > 0]
    if not lines or any(map(problem_of_place, lines)):
        message = (
            f"{path}: holds no line that can be drawn. Must hold LineStrings in the "
            "domain of the dataset's CRS. Draw one along the glacier."
        )
        raise OutlineError(message)
    return lines


def read_crs(path: Path, layer: str | None = None) -> str:
    """Return the name of a vector file's CRS."""
    with opened_vectors(path, layer) as src:
        return name_crs(_crs_wkt(path, src))


@lru_cache(maxsize=64)
def name_crs(wkt: str) -> str:
    """
    Return the EPSG code of a CRS, its name where it has none.

    >>> name_crs(CRS.from_epsg(2056).to_wkt())
    'EPSG:2056'
    """
    crs = CRS.from_wkt(wkt)
    epsg = crs.to_epsg()
    return crs.name if epsg is None else f"EPSG:{epsg}"


@contextmanager
def opened_vectors(path: Path, layer: str | None = None) -> Iterator[Any]:
    """Open a layer of a vector file, the only one where none is named; OutlineError."""
    check_exists(path)
    with reading(path), _refusing_broken(path):
        layers = _layers(path)
        if layer is not None and layer not in layers:
            message = (
                f"{path}: has no layer {layer!r}. {nearest(layer, layers)} "
                "Correct shapefile_layer."
            )
            raise OutlineError(message)
        if layer is None and len(layers) > 1:
            message = (
                f"{path}: holds the layers {name_some(layers)}. Must be told which "
                "one to read. Name it in dataset_description.shapefile_layer."
            )
            raise OutlineError(message)
        name = layer or next(iter(layers), None)
        with _open(path, name) as src:
            yield src


def _open(path: Path, layer: str | None) -> Any:
    with ending_if_stuck():
        return fiona.open(path, layer=layer)


def records_of(src: Any) -> Iterator[Any]:
    """Iterate over the features of an open file, each of which must come to its end."""
    records = iter(src)
    while True:
        with ending_if_stuck():
            record = next(records, None)
        if record is None:
            return
        yield record


def list_layers(path: Path) -> list[str]:
    """Return the layers of a vector file; OutlineError if it cannot be read."""
    check_exists(path)
    with reading(path), _refusing_broken(path):
        return _layers(path)


def to_geopackage(table: geopandas.GeoDataFrame, layer: str) -> bytes:
    """
    Return a table as a GeoPackage of one layer: equal tables, equal bytes.

    Made in memory, as SQLite does not always say that a disk is full. The date of the
    last change, which the format asks for, is none.
    """
    content = io.BytesIO()
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": "1970-01-01T00:00:00.000Z"})
    try:
        table.to_file(content, driver="GPKG", layer=layer, engine="pyogrio")
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": None})
    return content.getvalue()


@contextmanager
def _refusing_broken(path: Path) -> Iterator[None]:
    """Raise OutlineError where the libraries cannot read a file."""
    try:
        with unprinted(), fiona.Env(**READ_ONLY):
            yield
    except OutlineError:
        raise
    # dates, texts and geometries that are none, too
    except (*UNREADABLE, ValueError, shapely.errors.ShapelyError) as error:
        message = (
            f"{path}: cannot be read ({reason_of(error)}). Must be a vector file that "
            "OGR reads, with all that belongs to it (.shp with .shx and .dbf). Put it "
            "there again."
        )
        raise OutlineError(
            archive_problem(path)
            or _parquet_problem(path)
            or _unsupported_problem(path, reason_of(error))
            or message
        ) from error


def _parquet_problem(path: Path) -> str | None:
    """Say that GeoParquet cannot be read: few builds of GDAL have its driver."""
    if path.suffix.casefold() not in (".parquet", ".geoparquet"):
        return None
    return (
        f"{path}: GeoParquet is not read but for tables of points. Must be a vector "
        "file that OGR reads, such as a GeoPackage. Convert it, for example with "
        "'ogr2ogr' or geopandas."
    )


def _unsupported_problem(path: Path, reason: str) -> str | None:
    """Say that fiona cannot read what OGR can: KML, and layers of 3D of any type."""
    unsupported = ("unsupported driver", "Geometry type is not supported")
    is_kml = path.suffix.casefold() in (".kml", ".kmz")
    if not reason.startswith(unsupported) and not is_kml:
        return None
    own = file_of(path).parent / f"{path.stem}_2d.gpkg"  # not in an archive
    return (
        f"{path}: is of a kind that is not read here ({reason}). Must be another, such "
        "as a GeoPackage of two dimensions. Convert it, for example with 'ogr2ogr -dim "
        f"""XY "{own}" "{path}"', and name the new file."""
    )


def reason_of(error: Exception) -> str:
    """Say why a file cannot be read, as far as the libraries tell."""
    if isinstance(error, _SPEECHLESS):
        return "GDAL does not say why"
    # what pyogrio adds is of no use here
    return first_line(error).split(".; It might help")[0]


def check_exists(path: Path) -> None:
    """Raise OutlineError if there is no such vector file, or it cannot be looked at."""
    try:
        found = file_of(path)  # of some formats a folder
        is_there, is_file = found.exists(), found.is_file() or found.is_dir()
    except OSError as error:
        message = (
            f"{path}: cannot be read ({error.strerror}). Must be a vector file in the "
            "workspace's data folder. Correct its name, or its permissions."
        )
        raise OutlineError(message) from error
    if not is_there:
        message = (
            f"{path}: does not exist. Must be a vector file in the workspace's data "
            "folder. Put it there, or correct its name in the experiment."
        )
        raise OutlineError(message)
    if not is_file:  # a pipe would be waited for
        message = (
            f"{path}: is no file. Must be a vector file. Correct its name in the "
            "experiment."
        )
        raise OutlineError(message)


def _crs_wkt(path: Path, src: Any) -> str:
    """Return the CRS of a vector file, as text."""
    try:
        wkt: str = src.crs_wkt
        if wkt:
            CRS.from_wkt(wkt)
    except (*UNREADABLE, ProjError) as error:
        message = (
            f"{path}: its CRS cannot be read ({reason_of(error)}). Must be one that "
            "PROJ knows. Assign it, for example with 'ogr2ogr -a_srs EPSG:2056', or "
            "put the right .prj file beside the .shp."
        )
        raise OutlineError(message) from error
    if not wkt:
        message = (
            f"{path}: has no CRS. Must say where it is. Assign it, for example with "
            "'ogr2ogr -a_srs EPSG:2056', or put the .prj file beside the .shp."
        )
        raise OutlineError(message)
    return wkt


def _layers(path: Path) -> list[str]:
    """
    Name the layers that have geometries; QGIS keeps its styles in one without.

    By pyogrio, as fiona crashes where a message of GDAL is not UTF-8.
    """
    pyogrio.set_gdal_config_options(READ_ONLY)
    with ending_if_stuck():
        layers = pyogrio.list_layers(path)
    return [name for name, geometry in layers if geometry is not None]


def transformer_of(path: Path, src: Any, epsg: int) -> Transformer:
    """Return what takes x, y of an open file to a CRS; OutlineError if nothing does."""
    wkt = _crs_wkt(path, src)
    try:
        return Transformer.from_crs(CRS.from_wkt(wkt), epsg, always_xy=True)
    except ProjError as error:
        message = (
            f"{path}: its CRS cannot be transformed to EPSG:{epsg} "
            f"({first_line(error)}). Must be one that PROJ knows. Assign the right one "
            "with 'ogr2ogr -a_srs EPSG:2056', for example."
        )
        raise OutlineError(message) from error


def reprojected(geometry: shapely.Geometry, to_tiles: Transformer) -> shapely.Geometry:
    """Return a geometry in another CRS, vertex by vertex."""

    def project(points: np.ndarray[Any, np.dtype[np.float64]]) -> Any:
        return np.column_stack(to_tiles.transform(points[:, 0], points[:, 1]))

    return shapely.transform(geometry, project)


def problem_of_place(geometry: shapely.Geometry) -> str | None:
    """Say why a geometry in the CRS of the dataset lies nowhere, None if it does."""
    coordinates = shapely.get_coordinates(geometry)
    if not np.isfinite(coordinates).all():
        return (
            "lies outside the domain of the dataset's CRS. Must lie within it. Correct "
            "it, or the CRS that the file declares"
        )
    farthest = np.abs(coordinates).max(initial=0.0)
    if farthest > _FARTHEST:
        return (
            f"has a coordinate of {farthest:.6g}. Must be at most {_FARTHEST:,.0f} m "
            "from the origin of the CRS. Correct it, or the CRS that the file declares"
        )
    return None
