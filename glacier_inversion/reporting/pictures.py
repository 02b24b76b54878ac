"""Maps of the region and of single features, put together from what is on disk."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from glacier_inversion.drawing.styles import ABOUT_ONE, Range, nice_range
from glacier_inversion.errors import RasterError
from glacier_inversion.evaluation.metrics import REGRESSION
from glacier_inversion.experiment.sections import APPLICABILITY
from glacier_inversion.grid import Bounds
from glacier_inversion.progress import Progress
from glacier_inversion.reporting.legends import Legend, legend_of
from glacier_inversion.reporting.map_facts import (
    count_maps,
    read_facts,
    unreadable,
)
from glacier_inversion.reporting.maps import (
    ERROR,
    RESIDUAL,
    Frame,
    MapPicture,
    Shape,
    paint,
    read_picture,
    to_image,
)
from glacier_inversion.reporting.quantities import count, exact, number, signed
from glacier_inversion.reporting.rows import FeatureRow
from glacier_inversion.reporting.sources import Sources
from glacier_inversion.workspace import mosaic_path

MOST_FEATURES = 40
"""So many have maps of their own: the largest."""
_REGION_PX, _FEATURE_PX = 900, 360  # of images, along the longer side
_RESIDUAL_PX = 140  # points must stay seen
_COMMON = 0.95  # of the residuals have a colour of their own
_UNKNOWN = "#e8e8e8"  # the fill of what was not checked
_WORDS = {
    "mean": "predicted",
    "uncertainty": "uncertainty (one standard error)",
    "std": "spread of the networks (no error)",
    RESIDUAL: "predicted minus measured",
    APPLICABILITY: "unlike training: above 1 the model does not apply",
}


@dataclass(frozen=True)
class FeatureMaps:
    """The maps of a feature, and what is known of it."""

    feature: str
    facts: str
    maps: list[MapPicture]


class Painter:
    """
    Makes the maps of an output, all of one statistic with one range.

    Parameters
    ----------
    rows : sequence of FeatureRow
        The largest first.
    """

    def __init__(
        self, sources: Sources, output: str, rows: Sequence[FeatureRow]
    ) -> None:
        self._sources, self._output, self._rows = sources, output, rows
        self._unit, self._kind = sources.unit(output), sources.kind(output)
        self._error_unit = self._unit if self._kind.error.has_unit else ""
        drawn = set(sources.drawn[output])
        self._drawn = [row for row in rows if row.feature in drawn]
        has = any(self._path(row.feature, "uncertainty").is_file() for row in rows)
        self.statistics = ["mean", "uncertainty" if has else "std", APPLICABILITY]
        self._resolution = next(
            variable.resolution
            for variable in sources.model.experiment.outputs
            if variable.name == output
        )

    @cached_property
    def _residuals(self) -> geopandas.GeoDataFrame | None:
        """
        Return the known pixels of all features, None where there are none.

        Those of a feature are of the evaluation that its errors are from.
        """
        if self._kind is not REGRESSION:
            return None
        found = []
        for check in self._sources.scores(self._output):
            table = self._sources.residuals(self._output, check)
            own = [row.feature for row in self._rows if row.checked_by == check]
            if table is not None and (is_own := table["feature"].isin(own)).any():
                found.append(table[is_own])
        return pd.concat(found) if found else None

    @cached_property
    def _ranges(self) -> dict[str, Range]:
        ranges: dict[str, Range] = {APPLICABILITY: ABOUT_ONE}
        for statistic in self.statistics[:-1]:
            paths = [self._path(row.feature, statistic) for row in self._drawn]
            there = [path for path in paths if path.is_file()]
            every = read_facts(there, self._sources.note).values()
            found = [facts for facts in every if math.isfinite(facts.mean)]
            if found:
                low = min(facts.minimum for facts in found)
                high = max(facts.maximum for facts in found)
                ranges[statistic] = nice_range(low if statistic == "mean" else 0, high)
        if self._residuals is not None:
            sizes = np.abs(self._residuals["residual"].to_numpy())
            _, high = nice_range(0.0, float(np.quantile(sizes, _COMMON)))
            ranges[RESIDUAL] = -high, high
        return ranges

    def region(self) -> list[MapPicture]:
        """
        Return maps of the whole region: what is predicted, how surely, and the errors.

        A mosaic that cannot be read is noted among what is broken. The maps that it
        joins are shown then, but for those that cannot be read themselves.
        """
        outlines = self._sources.dataset.outlines
        shown = [outlines[row.feature] for row in self._rows]
        left, bottom, right, top = shapely.total_bounds(shown)
        frame = Frame.around((left, bottom, right, top))
        lines = [Shape("".join(frame.path(outline) for outline in shown))]
        maps = []
        for statistic in self.statistics:
            path = mosaic_path(self._sources.drawings, self._output, statistic)
            if not path.is_file() or statistic not in self._ranges:
                continue
            which = ""
            try:
                parts = [read_picture(path, _REGION_PX)]
                n_maps = count_maps(path)
                if n_maps < len(self._drawn):
                    which = "those of the last 'ginv draw'"
            except RasterError as error:
                self._sources.note(unreadable(error))
                parts = self._read_maps(statistic, max(right - left, top - bottom))
                n_maps, which = len(parts), "those whose maps can be read"
            if not parts:
                continue
            images = [
                (to_image(values, statistic, self._ranges[statistic]), bounds)
                for values, bounds in parts
            ]
            picture = self._map(frame, statistic, images, lines)
            if which:
                title = f"{picture.title}: {count(n_maps, 'feature')}, {which}"
                picture = replace(picture, title=title)
            maps.append(picture)
        maps += self._map_errors(frame)
        if self._residuals is not None and self._is_small(frame):
            image = self._paint_residuals(frame, self._residuals, _REGION_PX // 3)
            maps.append(self._map(frame, RESIDUAL, [image], lines))
        return maps

    def _read_maps(
        self, statistic: str, extent: float
    ) -> list[tuple[NDArray[np.float32], Bounds]]:
        """Read the maps of a region that is so many metres large, one by one."""
        found, outlines = [], self._sources.dataset.outlines
        for row in self._drawn:
            left, bottom, right, top = outlines[row.feature].bounds
            share = max(right - left, top - bottom) / extent
            part = self._read(row, statistic, max(1, round(share * _REGION_PX)))
            if part is not None:
                found.append(part)
        return found

    def _read(
        self, row: FeatureRow, statistic: str, most_px: int
    ) -> tuple[NDArray[np.float32], Bounds] | None:
        """Read a map of a feature; note one that is there and cannot be read."""
        path = self._path(row.feature, statistic)
        if not path.is_file():
            return None
        try:
            return read_picture(path, most_px)
        except RasterError as error:
            self._sources.note(unreadable(error))
            if statistic == "mean":
                self._sources.forget_map(self._output, row.feature)
            return None

    def features(self, progress: Progress) -> list[FeatureMaps]:
        """Return the maps of the largest features that are drawn."""
        return [
            FeatureMaps(row.feature, self._tell(row), self._maps_of(row, progress))
            for row in self._drawn[:MOST_FEATURES]
        ]

    def _maps_of(self, row: FeatureRow, progress: Progress) -> list[MapPicture]:
        outline = self._sources.dataset.outlines[row.feature]
        frame = Frame.around(tuple(outline.bounds))
        lines = [Shape(frame.path(outline))]
        maps = []
        for statistic in self.statistics:
            if statistic not in self._ranges:
                continue
            part = self._read(row, statistic, _FEATURE_PX)
            if part is None:
                continue
            values, bounds = part
            image = to_image(values, statistic, self._ranges[statistic]), bounds
            maps.append(self._map(frame, statistic, [image], lines, row.feature))
        if self._residuals is not None:
            own = self._residuals[self._residuals["feature"] == row.feature]
            if len(own):
                image = self._paint_residuals(frame, own, _RESIDUAL_PX)
                maps.append(self._map(frame, RESIDUAL, [image], lines, row.feature))
        progress.advance(row.feature)
        return maps

    def _map(
        self,
        frame: Frame,
        what: str,
        images: list[tuple[str, tuple[float, float, float, float]]],
        shapes: list[Shape],
        feature: str = "",
    ) -> MapPicture:
        low, high = self._ranges[what]
        ends = exact(low), exact(high, self._unit)
        if what == APPLICABILITY:
            ends = exact(low), f"≥ {exact(high)}"
        elif what == RESIDUAL:
            ends = f"≤ {exact(low)}", f"≥ +{exact(high, self._unit)}"
        alt = f"{self._output}, {_WORDS[what]}, {feature or 'all features'}"
        legend = legend_of(what, (low, high), *ends)
        return frame.picture(_WORDS[what], alt, legend, images, shapes)

    def _is_small(self, frame: Frame) -> bool:
        """Tell whether single known pixels are seen on a map of the region."""
        return max(frame.width_m, frame.height_m) < 2 * _REGION_PX / 3 * (
            self._resolution
        )

    def _map_errors(self, frame: Frame) -> list[MapPicture]:
        """Colour outlines by their errors, on a large region also by their bias."""
        errors = {r.feature: r.error for r in self._rows if r.error is not None}
        if len(errors) < 2:
            return []
        high = nice_range(0.0, float(np.quantile([*errors.values()], _COMMON)))[1]
        what = self._kind.error.title
        if self._kind is REGRESSION:
            what = f"typical error ({what})"
        ends = "0", f"≥ {exact(high, self._error_unit)}"
        maps = [
            self._fill(
                frame, legend_of(ERROR, (0.0, high), *ends), what, errors, (0.0, high)
            )
        ]
        biases = {r.feature: r.bias for r in self._rows if r.bias is not None}
        if biases and not self._is_small(frame):
            sizes = np.abs([*biases.values()])
            high = nice_range(0.0, float(np.quantile(sizes, _COMMON)))[1]
            ends = f"≤ {exact(-high)}", f"≥ +{exact(high, self._unit)}"
            what = "bias (predicted minus measured, on average)"
            legend = legend_of(RESIDUAL, (-high, high), *ends)
            maps.append(self._fill(frame, legend, what, biases, (-high, high)))
        return maps

    def _fill(
        self,
        frame: Frame,
        legend: Legend,
        what: str,
        values: Mapping[str, float],
        shown: Range,
    ) -> MapPicture:
        """Colour outlines by a number of theirs; grey where there is none."""
        colours = paint(legend.colours, shown, np.array([*values.values()]))
        fills = dict(zip(values, colours, strict=True))
        outlines = self._sources.dataset.outlines
        shapes = [
            Shape(
                frame.path(outlines[row.feature]),
                fills.get(row.feature, _UNKNOWN),
                f"{row.feature}: {number(values.get(row.feature), self._error_unit)}",
            )
            for row in self._rows
        ]
        title = f"{what} of each feature; grey: not checked"
        return frame.picture(title, f"{self._output}, {title}", legend, shapes=shapes)

    def _paint_residuals(
        self, frame: Frame, table: geopandas.GeoDataFrame, most_px: int
    ) -> tuple[str, tuple[float, float, float, float]]:
        return frame.points(
            table.geometry.x.to_numpy(),
            table.geometry.y.to_numpy(),
            table["residual"].to_numpy(),
            self._resolution,
            most_px,
            self._ranges[RESIDUAL],
        )

    def _tell(self, row: FeatureRow) -> str:
        facts = [number(row.area_km2, "km²")]
        if row.n_known:
            facts.append(count(row.n_known, "measured pixel"))
            error = number(row.error, self._error_unit)
            facts.append(f"{self._kind.error.title} {error}")
            if row.bias is not None:  # a probability has none
                facts.append(f"bias {signed(row.bias, self._unit, row.error)}")
            if row.checked_by != self._sources.best(self._output):
                facts.append(f"by the check {row.checked_by}")
        return ", ".join(facts)

    def _path(self, feature: str, statistic: str) -> Path:
        return self._sources.workspace.drawing(
            self._sources.name,
            feature,
            self._output,
            statistic,
        )
