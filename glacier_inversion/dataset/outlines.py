"""Outlines and profile lines: read, reprojected, repaired."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import fiona
import geopandas
import numpy as np
import shapely
from fiona._err import CPLE_BaseError
from fiona.errors import FionaError
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError
from shapely.geometry import shape

from glacier_inversion.errors import (
    OutlineError,
    first_line,
    nearest,
    unprinted,
)
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.files import write_bytes
from glacier_inversion.workspace import Workspace, name_problem, same_names

# What fiona raises of a broken file: its own, GDAL's, and what happens to it when it
# cannot write down a CRS, or GDAL's message.
_SPEECHLESS = (UnboundLocalError, SystemError)
_UNREADABLE = (FionaError, CPLE_BaseError, *_SPEECHLESS)
# No CRS in metres puts anything on the Earth farther from its origin, zone numbers in
# front of the easting included.
_FARTHEST = 1e8


@dataclass(frozen=True)
class Outline:
    """
    A feature's outline in the CRS of the dataset.

    Attributes
    ----------
    feature : str
        The id.
    polygon : Polygon or MultiPolygon, None where `problem` says why there is none
    columns : dict
        The feature's other columns.
    repairs : tuple of str
        What had to be done to the geometry.
    problem : str, optional
    """

    feature: str
    polygon: shapely.Geometry | None
    columns: dict[str, Any]
    repairs: tuple[str, ...] = ()
    problem: str | None = None


def read_outlines(path: Path, fieldname: str, epsg: int) -> list[Outline]:
    """
    Read the outlines of a vector file, in the order of the file.

    Geometries are reprojected (axes in the order x, y whatever the CRS says), made 2D
    and valid; holes are kept. One that cannot be used leaves an `Outline` with a
    `problem`, so that the others go on.

    Raises
    ------
    OutlineError
        The file is missing, unreadable, has no CRS or no such column, or its ids cannot
        name folders: empty, unsafe, or twice the same.
    """
    with _opened(path) as src:
        columns = list(src.schema["properties"])
        if next(iter(src), None) is None:
            message = f"{path}: holds no feature. Must hold outlines. Add some."
            raise OutlineError(message)
        if fieldname not in columns:
            message = (
                f"{path}: has no column {fieldname!r}. {nearest(fieldname, columns)} "
                "Correct shapefile_fieldname."
            )
            raise OutlineError(message)
        to_tiles = _transformer(path, src, epsg)
        outlines = [_outline(record, fieldname, to_tiles) for record in src]
    _check_ids(path, fieldname, [outline.feature for outline in outlines])
    return outlines


def read_lines(path: Path, epsg: int) -> list[shapely.LineString]:
    """
    Read the lines of a vector file in the CRS *epsg*.

    The parts of a multi-part line that meet end to end become one.

    Raises
    ------
    OutlineError
        The file is missing, unreadable, has no CRS or holds no line.
    """
    with _opened(path) as src:
        to_tiles = _transformer(path, src, epsg)
        geometries = [
            shapely.force_2d(shape(record.geometry))
            for record in src
            if record.geometry is not None
        ]
    lines: list[shapely.LineString] = []
    for geometry in geometries:
        if geometry.geom_type == "MultiLineString":
            lines += shapely.get_parts(shapely.line_merge(geometry)).tolist()
        elif geometry.geom_type == "LineString":
            lines.append(geometry)
    lines = [_reprojected(line, to_tiles) for line in lines if line.length > 0]
    if not lines or any(map(_problem_of_place, lines)):
        message = (
            f"{path}: holds no line that can be drawn. Must hold LineStrings in the "
            "domain of the dataset's CRS. Draw one along the glacier."
        )
        raise OutlineError(message)
    return lines


def read_profiles(
    experiment: Experiment, workspace: Workspace
) -> dict[str, list[shapely.LineString]]:
    """
    Read the lines of every profile of an experiment; name those that there are instead.

    Raises
    ------
    OutlineError
        A profile does not exist, or as `read_lines` does.
    """
    lines = {}
    for name in experiment.drawing_description.profiles:
        path = workspace.profile(name)
        if not path.exists():
            known = [there.stem for there in path.parent.glob("*.shp")]
            message = f"{path}: does not exist. {nearest(name, known)} Correct it."
            raise OutlineError(message)
        lines[name] = read_lines(path, experiment.dataset_description.epsg)
    return lines


def read_crs(path: Path) -> str:
    """Return the name of a vector file's CRS."""
    with _opened(path) as src:
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
def _opened(path: Path) -> Iterator[Any]:
    check_exists(path)
    try:
        with unprinted():
            layers = _layers(path)
            if len(layers) > 1:
                message = (
                    f"{path}: holds the layers {', '.join(layers)}. Must hold one. "
                    "Export the right one to a file of its own."
                )
                raise OutlineError(message)
            with fiona.open(path, layer=layers[0] if layers else None) as src:
                yield src
    except OutlineError:
        raise
    # dates, texts and geometries that are none, too
    except (*_UNREADABLE, ValueError, shapely.errors.ShapelyError) as error:
        message = (
            f"{path}: cannot be read ({_reason(error)}). Must be a vector file that "
            "OGR reads, with all that belongs to it (.shp with .shx and .dbf). Put it "
            "there again."
        )
        raise OutlineError(message) from error


def _reason(error: Exception) -> str:
    broken = isinstance(error, _SPEECHLESS)
    return "GDAL does not say why" if broken else first_line(error)


