"""The outlines that lie in the data folder: which to take, in which CRS."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fiona
from pyproj import CRS
from pyproj.aoi import AreaOfInterest
from pyproj.database import query_utm_crs_info

from glacier_inversion.dataset.outlines import (
    Outline,
    find_id_column,
    read_columns,
    read_outlines,
)
from glacier_inversion.dataset.splits import assign_splits
from glacier_inversion.errors import OutlineError
from glacier_inversion.experiment.sections import Split
from glacier_inversion.geodata.vectors import UNREADABLE, opened_vectors

_ENDINGS = {".shp", ".gpkg", ".geojson", ".fgb", ".gml", ".kml"}
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

    def find_split(self) -> str | None:
        """Return the column that says who trains, validates and tests, if any does."""
        columns = read_columns(self.path, self.column, self.layer)
        for name in ("train", "split"):
            if name in next(iter(columns.values())):
                try:
                    splits = assign_splits(self.path, columns, Split(field=name))
                except OutlineError:
                    continue
                if {"train", "validation"} <= set(splits.values()):
                    return name
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
        bounds = [o.polygon.bounds for o in self.read(4326) if o.polygon is not None]
        if not bounds:
            message = (
                f"{self.path}: holds no outline with an area. Must hold polygons. "
                "Correct it, or choose other outlines."
            )
            raise OutlineError(message)
        left, bottom, right, top = zip(*bounds, strict=True)
        x, y = (min(left) + max(right)) / 2, (min(bottom) + max(top)) / 2
        zones = query_utm_crs_info("WGS 84", AreaOfInterest(x, y, x, y))
        if not zones:
            message = (
                f"{self.path}: lies around {x:.1f} E, {y:.1f} N, where there is no UTM "
                "zone. Must be in a projected CRS in metres there. Reproject it, for "
                "example with 'ogr2ogr -t_srs EPSG:3413'."
            )
            raise OutlineError(message)
        return int(zones[0].code), "UTM zone of the outlines' middle"


def choose_outlines(data: Path, file: str | None = None) -> FoundOutlines:
    """
    Choose the outlines in a data folder.

    The only ones of a known inventory, or else the only ones at all, whose column of
    ids is then the first of text or whole numbers that are all different.

    Parameters
    ----------
    file : str, optional
        Look at this file alone.

    Raises
    ------
    OutlineError
        There are none, or several, or no column can name them.
    """
    paths = sorted(
        path
        for path in data.rglob("*")
        if path.suffix.casefold() in _ENDINGS
        and path.parent != data / "profiles"
        and not path.name.startswith(".")
    )
    if file is not None:
        paths = [data / file]
    layers = [layer for path in paths for layer in _polygon_layers(path)]
    if not layers:
        message = (
            f"{data if file is None else paths[0]}: holds no outlines. Must hold a "
            "vector file with polygons. Put one there (.shp with .shx, .dbf and .prj)."
        )
        raise OutlineError(message)
    found = [usable for layer in layers if (usable := _with_ids(*layer)) is not None]
    known = [outlines for outlines in found if outlines.is_known]
    chosen = known if len(known) == 1 else found
    if len(chosen) == 1:
        return chosen[0]
    if not chosen:
        path, _, columns = layers[0]
        message = (
            f"{path}: no column, among {', '.join(columns) or 'none'}, holds a "
            "different name for each outline. Must have one. Add it, in QGIS for "
            "example."
        )
        raise OutlineError(message)
    listed = ", ".join(
        os.path.relpath(o.path, data) + (f" (layer {o.layer})" if o.layer else "")
        for o in chosen
    )
    message = (
        f"{data}: holds several outlines: {listed}. Must be told which to take. Name "
        "the file with '--outlines FILE', and keep one layer of polygons in it."
    )
    raise OutlineError(message)


def _polygon_layers(path: Path) -> Iterator[tuple[Path, str | None, list[str]]]:
    """Yield the layers of polygons of a file, with their columns."""
    try:
        names = fiona.listlayers(path)
        for name in names:
            with fiona.open(path, layer=name) as src:
                if src.schema["geometry"].removeprefix("3D ") in _POLYGONS:
                    layer = name if len(names) > 1 else None
                    yield path, layer, list(src.schema["properties"])
    except (*UNREADABLE, ValueError):
        return


_POLYGONS = {"Polygon", "MultiPolygon", "Unknown", "GeometryCollection"}


def _with_ids(
    path: Path, layer: str | None, columns: list[str]
) -> FoundOutlines | None:
    """Find the column of ids of a layer, None if there is none."""
    try:
        return FoundOutlines(path, layer, find_id_column(path, columns), is_known=True)
    except OutlineError:
        pass
    named = [c for c in columns if c.casefold() in ("id", "name", "glacier_id")]
    for column in dict.fromkeys([*named, *columns]):
        try:
            rows: dict[str, dict[str, Any]] = read_columns(path, column, layer)
        except OutlineError:
            continue
        if not any(isinstance(row[column], float) for row in rows.values()):
            return FoundOutlines(path, layer, column, is_known=False)
    return None
