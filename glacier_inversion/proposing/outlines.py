"""The outlines that lie in the data folder: which to take, in which CRS."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from pyproj import CRS
from pyproj.aoi import AreaOfInterest
from pyproj.database import query_utm_crs_info

from glacier_inversion.dataset.feature_ids import find_id_column
from glacier_inversion.dataset.outlines import (
    Outline,
    read_columns,
    read_outlines,
)
from glacier_inversion.dataset.splits import assign_splits
from glacier_inversion.errors import OutlineError, name_some
from glacier_inversion.experiment.sections import Split
from glacier_inversion.geodata.vectors import list_layers, opened_vectors

logger = logging.getLogger(__name__)

_VECTOR_ENDINGS = {".shp", ".gpkg", ".geojson", ".fgb", ".gml", ".kml"}
_POLYGONS = {"Polygon", "MultiPolygon", "Unknown", "GeometryCollection"}
_WEB_MERCATOR = 3857  # lengths in it are not metres on the ground


@dataclass(frozen=True)
class FoundOutlines:
    """
    A layer of polygons with a column that can name them.

    Attributes
    ----------
    path : Path
    layer : str, None where the file has but one
    column : str
        Holds the ids.
    is_known : bool
        Whether the column is that of a known inventory.
    """

    path: Path
    layer: str | None
    column: str
    is_known: bool

    def read(self, epsg: int) -> list[Outline]:
        """Read the outlines, in a CRS."""
        return read_outlines(self.path, self.column, epsg, self.layer)

    def find_split(self) -> tuple[str, set[str]] | None:
        """Return the column that says who trains and who validates, and its splits."""
        columns = read_columns(self.path, self.column, self.layer)
        for name in ("train", "split"):
            if name in next(iter(columns.values())):
                try:
                    assigned = assign_splits(self.path, columns, Split(field=name))
                except OutlineError as error:
                    logger.info("%s", error)
                    continue
                splits = set(assigned.values())
                if {"train", "validation"} <= splits:
                    return name, splits
        return None

    def propose_epsg(self) -> tuple[int, str]:
        """Return the CRS for tiles and why: the outlines' own, or their UTM zone."""
        with opened_vectors(self.path, self.layer) as src:
            crs = CRS.from_wkt(src.crs_wkt) if src.crs_wkt else None
        epsg = None if crs is None else crs.to_epsg()
        if crs is not None and epsg is not None and epsg != _WEB_MERCATOR:
            units = {axis.unit_name for axis in crs.axis_info}
            if crs.is_projected and units == {"metre"}:
                return epsg, "that of the outlines"
        # in degrees; no CRS at all is refused here
        polygons = [o.polygon for o in self.read(4326) if o.polygon is not None]
        if not polygons:
            message = (
                f"{self.path}: holds no outline with an area. Must hold polygons. "
                "Correct it, or choose other outlines."
            )
            raise OutlineError(message)
        x, y = _middle(polygons)
        zones = query_utm_crs_info("WGS 84", AreaOfInterest(x, y, x, y))
        if not zones:
            message = (
                f"{self.path}: lies around {x:.1f} E, {y:.1f} N, where there is no UTM "
                "zone. Must be in a projected CRS in metres there. Reproject it, for "
                "example with 'ogr2ogr -t_srs EPSG:3413'."
            )
            raise OutlineError(message)
        return int(zones[0].code), "UTM zone of the outlines' middle"


def _middle(polygons: Sequence[shapely.Geometry]) -> tuple[float, float]:
    """
    Return the longitude, -180 to 180, and the latitude of the middle of outlines.

    >>> _middle([shapely.box(179, 60, 180, 62), shapely.box(-180, 60, -177, 62)])
    (-179.0, 61.0)
    >>> _middle([shapely.box(209, 60, 211, 62)])
    (-150.0, 61.0)
    """
    longitude, latitude = shapely.get_coordinates(polygons).T
    # those nearest to the first: they may lie on both sides of 180 degrees
    longitude -= 360 * np.rint((longitude - longitude[0]) / 360)
    x = (longitude.min() + longitude.max()) / 2
    return float((x + 180) % 360 - 180), float((latitude.min() + latitude.max()) / 2)


