"""Mosaics: one file that shows the maps of all features of a run, where they lie."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from glacier_inversion.drawing.styles import (
    DrawnMaps,
    Ranges,
    style_path,
    write_style,
)
from glacier_inversion.experiment.sections import STATISTIC
from glacier_inversion.files import remove, write_bytes
from glacier_inversion.geodata.geotiffs import check_is_file, opened
from glacier_inversion.geodata.layouts import MAP_BLOCK_PX
from glacier_inversion.grid import Grid
from glacier_inversion.workspace import mosaic_path


def write_mosaics(
    folder: Path, maps: DrawnMaps, ranges: Ranges, grids: Sequence[Grid]
) -> list[Path]:
    """
    Write a mosaic and its style for each output and statistic; return the mosaics.

    Parameters
    ----------
    folder : Path
        That of the model's drawings; the mosaics refer to the maps below it.
    maps : mapping of lists of Path
        Of the same features everywhere, in the same order.
    grids : sequence of Grid
        Those of the features' maps, in that order.

    Raises
    ------
    RasterError
        A map is missing, or the last one cannot be read.
    WorkspaceError
        A mosaic cannot be written.
    """
    if not maps:
        return []
    written = []
    for (output, statistic), paths in maps.items():
        mosaic = mosaic_path(folder, output, statistic)
        write_bytes(mosaic, _mosaic(folder, paths, grids))
        write_style(mosaic, statistic, ranges[output, statistic])
        written.append(mosaic)
    return written


def remove_mosaics(folder: Path, outputs: Iterable[str]) -> None:
    """Remove the mosaics of an earlier run, whose maps are about to change."""
    names = "|".join(map(re.escape, outputs))
    ours = re.compile(f"({names})_({STATISTIC})\\.vrt")  # others are the user's
    mosaics = [
        path
        for path in folder.glob("*.vrt")
        if ours.fullmatch(path.name) and path.is_file()
    ]
    remove(*mosaics, *map(style_path, mosaics))


def _mosaic(folder: Path, paths: Sequence[Path], grids: Sequence[Grid]) -> bytes:
    """Return a VRT of GDAL; where maps overlap, the last valid one is seen."""
    for path in paths:
        check_is_file(path)
    with opened(paths[-1]) as src:
        wkt, unit = src.crs.to_wkt(), src.units[0]
    resolution = grids[0].resolution
    left, top = min(grid.left for grid in grids), max(grid.top for grid in grids)
    # all maps of a run lie on one lattice
    rows = [round((top - grid.top) / resolution) for grid in grids]
    cols = [round((grid.left - left) / resolution) for grid in grids]
    n_rows = max(row + grid.n_rows for row, grid in zip(rows, grids, strict=True))
    n_cols = max(col + grid.n_cols for col, grid in zip(cols, grids, strict=True))

    vrt = Element("VRTDataset", rasterXSize=str(n_cols), rasterYSize=str(n_rows))
    SubElement(vrt, "SRS").text = wkt
    place = (left, resolution, 0.0, top, 0.0, -resolution)
    SubElement(vrt, "GeoTransform").text = ", ".join(map(repr, map(float, place)))
    band = SubElement(
        vrt,
        "VRTRasterBand",
        dataType="Float32",
        band="1",
        blockXSize=str(MAP_BLOCK_PX),
        blockYSize=str(MAP_BLOCK_PX),
    )
    SubElement(band, "NoDataValue").text = "nan"
    if unit:
        SubElement(band, "UnitType").text = unit
    for path, grid, row, col in zip(paths, grids, rows, cols, strict=True):
        # a simple source would cover what it overlaps with its NaN
        source = SubElement(band, "ComplexSource")
        name = SubElement(source, "SourceFilename", relativeToVRT="1")
        name.text = path.relative_to(folder).as_posix()
        SubElement(source, "SourceBand").text = "1"
        size = {"xSize": str(grid.n_cols), "ySize": str(grid.n_rows)}
        SubElement(source, "SrcRect", {"xOff": "0", "yOff": "0", **size})
        SubElement(source, "DstRect", {"xOff": str(col), "yOff": str(row), **size})
        SubElement(source, "NODATA").text = "nan"
    indent(vrt)
    return tostring(vrt) + b"\n"