def check_exists(path: Path) -> None:
    """Raise OutlineError if there is no such vector file, or it cannot be looked at."""
    try:
        is_there = path.exists()
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


def _crs_wkt(path: Path, src: Any) -> str:
    """Return the CRS of a vector file, as text."""
    try:
        wkt: str = src.crs_wkt
        if wkt:
            CRS.from_wkt(wkt)
    except (*_UNREADABLE, ProjError) as error:
        message = (
            f"{path}: its CRS cannot be read ({_reason(error)}). Must be one that "
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
    """Name the layers that have geometries; QGIS keeps its styles in one without."""
    names = []
    for name in fiona.listlayers(path):
        with fiona.open(path, layer=name) as layer:
            if layer.schema["geometry"] != "None":
                names.append(name)
    return names


def _transformer(path: Path, src: Any, epsg: int) -> Transformer:
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


def _reprojected(geometry: shapely.Geometry, to_tiles: Transformer) -> shapely.Geometry:
    def project(points: np.ndarray[Any, np.dtype[np.float64]]) -> Any:
        return np.column_stack(to_tiles.transform(points[:, 0], points[:, 1]))

    return shapely.transform(geometry, project)


def _outline(record: Any, fieldname: str, to_tiles: Transformer) -> Outline:
    columns = dict(record.properties)
    feature = _id(columns[fieldname])
    repairs: list[str] = []
    if record.geometry is None:
        return Outline(feature, None, columns, problem="has no geometry")
    try:
        geometry = shape(record.geometry)
        if geometry.has_z:
            geometry = shapely.force_2d(geometry)
            repairs.append("made 2D")
        geometry = _reprojected(geometry, to_tiles)
        if problem := _problem_of_place(geometry):
            return Outline(feature, None, columns, problem=problem)
        if not geometry.is_valid:
            repairs.append(f"made valid ({shapely.is_valid_reason(geometry)})")
            geometry = shapely.make_valid(geometry)
        polygons = [
            polygon
            for part in shapely.get_parts(geometry)
            for polygon in shapely.get_parts(part)
            if polygon.geom_type == "Polygon" and polygon.area > 0
        ]
        if not polygons:
            problem = f"has no area: its geometry is a {geometry.geom_type}"
            return Outline(feature, None, columns, problem=problem)
        geometry = shapely.union_all(polygons) if len(polygons) > 1 else polygons[0]
    except (ValueError, shapely.errors.ShapelyError) as error:
        problem = f"is no geometry: {first_line(error)}"
        return Outline(feature, None, columns, problem=problem)
    return Outline(feature, geometry, columns, tuple(repairs))


def _problem_of_place(geometry: shapely.Geometry) -> str | None:
    """Say why a geometry in the CRS of the dataset lies nowhere, None if it does."""
    coordinates = shapely.get_coordinates(geometry)
    if not np.isfinite(coordinates).all():
        return "lies outside the domain of the dataset's CRS"
    farthest = np.abs(coordinates).max(initial=0.0)
    if farthest > _FARTHEST:
        return (
            f"has a coordinate of {farthest:.6g}. Must be at most {_FARTHEST:,.0f} m "
            "from the origin of the CRS. Correct it, or the CRS that the file declares"
        )
    return None


def _id(value: Any) -> str:
    """
    Return a column's value as an id; a whole number has no decimals.

    >>> _id(12.0), _id("A51d-10 "), _id(None)
    ('12', 'A51d-10', '')
    """
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value).strip()


def _check_ids(path: Path, fieldname: str, ids: list[str]) -> None:
    problems = [
        f"{feature!r} {problem}"
        for feature in ids
        if (problem := name_problem(feature))
    ]
    problems += [
        f"{' and '.join(map(repr, group))} would share a folder"
        for group in same_names(ids)
    ]
    if problems:
        more = f" and {len(problems) - 5} more" if len(problems) > 5 else ""
        message = (
            f"{path}: column {fieldname!r}: {'; '.join(problems[:5])}{more}. Must be "
            "ids that can name folders, each once. Correct them, merge features of one "
            "id, or choose another shapefile_fieldname."
        )
        raise OutlineError(message)


def write_outlines(
    path: Path, features: list[tuple[Outline, str | None]], epsg: int
) -> None:
    """Write the outlines that can be used, with ids and splits, as a GeoPackage."""
    usable = [(o, split) for o, split in features if o.polygon is not None]
    table = geopandas.GeoDataFrame(
        {
            "feature": [outline.feature for outline, _ in usable],
            "split": [split or "left out" for _, split in usable],
        },
        geometry=[outline.polygon for outline, _ in usable],
        crs=epsg,
    )
    # in memory first: SQLite does not always say that a disk is full
    content = io.BytesIO()
    table.to_file(content, driver="GPKG", layer="outlines")
    write_bytes(path, content.getvalue())


def read_written_outlines(path: Path) -> dict[str, shapely.Geometry]:
    """
    Return the polygons that `write_outlines` wrote, by feature.

    Raises
    ------
    OutlineError
        The file is missing or not as it was written.
    """
    outlines = {}
    with _opened(path) as src:
        for record in src:
            feature = record.properties.get("feature")
            if not isinstance(feature, str) or record.geometry is None:
                message = "a feature without an id or an outline"
                raise ValueError(message)
            outlines[feature] = shape(record.geometry)
    return outlines