def choose_outlines(
    data: Path, file: str | None = None, layer: str | None = None
) -> FoundOutlines:
    """
    Choose the outlines in a data folder.

    The only ones of a known inventory, or else the only ones at all, whose column of
    ids is then the first of text or whole numbers that are all different. Files that
    cannot be read are logged.

    Parameters
    ----------
    file, layer : str, optional
        Look at this file, or at layers of this name, alone.

    Raises
    ------
    OutlineError
        There are none, or several, or no column can name them; or *file* cannot be
        read.
    """
    layers = list(_find_layers(data, file, layer))
    if not layers:
        where = data if file is None else data / file
        which = "outlines" if layer is None else f"polygons in a layer {layer!r}"
        message = (
            f"{where}: holds no {which}. Must hold a vector file with polygons. Put "
            "one there (.shp with .shx, .dbf and .prj), or name another."
        )
        raise OutlineError(message)
    found, reasons = [], []
    for of_file in layers:
        try:
            found.append(_with_ids(*of_file))
        except OutlineError as error:
            reasons.append(error)
    known = [outlines for outlines in found if outlines.is_known]
    chosen = known if len(known) == 1 else found
    if not chosen:
        raise reasons[0]
    if len(chosen) == 1:
        return chosen[0]
    listed = name_some(
        [
            os.path.relpath(o.path, data) + (f" (layer {o.layer})" if o.layer else "")
            for o in chosen
        ]
    )
    message = (
        f"{data}: holds several outlines: {listed}. Must be told which to take. Name "
        "the file with '--outlines FILE', and its layer with '--layer NAME'."
    )
    raise OutlineError(message)


def _find_layers(
    data: Path, file: str | None, layer: str | None
) -> Iterator[tuple[Path, str | None, list[str]]]:
    """Yield the layers of polygons of files, with their columns."""
    paths = [data / file] if file else sorted(data.rglob("*"))
    for path in paths:
        if file is None and (
            path.suffix.casefold() not in _VECTOR_ENDINGS
            or path.parent == data / "profiles"
            or path.name.startswith(".")
        ):
            continue
        try:
            names = list_layers(path)
            for name in names if layer is None else {layer} & {*names}:
                with opened_vectors(path, name) as src:
                    kind = src.schema["geometry"].removeprefix("3D ")
                    columns = list(src.schema["properties"])
                if kind in _POLYGONS:
                    yield path, name if len(names) > 1 else None, columns
        except OutlineError as error:
            if file is not None:
                raise
            logger.warning("%s", error)


def _with_ids(path: Path, layer: str | None, columns: list[str]) -> FoundOutlines:
    """Find the column of ids of a layer; OutlineError if there is none."""
    try:
        return FoundOutlines(path, layer, find_id_column(path, columns), is_known=True)
    except OutlineError:
        pass
    named = [c for c in columns if c.casefold() in ("id", "name", "glacier_id")]
    reasons = []
    for column in dict.fromkeys([*named, *columns]):
        try:
            rows: dict[str, dict[str, Any]] = read_columns(path, column, layer)
        except OutlineError as error:
            reasons.append(str(error).removeprefix(f"{path}: ").partition(". ")[0])
            continue
        if not any(isinstance(row[column], float) for row in rows.values()):
            return FoundOutlines(path, layer, column, is_known=False)
    shown = f" ({reasons[0]})" if reasons else ""
    message = (
        f"{path}: no column, among {name_some(columns) or 'none'}, can name the "
        f"outlines{shown}. Must be one of text or whole numbers that can name folders, "
        "all different. Add it, in QGIS for example."
    )
    raise OutlineError(message)
