"""The rasters that lie in the data folder: what they are, and what can be derived."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from glacier_inversion.dataset.outlines import Outline
from glacier_inversion.errors import RasterError
from glacier_inversion.geodata.ascii_grids import find_lines
from glacier_inversion.geodata.geotiffs import opened
from glacier_inversion.geodata.rasters import open_source
from glacier_inversion.geodata.usual_nodata import usual_nodata
from glacier_inversion.proposing.names import recognize

logger = logging.getLogger(__name__)

_RASTER_ENDINGS = {".tif", ".tiff", ".vrt", ".img", ".asc", ".nc"}
_LOOKED_AT = 512  # pixels a side, for numbers that mean no data
_UNIT_OF = {"slope": "degree", "speed": "m/yr", "vx": "m/yr", "vy": "m/yr"}

COMPONENTS = ["vx", "vy"]
"""The variables that are the components of a vector."""
# How a variable that has no file is derived, and from which others.
_DERIVATIONS = {"slope": ("slope", ["dem"]), "speed": ("magnitude", COMPONENTS)}


@dataclass(frozen=True)
class FoundRaster:
    """
    A file that holds a variable, at some of the outlines at least.

    Attributes
    ----------
    file : str
        Relative to the data folder.
    variable : str
        What it is.
    pixel_size : float
        In the units of the tiles' CRS.
    covered : float
        Share of the outlines whose bounds' corners and middle it covers, on average.
    unit : str, optional
        The file's own.
    nodata : tuple of float
        What means no data, where the file does not say so.
    """

    file: str
    variable: str
    pixel_size: float
    covered: float
    unit: str | None = None
    nodata: tuple[float, ...] = ()

    def entry(self, name: str, resolution: float) -> dict[str, Any]:
        """Return the entry of the experiment file."""
        entry: dict[str, Any] = {"name": name, "resolution": resolution}
        entry["file"] = self.file
        if self.nodata:
            entry["nodata"] = list(self.nodata)
        if self.unit is None:
            entry["unit"] = _UNIT_OF.get(self.variable, "m")
        return entry


def find_rasters(
    data: Path, outlines: list[Outline], epsg: int
) -> dict[str, FoundRaster]:
    """
    Find a raster for each variable, that which covers most where there are several.

    What is left aside, and why, is logged.
    """
    places = _places_of(outlines)
    found: dict[str, FoundRaster] = {}
    for path in sorted(data.rglob("*"), key=lambda path: (len(path.name), path)):
        if path.suffix.casefold() not in _RASTER_ENDINGS or path.name.startswith("."):
            continue
        try:
            raster = _describe(path, data, places, epsg)
        except RasterError as error:
            logger.warning("%s", error)
            continue
        if raster is None:
            continue
        other = found.get(raster.variable)
        if other is not None:
            raster, other = (
                (raster, other) if raster.covered > other.covered else (other, raster)
            )
            logger.warning(
                "%s: is %s, too, and %s is taken: change 'file', or join them with "
                "'gdalbuildvrt'",
                other.file,
                other.variable,
                raster.file,
            )
        found[raster.variable] = raster
    return found


def _places_of(outlines: list[Outline]) -> Any:
    """Return x and y of the middle and the corners of each outline's bounds."""
    places = []
    for outline in outlines:
        if outline.polygon is not None:
            left, bottom, right, top = outline.polygon.bounds
            places.append(((left + right) / 2, (bottom + top) / 2))
            places += [(x, y) for x in (left, right) for y in (bottom, top)]
    return np.array(places).reshape(-1, 2).T


def _describe(path: Path, data: Path, places: Any, epsg: int) -> FoundRaster | None:
    """Describe a file, None where it is of no use."""
    file = path.relative_to(data).as_posix()
    source = open_source(path, 1, None, None, 1.0, epsg)
    variable = recognize(path.stem)
    if variable is None:
        logger.info("%s: left aside, as its name does not say what it is", file)
        return None
    if source.pictured is not None:
        logger.warning("%s: left aside, as it holds %s", file, source.pictured)
        return None
    cols, rows = source.warping.places(*places)
    n_rows, n_cols = source.warping.shape
    with np.errstate(invalid="ignore"):
        inside = (cols >= 0) & (cols < n_cols) & (rows >= 0) & (rows < n_rows)
    covered = float(inside.mean()) if inside.size else 0.0
    if not covered or not np.isfinite(source.pixel_size):
        logger.info("%s: left aside, as it covers no outline", file)
        return None
    with opened(path) as src:
        find_lines(src, src.height)
        shape = min(src.height, _LOOKED_AT), min(src.width, _LOOKED_AT)
        values = np.unique(src.read(1, out_shape=shape, masked=True).compressed())
        usual = usual_nodata(src, 1, source.nodata)
    missing = [n for n in usual if n in values and n not in source.nodata]
    nodata = (*source.nodata, *missing) if missing else ()
    return FoundRaster(file, variable, source.pixel_size, covered, source.unit, nodata)


def find_parts(found: dict[str, FoundRaster], variable: str) -> list[str]:
    """
    Return the variables of the files that a variable is made from.

    That is its own file, or else those that it can be derived from; none where they are
    not there either.
    """
    if variable in found:
        return [variable]
    _, parts = _DERIVATIONS.get(variable, ("", []))
    return parts if all(part in found for part in parts) else []


def describe_raster(
    found: dict[str, FoundRaster], variable: str, name: str, resolution: float
) -> list[dict[str, Any]]:
    """Return the entries that make a variable, called *name*; none if it cannot be."""
    parts = find_parts(found, variable)
    if parts == [variable]:
        return [found[variable].entry(name, resolution)]
    if not parts:
        return []
    derive = {
        "name": _DERIVATIONS[variable][0],
        "of": parts if len(parts) > 1 else parts[0],
    }
    entries = [found[part].entry(part, resolution) for part in parts]
    return [*entries, {"name": name, "resolution": resolution, "derive": derive}]


def describe_rasters(
    entries: list[dict[str, Any]], vectors: list[list[str]]
) -> dict[str, Any]:
    """Return what describes the rasters of a dataset, and the vectors among them."""
    names = {entry["name"] for entry in entries}
    there = [pair for pair in vectors if names >= set(pair)]
    unique = [pair for i, pair in enumerate(there) if pair not in there[:i]]
    return {"rasters": entries, **({"vectors": unique} if unique else {})}
