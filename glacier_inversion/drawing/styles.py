"""Styles of maps in QGIS: the colours, and one range for all features of a run."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import numpy as np
from numpy.typing import NDArray

from glacier_inversion.experiment.sections import APPLICABILITY
from glacier_inversion.files import write_bytes
from glacier_inversion.geodata.geotiffs import opened

# Nine stops of matplotlib's viridis and magma, which colour-blind people read.
_VIRIDIS = [
    "#440154",
    "#472d7b",
    "#3b528b",
    "#2c728e",
    "#21918c",
    "#28ae80",
    "#5ec962",
    "#addc30",
    "#fde725",
]
_MAGMA = [
    "#000004",
    "#1d1147",
    "#51127c",
    "#832681",
    "#b73779",
    "#e75263",
    "#fc8961",
    "#fec488",
    "#fcfdbf",
]
_BLUE_TO_RED = [  # of ColorBrewer's RdBu
    "#2166ac",
    "#4393c3",
    "#92c5de",
    "#d1e5f0",
    "#f7f7f7",
    "#fddbc7",
    "#f4a582",
    "#d6604d",
    "#b2182b",
]
ABOUT_ONE = 0.0, 2.0
"""The range of what is measured against a threshold, which is 1."""
_FROM_ZERO = "std", "uncertainty", "noise"
"""Statistics with a range of their own, from 0 on, and colours of their own."""
_BOUNDS = "lower68", "upper68", "lower95", "upper95"
"""Statistics in the colours of the mean, of which they would leave it few."""
_ALONE = *_FROM_ZERO, APPLICABILITY
"""Statistics whose values are no values of the output."""
_INTERVALS = 5  # of a range, at most about

Range = tuple[float, float]
"""The lowest and the highest value that has a colour of its own."""


DrawnMaps = dict[tuple[str, str], list[Path]]
"""The maps of a run, one for each feature, by output and statistic."""
Ranges = dict[tuple[str, str], Range]
"""The range of each output and statistic, that of all features of a run."""
Extremes = tuple[float, float] | None
"""The least and the greatest finite value of a map; None where there is none."""


def style_maps(maps: DrawnMaps, ranges: Ranges) -> None:
    """
    Write the styles of a run's maps.

    Raises
    ------
    WorkspaceError
        A style cannot be written.
    """
    for (output, statistic), paths in maps.items():
        for path in paths:
            write_style(path, statistic, ranges[output, statistic])


def ranges_of(maps: DrawnMaps, extremes: Mapping[Path, Extremes]) -> Ranges:
    """
    Return the ranges of a run's maps, which are read where *extremes* lack them.

    The standard deviations of an output have one range, its uncertainties another, all
    other statistics a third, so that the features can be compared, and their quantiles
    with their means. Bounds of intervals have the range of the mean, and where they lie
    beyond it, the colour of its end.

    Raises
    ------
    RasterError
        A map cannot be read.
    """
    groups = {
        (output, statistic): (output, statistic if statistic in _ALONE else "")
        for output, statistic in maps
    }
    together: dict[tuple[str, str], list[Path]] = {}
    for what, paths in maps.items():
        output, statistic = what
        if statistic not in _BOUNDS or (output, "mean") not in maps:
            together.setdefault(groups[what], []).extend(paths)
    ranges = {
        group: common_range(
            (extremes[p] if p in extremes else read_extremes(p) for p in paths),
            from_zero=group[1] in _FROM_ZERO,
        )
        for group, paths in together.items()
    }
    return {
        what: ABOUT_ONE if what[1] == APPLICABILITY else ranges[group]
        for what, group in groups.items()
    }


def style_path(raster: Path) -> Path:
    """Return where QGIS looks for the style of a raster."""
    return raster.with_suffix(".qml")


def common_range(extremes: Iterable[Extremes], from_zero: bool = False) -> Range:
    """
    Return one range for the values of several maps, rounded outward to nice numbers.

    (0, 1) without any value.

    Parameters
    ----------
    from_zero : bool
        Begin at 0, as for a spread.
    """
    total = functools.reduce(join_extremes, extremes, None)
    if total is None:
        return 0.0, 1.0
    return nice_range(0.0 if from_zero else total[0], total[1])


def read_extremes(path: Path) -> Extremes:
    """
    Return those of a map, read block by block.

    Raises
    ------
    RasterError
        It cannot be read.
    """
    found: Extremes = None
    with opened(path) as src:
        for _, window in src.block_windows(1):
            found = join_extremes(found, extremes_of(src.read(1, window=window)))
    return found


def extremes_of(values: NDArray[np.float32]) -> Extremes:
    """Return those of values."""
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else None


def join_extremes(one: Extremes, other: Extremes) -> Extremes:
    """
    Return those of two maps together.

    >>> join_extremes((2.0, 5.0), (-1.0, 3.0)), join_extremes(None, (2.0, 5.0))
    ((-1.0, 5.0), (2.0, 5.0))
    """
    if one is None or other is None:
        return one or other
    return min(one[0], other[0]), max(one[1], other[1])


def nice_step(least: float) -> float:
    """
    Return the least of 1, 2 and 5 times a power of ten that is no less.

    >>> nice_step(0.03), nice_step(200.0), nice_step(7.0)
    (0.05, 200.0, 10.0)
    """
    power = 10.0 ** math.floor(math.log10(least))
    return next(n * power for n in (1, 2, 5, 10) if n * power >= least)


def nice_range(lowest: float, highest: float) -> Range:
    """
    Widen a range to whole multiples of 1, 2 or 5 times a power of ten.

    >>> nice_range(3.2, 287.9), nice_range(0, 0.42), nice_range(7, 7)
    ((0.0, 300.0), (0.0, 0.5), (7.0, 8.0))
    """
    width = highest - lowest
    if width <= 1e-6 * max(abs(lowest), abs(highest)):  # float32 tells no more apart
        width = float(_INTERVALS)
    step = nice_step(width / _INTERVALS)
    first, last = math.floor(lowest / step), math.ceil(highest / step)
    # multiples of a power of ten are not exact in binary: 3 * 0.1
    digits = max(0, 1 - math.floor(math.log10(step)))
    return round(first * step, digits), round(max(last, first + 1) * step, digits)


def colours_of(statistic: str) -> list[str]:
    """Return the colours of a map, at equal steps of its range."""
    if statistic == APPLICABILITY:
        return _BLUE_TO_RED
    return _MAGMA if statistic in _FROM_ZERO else _VIRIDIS


def write_style(raster: Path, statistic: str, shown: Range) -> Path:
    """
    Write the style that QGIS finds beside a raster of this name, and return its path.

    Raises
    ------
    WorkspaceError
        It cannot be written.
    """
    path = style_path(raster)
    write_bytes(path, _style(statistic, shown))
    return path


@functools.lru_cache(maxsize=64)  # the maps of all features have the same
def _style(statistic: str, shown: Range) -> bytes:
    # without the version, QGIS would take it for a style of its first release
    style = Element("qgis", version="3.22", styleCategories="Symbology")
    style.append(colouring(statistic, shown))
    indent(style)
    return b"<!DOCTYPE qgis>\n" + tostring(style) + b"\n"


def colouring(statistic: str, shown: Range) -> Element:
    """Return how QGIS colours a raster: the element 'pipe' of styles and layers."""
    colours = colours_of(statistic)
    low, high = map(str, shown)
    pipe = Element("pipe")
    renderer = SubElement(
        pipe,
        "rasterrenderer",
        type="singlebandpseudocolor",
        band="1",
        opacity="1",
        classificationMin=low,
        classificationMax=high,
    )
    origin = SubElement(renderer, "minMaxOrigin")
    SubElement(origin, "limits").text = "None"  # the user's own: as they are given
    shader = SubElement(
        SubElement(renderer, "rastershader"),
        "colorrampshader",
        colorRampType="INTERPOLATED",
        classificationMode="1",
        minimumValue=low,
        maximumValue=high,
        clip="0",
    )
    for value, colour in zip(np.linspace(*shown, len(colours)), colours, strict=True):
        SubElement(
            shader,
            "item",
            value=repr(float(value)),
            label=f"{value:g}",
            color=colour,
            alpha="255",
        )
    return pipe
