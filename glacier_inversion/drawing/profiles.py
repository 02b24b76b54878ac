"""Profiles: what an ensemble predicts along lines, as CSV files."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray

from glacier_inversion.dataset.opened import BuiltDataset
from glacier_inversion.drawing.maps import (
    PredictedBlock,
    Window,
    lay_map,
    predict_blocks,
)
from glacier_inversion.errors import OutlineError
from glacier_inversion.experiment.application import Application
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.files import replacing_all
from glacier_inversion.training.model.ensemble import Ensemble
from glacier_inversion.workspace import Workspace

_MOST_PLACES = 10_000_000


@dataclass(frozen=True)
class _Profile:
    """Places along lines: one row a place."""

    line: NDArray[np.intp]
    distance: NDArray[np.float64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]

    @classmethod
    def along(cls, lines: Iterable[shapely.LineString], step: float) -> _Profile:
        """Go along each line in steps, from its first point on."""
        parts = []
        for number, line in enumerate(lines):
            distance = np.arange(0.0, line.length, step)
            places = shapely.get_coordinates(
                shapely.line_interpolate_point(line, distance)
            )
            parts.append(
                np.column_stack([np.full(len(distance), number), distance, places])
            )
        line_of, distance, x, y = np.concatenate(parts).T
        return cls(line_of.astype(np.intp), distance, x, y)


def draw_profile(
    experiment: Experiment | Application,
    workspace: Workspace,
    ensemble: Ensemble,
    dataset: BuiltDataset,
    lines: list[shapely.LineString],
    name: str,
) -> list[Path]:
    """
    Write a CSV file per output: each place has the values of the pixel it is in.

    All of them, or none if one cannot be written.
    """
    description = experiment.drawing_description
    step = description.resolution or ensemble.layout.resolution
    length = sum(line.length for line in lines)
    if length / step > _MOST_PLACES:
        message = (
            f"is {length:,.0f} m long, which makes {length / step:,.0f} places. Must "
            f"make at most {_MOST_PLACES:,}. Shorten it, or use a coarser resolution."
        )
        raise OutlineError(message)
    profile = _Profile.along(lines, step)
    feature_of = np.full(len(profile.x), "", dtype=object)
    columns = {
        output: {
            name: np.full(len(profile.x), np.nan)
            for name in (*description.statistics, "target")
        }
        for output in ensemble.layout.outputs
    }
    for feature in dataset.features_touching(shapely.union_all(lines)):
        within = shapely.contains_xy(dataset.outlines[feature], profile.x, profile.y)
        feature_of[within] = feature
        # a place near the margin may lie in a pixel whose centre is beyond the outline
        drawn = lay_map(experiment, ensemble, dataset, feature, clip=False)
        row, col = drawn.grid.index(profile.x, profile.y)
        within &= (row >= 0) & (row < drawn.grid.n_rows)
        within &= (col >= 0) & (col < drawn.grid.n_cols)

        def wanted_in(
            block: Window,
            row: NDArray[np.intp] = row[within],
            col: NDArray[np.intp] = col[within],
        ) -> NDArray[np.bool_]:
            rows, cols = block
            here = (row >= rows.start) & (row < rows.stop)
            here &= (col >= cols.start) & (col < cols.stop)
            wanted = np.zeros(
                (rows.stop - rows.start, cols.stop - cols.start), np.bool_
            )
            wanted[row[here] - rows.start, col[here] - cols.start] = True
            return wanted

        for values in predict_blocks(ensemble, dataset, drawn, wanted_in, True):
            if values is not None:
                _fill(columns, values, row, col, within)
    paths = [workspace.drawn_profile(ensemble.name, name, output) for output in columns]
    with replacing_all(paths) as scratches:
        for scratch, own in zip(scratches, columns.values(), strict=True):
            scratch.write_bytes(_format(profile, feature_of, own).encode())
    return paths


def _fill(
    columns: dict[str, dict[str, NDArray[np.float64]]],
    values: PredictedBlock,
    row: NDArray[np.intp],
    col: NDArray[np.intp],
    within: NDArray[np.bool_],
) -> None:
    """Copy a block's values to the places that lie in it."""
    rows, cols = values.block
    here = within & (row >= rows.start) & (row < rows.stop)
    here &= (col >= cols.start) & (col < cols.stop)
    places = np.flatnonzero(here)
    pixels = row[places] - rows.start, col[places] - cols.start
    for output, own in columns.items():
        for name, column in own.items():
            column[places] = values.image(output, name)[pixels]


def _format(
    profile: _Profile,
    feature_of: NDArray[np.object_],
    columns: dict[str, NDArray[np.float64]],
) -> str:
    """Return the rows of a CSV file."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["line", "distance", "x", "y", "feature", *columns])
    for i in range(len(profile.x)):
        places = [f"{v[i]:.3f}" for v in (profile.distance, profile.x, profile.y)]
        values = ["" if np.isnan(c[i]) else f"{c[i]:.7g}" for c in columns.values()]
        writer.writerow([profile.line[i], *places, feature_of[i], *values])
    return text.getvalue()
