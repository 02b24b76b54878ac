"""Maps of the region and of single features, put together from what is on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import geopandas
import numpy as np
import shapely

from glacier_inversion.drawing.mosaics import mosaic_path
from glacier_inversion.drawing.styles import Range, nice_range
from glacier_inversion.errors import RasterError
from glacier_inversion.evaluation.metrics import REGRESSION
from glacier_inversion.progress import Progress
from glacier_inversion.reporting.maps import (
    ERROR,
    RESIDUAL,
    Frame,
    Legend,
    MapPicture,
    Shape,
    paint,
    read_picture,
    statistics_of,
    to_image,
)
from glacier_inversion.reporting.quantities import count, number, signed
from glacier_inversion.reporting.rows import FeatureRow
from glacier_inversion.reporting.sources import Sources

MOST_FEATURES = 40
"""So many have maps of their own: the largest."""
_REGION_PX, _FEATURE_PX = 900, 360  # of images, along the longer side
_RESIDUAL_PX = 140  # points must stay seen
_COMMON = 0.95  # of the residuals have a colour of their own
_WORDS = {
    "mean": "predicted",
    "uncertainty": "uncertainty (one standard error)",
    "std": "spread of the networks (no error)",
    RESIDUAL: "predicted less measured",
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
        self._unit = sources.unit(output)
        self._drawn = [r for r in rows if r.feature in set(sources.drawn[output])]
        has_std = any(self._path(r.feature, "uncertainty").is_file() for r in rows)
        self.statistics = ["mean", "uncertainty" if has_std else "std"]
        self._resolution = next(
            variable.resolution
            for variable in sources.model.experiment.outputs
            if variable.name == output
        )

    @cached_property
    def _residuals(self) -> geopandas.GeoDataFrame | None:
        """Return the known pixels of the best evaluation, None where there are none."""
        best = self._sources.best(self._output)
        if best is None:
            return None
        if self._sources.scores(self._output)[best].kind != REGRESSION.name:
            return None
        table = self._sources.residuals(self._output, best)
        return table if len(table) else None

    @cached_property
    def _ranges(self) -> dict[str, Range]:
        ranges = {}
        for statistic in self.statistics:
            paths = [self._path(row.feature, statistic) for row in self._drawn]
            found = statistics_of([p for p in paths if p.is_file()]).values()
            if found:
                low = min(values["minimum"] for values in found)
                high = max(values["maximum"] for values in found)
                ranges[statistic] = nice_range(low if statistic == "mean" else 0, high)
        if self._residuals is not None:
            sizes = np.abs(self._residuals["residual"].to_numpy())
            _, high = nice_range(0.0, float(np.quantile(sizes, _COMMON)))
            ranges[RESIDUAL] = -high, high
        return ranges

    def region(self) -> list[MapPicture]:
        """
        Return maps of the whole region: what is predicted, how surely, and the errors.

        A mosaic that cannot be read is noted among what is broken, and left out.
        """
        outlines = self._sources.dataset.outlines
        shown = [outlines[row.feature] for row in self._rows]
        frame = Frame.around(tuple(shapely.total_bounds(shown)))
        lines = [Shape("".join(frame.path(outline) for outline in shown))]
        maps = []
        for statistic in self.statistics:
            path = mosaic_path(self._sources.drawings, self._output, statistic)
            if not path.is_file() or statistic not in self._ranges:
                continue
            try:
                values, bounds = read_picture(path, _REGION_PX)
            except RasterError as error:
                self._sources.broken.append(str(error))
                continue
            image = to_image(values, statistic, self._ranges[statistic]), bounds
            maps.append(self._map(frame, statistic, [image], lines))
        if (errors := self._map_errors(frame)) is not None:
            maps.append(errors)
        if self._residuals is not None:
            image = self._paint_residuals(frame, self._residuals, _REGION_PX // 3)
            maps.append(self._map(frame, RESIDUAL, [image], lines))
        return maps

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
            path = self._path(row.feature, statistic)
            if not path.is_file() or statistic not in self._ranges:
                continue
            try:
                values, bounds = read_picture(path, _FEATURE_PX)
            except RasterError as error:
                self._sources.broken.append(str(error))
                continue
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
        ends = number(low), number(high, self._unit)
        if what == RESIDUAL:
            ends = f"≤ {signed(low)}", f"≥ {signed(high, self._unit)}"
        alt = f"{self._output}, {_WORDS[what]}, {feature or 'all features'}"
        legend = Legend(what, *ends)
        return frame.picture(_WORDS[what], alt, legend, images, shapes)

    def _map_errors(self, frame: Frame) -> MapPicture | None:
        """Colour outlines by their errors; None where there are none."""
        checked = [row for row in self._rows if row.error is not None]
        if len(checked) < 2:
            return None
        errors = np.array([row.error for row in checked], np.float64)
        shown = nice_range(0.0, float(errors.max()))
        fills = dict(
            zip(
                (row.feature for row in checked),
                paint(ERROR, shown, errors),
                strict=True,
            )
        )
        outlines = self._sources.dataset.outlines
        shapes = [
            Shape(
                frame.path(outlines[row.feature]),
                fills.get(row.feature, "#e8e8e8"),
                f"{row.feature}: {number(row.error, self._unit)}",
            )
            for row in self._rows
        ]
        legend = Legend(ERROR, "0", number(shown[1], self._unit))
        title = "typical error (RMSE) of each feature; grey: not checked"
        return frame.picture(title, title, legend, shapes=shapes)

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
            facts.append(f"RMSE {number(row.error, self._unit)}")
            facts.append(f"bias {signed(row.bias, self._unit)}")
        return ", ".join(facts)

    def _path(self, feature: str, statistic: str) -> Path:
        return self._sources.workspace.drawing(
            self._sources.name, feature, self._output, statistic
        )
