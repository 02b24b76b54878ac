"""Points as geometries: layers of vector files, GeoParquet, and points of several."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from glacier_inversion.errors import RasterError, name_some
from glacier_inversion.json_files import parse_json

_OF_POINTS = ("Point", "MultiPoint", "Unknown")
_CRS_BY_DEFAULT = "OGC:CRS84"  # of GeoParquet


def find_layer(path: Path) -> tuple[tuple[str, ...], str, str | None]:
    """
    Find the layer of a vector file that holds points.

    Returns
    -------
    columns : tuple of str
    layer : str
    crs : str, optional

    Raises
    ------
    RasterError
        There is none, or several.
    """
    layers = [
        str(name)
        for name, kind in pyogrio.list_layers(path)
        if kind is not None and str(kind).startswith(_OF_POINTS)
    ]
    if len(layers) != 1:
        holds = f"the layers of points {name_some(layers)}" if layers else "no points"
        message = (
            f"{path}: holds {holds}. Must hold one layer of points. Write it to a file "
            "of its own, for example with 'ogr2ogr POINTS.gpkg FILE LAYER'."
        )
        raise RasterError(message)
    info = pyogrio.read_info(path, layer=layers[0])
    return tuple(map(str, info["fields"])), layers[0], info["crs"]


def find_geometries(schema: Any) -> tuple[str, str | None] | None:
    """
    Find the points of a Parquet file by its schema, None where it has no such column.

    Returns
    -------
    column : str
    crs : str, optional

    Raises
    ------
    ValueError
        What it says of geometries is not as GeoParquet has it.
    """
    told = (schema.metadata or {}).get(b"geo")
    if told is None:
        return None
    content, _ = parse_json(told.decode())
    try:
        column = str(content["primary_column"])
        about = content["columns"][column]
        kinds, crs = about.get("geometry_types"), about.get("crs", _CRS_BY_DEFAULT)
        # a file need not say which kinds it holds: then its columns are looked at
        holds_points = kinds and all(kind.startswith(_OF_POINTS) for kind in kinds)
    except (KeyError, TypeError, AttributeError) as error:
        message = "its metadata 'geo' are none of GeoParquet"
        raise ValueError(message) from error
    if not holds_points:
        return None
    return column, None if crs is None else CRS.from_user_input(crs).to_wkt()


def split_points(
    geometries: Any,
) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
    """
    Return the coordinates of all points, NaN of what is none, and whose they are.

    Returns
    -------
    rows : int array, shape (n_points,)
        Of the geometries. Each comes once, but one of several points as often.
    x, y : float64 arrays, shape (n_points,)

    Examples
    --------
    >>> two = shapely.MultiPoint([(1, 2), (3, 4)])
    >>> [found.tolist() for found in split_points([two, None, shapely.Point(5, 6)])]
    [[0, 0, 1, 2], [1.0, 3.0, nan, 5.0], [2.0, 4.0, nan, 6.0]]
    """
    given = np.asarray(geometries, dtype=object)
    n_parts = shapely.get_num_geometries(given)
    is_multi = shapely.get_type_id(given) == shapely.GeometryType.MULTIPOINT
    counts = np.where(is_multi, np.maximum(n_parts, 1), 1)
    rows = np.repeat(np.arange(len(given)), counts)
    place = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    # the first of a single point is itself; what has many and is none is nowhere
    points = shapely.get_geometry(given[rows], place)
    is_nowhere = ((n_parts != 1) & ~is_multi)[rows] | shapely.is_empty(points)
    points[is_nowhere] = None
    return rows, shapely.get_x(points), shapely.get_y(points)
