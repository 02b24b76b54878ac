"""Outlines: read, reprojected, repaired."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geopandas
import shapely
from pyproj import Transformer
from shapely.geometry import shape

from glacier_inversion.dataset.feature_ids import (
    check_column,
    check_ids,
    find_id_column,
    id_of,
)
from glacier_inversion.errors import OutlineError, first_line
from glacier_inversion.experiment.sections import DatasetDescription
from glacier_inversion.files import write_bytes
from glacier_inversion.geodata.vectors import (
    opened_vectors,
    problem_of_place,
    records_of,
    reprojected,
    to_geopackage,
    transformer_of,
)

MADE_VALID = "made valid"
"""How the repair of an outline begins that was not valid."""
_WANTED = "Must be a polygon with an area. Draw it, or remove the feature"


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
        What the file's columns say of it, as JSON can hold it.
    repairs : tuple of str
        What had to be done to the geometry.
    problem : str, optional
    """

    feature: str
    polygon: shapely.Geometry | None
    columns: dict[str, Any]
    repairs: tuple[str, ...] = ()
    problem: str | None = None


def name_outlines(path: Path, description: DatasetDescription) -> DatasetDescription:
    """
    Return a description that names the layer and the column of ids of its outlines.

    A column that is left out is the one of a known inventory, if there is one such.

    Raises
    ------
    OutlineError
        The file is missing or unreadable, or it cannot be known which layer or column.
    """
    with opened_vectors(path, description.shapefile_layer) as src:
        columns, layer = list(src.schema["properties"]), src.name
    fieldname = description.shapefile_fieldname
    if fieldname is None:
        fieldname = find_id_column(path, columns)
    names = {"shapefile_fieldname": fieldname, "shapefile_layer": layer}
    return description.model_copy(update=names)


def read_outlines(
    path: Path, fieldname: str, epsg: int, layer: str | None = None
) -> list[Outline]:
    """
    Read the outlines of a vector file, in the order of the file.

    Geometries are reprojected (axes in the order x, y whatever the CRS says), made 2D
    and valid; holes are kept. One that cannot be used leaves an `Outline` with a
    `problem`, so that the others go on.

    Raises
    ------
    OutlineError
        The file is missing, unreadable, has no CRS or no such column, or its ids cannot
        name folders: empty, unsafe, names of our files or of the row of a total, or
        twice the same.
    """
    with opened_vectors(path, layer) as src:
        columns = list(src.schema["properties"])
        if next(records_of(src), None) is None:
            message = f"{path}: holds no feature. Must hold outlines. Add some."
            raise OutlineError(message)
        check_column(path, fieldname, columns)
        to_tiles = transformer_of(path, src, epsg)
        outlines = [_outline(record, fieldname, to_tiles) for record in records_of(src)]
    check_ids(path, fieldname, [outline.feature for outline in outlines])
    return outlines


def read_columns(
    path: Path, fieldname: str, layer: str | None = None
) -> dict[str, dict[str, Any]]:
    """
    Read what the columns of a file of outlines say of each feature, by its id.

    Raises
    ------
    OutlineError
        As `read_outlines` does, but for places.
    """
    with opened_vectors(path, layer) as src:
        check_column(path, fieldname, list(src.schema["properties"]))
        rows = [
            {name: _plain(value) for name, value in record.properties.items()}
            for record in records_of(src)
        ]
    ids = [id_of(row[fieldname]) for row in rows]
    check_ids(path, fieldname, ids)
    return dict(zip(ids, rows, strict=True))


def _outline(record: Any, fieldname: str, to_tiles: Transformer) -> Outline:
    columns = {name: _plain(value) for name, value in record.properties.items()}
    feature = id_of(columns[fieldname])
    repairs: list[str] = []
    if record.geometry is None:
        return Outline(feature, None, columns, problem=f"has no geometry. {_WANTED}")
    try:
        geometry = shape(record.geometry)
        if geometry.has_z:
            geometry = shapely.force_2d(geometry)
            repairs.append("made 2D")
        geometry = reprojected(geometry, to_tiles)
        if problem := problem_of_place(geometry):
            return Outline(feature, None, columns, problem=problem)
        if not geometry.is_valid:
            repairs.append(f"{MADE_VALID} ({shapely.is_valid_reason(geometry)})")
            geometry = shapely.make_valid(geometry)
        polygons = [
            polygon
            for part in shapely.get_parts(geometry)
            for polygon in shapely.get_parts(part)
            if polygon.geom_type == "Polygon" and polygon.area > 0
        ]
        if not polygons:
            kind = "empty" if geometry.is_empty else f"a {geometry.geom_type}"
            problem = f"has no area: its geometry is {kind}. {_WANTED}"
            return Outline(feature, None, columns, problem=problem)
        geometry = shapely.union_all(polygons) if len(polygons) > 1 else polygons[0]
    except (ValueError, shapely.errors.ShapelyError) as error:
        problem = f"is no geometry: {first_line(error)}. {_WANTED}"
        return Outline(feature, None, columns, problem=problem)
    return Outline(feature, geometry, columns, tuple(repairs))


def _plain(value: Any) -> str | int | float | None:
    """
    Return a column's value as JSON can hold it.

    >>> _plain(2), _plain("Rhone"), _plain(float("nan")), _plain(b"x")
    (2, 'Rhone', 'nan', "b'x'")
    """
    if value is None or (isinstance(value, (int, float)) and math.isfinite(value)):
        return value
    return str(value).encode("utf-8", "replace").decode()


def write_outlines(path: Path, outlines: list[Outline], epsg: int) -> None:
    """Write the outlines that can be used, with their ids, as a GeoPackage."""
    usable = [outline for outline in outlines if outline.polygon is not None]
    table = geopandas.GeoDataFrame(
        {"feature": [outline.feature for outline in usable]},
        geometry=[outline.polygon for outline in usable],
        crs=epsg,
    )
    write_bytes(path, to_geopackage(table, "outlines"))


def read_written_outlines(path: Path) -> dict[str, shapely.Geometry]:
    """
    Return the polygons that `write_outlines` wrote, by feature.

    Raises
    ------
    OutlineError
        The file is missing or not as it was written.
    """
    outlines = {}
    with opened_vectors(path) as src:
        for record in src:
            feature = record.properties.get("feature")
            if not isinstance(feature, str) or record.geometry is None:
                message = "a feature without an id or an outline"
                raise ValueError(message)
            outlines[feature] = shape(record.geometry)
    return outlines
