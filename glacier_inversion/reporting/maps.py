"""Maps of a report: rasters and points as images, outlines as lines, in an SVG."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from matplotlib.image import imsave
from numpy.typing import NDArray

from glacier_inversion.drawing.overview import nice_length
from glacier_inversion.drawing.styles import Range, colours_of
from glacier_inversion.geodata.geotiffs import opened, read_reduced
from glacier_inversion.grid import Bounds
from glacier_inversion.reporting.legends import Legend

Floats = NDArray[np.float64]

RESIDUAL = "residual"
"""What is coloured from purple, too low, over pale grey to green, too high."""
ERROR = "error"
"""What is coloured from pale to dark, from 0 on."""
_COLOURS = {
    RESIDUAL: [
        # ColorBrewer's PRGn: blue to red says where a model applies
        "#762a83",
        "#af8dc3",
        "#e7d4e8",
        "#dddddd",
        "#d9f0d3",
        "#7fbf7b",
        "#1b7837",
    ],
    ERROR: ["#fff7bc", "#fec44f", "#ec7014", "#cc4c02", "#8c2d04", "#4d1500"],
}
_WIDTH = 1000.0  # of a map, in units of its drawing
_MARGIN = 0.02  # around an outline, of its longer side
_SLIMMEST, _FLATTEST = 1.25, 0.5  # height by width: beyond, a map has empty sides
_DETAIL = 1.0  # how far a line may be simplified, in these units
_N_COLOURS = 256  # of an image
_NO_SOFTWARE: Any = {"Software": None}  # matplotlib's version is none of its content


@dataclass(frozen=True)
class Shape:
    """An outline: the commands that draw it, its fill, and what it is."""

    path: str
    fill: str | None = None
    title: str = ""


@dataclass(frozen=True)
class PlacedImage:
    """An image: the address that holds it, its corner at the upper left, its size."""

    uri: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class MapPicture:
    """
    A map to be drawn.

    Attributes
    ----------
    title, alt : str
    width, height : float
        Of the drawing, in its own units.
    legend : Legend or None
    images : list of PlacedImage
    shapes : list of Shape
    bar : float
        Length of the scale bar, in units of the drawing.
    bar_label : str
    """

    title: str
    alt: str
    width: float
    height: float
    bar: float
    bar_label: str
    legend: Legend | None = None
    images: list[PlacedImage] = field(default_factory=list)
    shapes: list[Shape] = field(default_factory=list)


@dataclass(frozen=True)
class Frame:
    """The part of the Earth that a map shows, and how it is scaled."""

    left: float
    top: float
    width_m: float
    height_m: float

    @classmethod
    def around(cls, bounds: Bounds) -> Frame:
        """Frame what is within bounds, with a margin, and not too slim nor too flat."""
        left, bottom, right, top = bounds
        margin = _MARGIN * max(right - left, top - bottom)
        width, height = right - left + 2 * margin, top - bottom + 2 * margin
        wide, high = max(width, height / _SLIMMEST), max(height, width * _FLATTEST)
        x, y = (left + right) / 2, (bottom + top) / 2
        return cls(x - wide / 2, y + high / 2, wide, high)

    @property
    def scale(self) -> float:
        """Units of the drawing in a metre."""
        return _WIDTH / self.width_m

    def picture(
        self,
        title: str,
        alt: str,
        legend: Legend | None = None,
        images: Sequence[tuple[str, Bounds]] = (),
        shapes: Sequence[Shape] = (),
    ) -> MapPicture:
        """Make a map of images, each with its place, and outlines."""
        length = nice_length(max(self.width_m / 4, 1.0))
        label = f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"
        placed = [
            PlacedImage(
                uri,
                round((left - self.left) * self.scale, 1),
                round((self.top - top) * self.scale, 1),
                round((right - left) * self.scale, 1),
                round((top - bottom) * self.scale, 1),
            )
            for uri, (left, bottom, right, top) in images
        ]
        return MapPicture(
            title,
            alt,
            round(self.width_m * self.scale, 1),
            round(self.height_m * self.scale, 1),
            round(length * self.scale, 1),
            label,
            legend,
            placed,
            list(shapes),
        )

    def path(self, outline: shapely.Geometry) -> str:
        """Return what draws an outline, simplified as far as nobody sees."""
        simple = shapely.simplify(outline, _DETAIL / self.scale)
        parts = []
        for polygon in shapely.get_parts(simple):
            for ring in shapely.get_rings(polygon):
                places = shapely.get_coordinates(ring)[:-1]
                x = (places[:, 0] - self.left) * self.scale
                y = (self.top - places[:, 1]) * self.scale
                steps = np.column_stack([x, y]).round(0).astype(int)
                parts.append("M" + "L".join(f"{a} {b}" for a, b in steps) + "Z")
        return "".join(parts)

    def points(
        self,
        x: Floats,
        y: Floats,
        values: Floats,
        resolution: float,
        most_px: int,
        shown: Range,
    ) -> tuple[str, Bounds]:
        """
        Make an image of points, each a pixel; of several in one, their mean.

        Parameters
        ----------
        x, y : float64 arrays, shape (n_points,), metres
        values : float64 array, shape (n_points,)
        resolution : float, metres
            Of the pixels, if they are not more than *most_px* along a side.
        """
        side = max(self.width_m, self.height_m)
        step = resolution * max(1, int(np.ceil(side / resolution / most_px)))
        left = np.floor(self.left / step) * step
        top = np.ceil(self.top / step) * step
        n_cols = int(np.ceil((self.left + self.width_m - left) / step))
        n_rows = int(np.ceil((top - self.top + self.height_m) / step))
        row = np.floor((top - y) / step).astype(int)
        col = np.floor((x - left) / step).astype(int)
        inside = (row >= 0) & (row < n_rows) & (col >= 0) & (col < n_cols)
        place = row[inside] * n_cols + col[inside]
        size = n_rows * n_cols
        counts = np.bincount(place, minlength=size)
        sums = np.bincount(place, values[inside], size)
        with np.errstate(invalid="ignore"):
            image = (sums / np.where(counts, counts, np.nan)).reshape(n_rows, n_cols)
        bounds = (left, top - n_rows * step, left + n_cols * step, top)
        return to_image(image, RESIDUAL, shown), bounds


def paint(colours: str, shown: Range, values: Floats) -> list[str]:
    """
    Return the colour of each value, as a style sheet has it.

    >>> paint("error", (0.0, 10.0), np.array([0.0, 99.0]))
    ['#fff7bc', '#4d1500']
    """
    table = _table(colours)
    return ["#{:02x}{:02x}{:02x}".format(*table[i]) for i in _indices(values, shown)]


def stops(colours: str) -> list[str]:
    """Return the colours of a legend, at equal steps."""
    return _COLOURS.get(colours) or colours_of(colours)


def to_image(values: NDArray[np.floating], colours: str, shown: Range) -> str:
    """
    Return a PNG with a colour for each value, as an address that holds it.

    Parameters
    ----------
    values : float array, shape (n_rows, n_cols)
        Transparent where NaN.
    colours : str
        `RESIDUAL`, `ERROR` or a statistic of a map.
    shown : tuple of float
        The values of the first and the last colour.
    """
    known = np.isfinite(values)
    image = np.zeros((*values.shape, 4), np.uint8)
    image[known, :3] = _table(colours)[_indices(values[known], shown)]
    image[known, 3] = 255
    content = io.BytesIO()
    imsave(content, image, format="png", metadata=_NO_SOFTWARE)
    text = base64.b64encode(content.getvalue()).decode()
    return f"data:image/png;base64,{text}"


def read_picture(path: Path, most_px: int) -> tuple[NDArray[np.float32], Bounds]:
    """
    Return a map, with at most so many pixels along a side, and its bounds.

    Raises
    ------
    RasterError
        It cannot be read.
    """
    with opened(path) as src:
        return read_reduced(src, most_px), tuple(src.bounds)


def _table(colours: str) -> NDArray[np.uint8]:
    """Return the colours of an image, shape (n_colours, 3)."""
    ends = np.array(
        [[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in stops(colours)]
    )
    at = np.linspace(0, len(ends) - 1, _N_COLOURS)
    along = [np.interp(at, np.arange(len(ends)), side) for side in ends.T]
    return np.column_stack(along).round().astype(np.uint8)


def _indices(values: NDArray[np.floating], shown: Range) -> NDArray[np.intp]:
    low, high = shown
    share = (np.asarray(values, np.float64) - low) / ((high - low) or 1.0)
    return np.clip(share * (_N_COLOURS - 1), 0, _N_COLOURS - 1).round().astype(np.intp)
