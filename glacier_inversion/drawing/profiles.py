"""Profiles: what an ensemble predicts along lines, as CSV files and as pictures."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray

from glacier_inversion.dataset.opened import BuiltDataset
from glacier_inversion.drawing.beds import with_bed
from glacier_inversion.drawing.calibrated import statistics_of
from glacier_inversion.drawing.maps import (
    Window,
    lay_map,
    predict_blocks,
)
from glacier_inversion.drawing.planned_maps import unit_of
from glacier_inversion.drawing.profile_pictures import draw_lines, encode_png
from glacier_inversion.drawing.profile_values import Profile, ProfileValues
from glacier_inversion.errors import OutlineError
from glacier_inversion.experiment.application import Application
from glacier_inversion.experiment.beds import bed_of
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.files import remove, write_all
from glacier_inversion.training.model.ensemble import Ensemble
from glacier_inversion.workspace import Workspace

_MOST_PLACES = 10_000_000


def draw_profile(
    experiment: Experiment | Application,
    workspace: Workspace,
    ensemble: Ensemble,
    dataset: BuiltDataset,
    lines: list[shapely.LineString],
    name: str,
) -> list[Path]:
    """
    Write a CSV file and a picture per output, and a picture of the bed if one is drawn.

    Each place has the values of the pixel it is in. All of them are written, or none if
    one cannot be. The picture of a bed that is not drawn any more is removed.

    Raises
    ------
    DatasetError, RasterError
        A tile is not the one that was built, or cannot be read.
    OutlineError
        The lines are too long.
    WorkspaceError
        A file cannot be written.
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
    profile = Profile.along(lines, step, dataset)
    predicted = _predict(experiment, ensemble, dataset, profile)
    bed, files = description.bed, {}
    for output in ensemble.layout.outputs:
        path = workspace.drawn_profile(ensemble.name, name, output)
        drawn = statistics_of(output, description.statistics, ensemble.calibration)
        table = predicted.table(output, drawn, bed)
        files[path] = _format(profile, table).encode()
    for output in predicted.columns:
        shown = predicted.lines(output, profile)
        unit, quantity = unit_of(ensemble, dataset, output, bed), output
        if bed is not None and output == bed.output:
            unit, quantity = unit or "m", "bed elevation"  # as its surface must be
        note = ""
        if len(shown) < len(lines):
            note = f"{len(shown)} of {len(lines)} lines: the longest within features"
        figure = draw_lines(
            shown,
            f"{ensemble.name}: {quantity} along {name}",
            f"{quantity} ({unit})" if unit else quantity,
            note,
        )
        path = workspace.drawn_profile(ensemble.name, name, output)
        files[path.with_suffix(".png")] = encode_png(figure)
    write_all(files)
    for output in {*map(bed_of, ensemble.layout.outputs)} - {*predicted.columns}:
        path = workspace.drawn_profile(ensemble.name, name, output)
        remove(path.with_suffix(".png"))
    return [*files]


def _predict(
    experiment: Experiment | Application,
    ensemble: Ensemble,
    dataset: BuiltDataset,
    profile: Profile,
) -> ProfileValues:
    """Predict the places of a profile, feature by feature."""
    description = experiment.drawing_description
    bed = description.bed
    predicted = ProfileValues.nowhere(profile, ensemble, description)
    for feature in dict.fromkeys(profile.feature[profile.feature != ""]):
        within = profile.feature == feature
        if bed is not None:
            dataset.check_tiles(feature, [bed.surface])
        # a place near the margin may lie in a pixel whose centre is beyond the outline
        extent = lay_map(experiment, ensemble, dataset, feature, clip=False)
        row, col = extent.grid.index(profile.x, profile.y)
        within &= (row >= 0) & (row < extent.grid.n_rows)
        within &= (col >= 0) & (col < extent.grid.n_cols)

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

        for values in predict_blocks(ensemble, dataset, extent, wanted_in, True):
            if values is None:
                continue
            shown = values
            if bed is not None:
                shown = with_bed(values, bed, dataset, extent, ensemble.layout)
            predicted.fill(shown, row, col, within)
    return predicted


def _format(profile: Profile, columns: dict[str, NDArray[np.float32]]) -> str:
    """Return the rows of a CSV file."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["line", "distance", "x", "y", "feature", *columns])
    for i in range(len(profile.x)):
        places = [f"{v[i]:.3f}" for v in (profile.distance, profile.x, profile.y)]
        values = ["" if np.isnan(c[i]) else f"{c[i]:.7g}" for c in columns.values()]
        writer.writerow([profile.line[i], *places, profile.feature[i], *values])
    return text.getvalue()
