"""Places along lines, and what is predicted there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import shapely
from numpy.typing import NDArray

from glacier_inversion.dataset.opened import BuiltDataset
from glacier_inversion.drawing.calibrated import statistics_of
from glacier_inversion.drawing.maps import PredictedBlock
from glacier_inversion.drawing.profile_pictures import (
    MOST_LINES,
    MOST_PLACES,
    ProfileLine,
)
from glacier_inversion.experiment.beds import Bed
from glacier_inversion.experiment.sections import DrawingDescription
from glacier_inversion.training.model.ensemble import Ensemble

_INTERVALS = ("lower68", "upper68", "lower95", "upper95")


@dataclass(frozen=True)
class Profile:
    """
    Places along lines: one row a place.

    `feature` is that whose outline a place lies in, "" outside of all.
    """

    line: NDArray[np.intp]
    distance: NDArray[np.float64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    feature: NDArray[np.object_]

    @classmethod
    def along(
        cls, lines: Sequence[shapely.LineString], step: float, dataset: BuiltDataset
    ) -> Profile:
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
        feature_of = np.full(len(x), "", dtype=object)
        for feature in dataset.features_touching(shapely.union_all(lines)):
            feature_of[shapely.contains_xy(dataset.outlines[feature], x, y)] = feature
        return cls(line_of.astype(np.intp), distance, x, y, feature_of)

    def shown(self) -> NDArray[np.intp]:
        """
        Return the places that pictures show, in order.

        They are on the lines with most places within features. Of a long line they are
        every second place, or third, and so on.
        """
        n_within = np.bincount(
            self.line[self.feature != ""], minlength=self.line[-1] + 1
        )
        most = np.sort(np.argsort(-n_within, kind="stable")[:MOST_LINES])
        firsts, ends = np.searchsorted(self.line, [most, most + 1])
        return np.concatenate(
            [
                np.arange(first, end, -(-(end - first) // MOST_PLACES))
                for first, end in zip(firsts, ends, strict=True)
            ]
        )


@dataclass(frozen=True)
class ProfileValues:
    """
    What is predicted along a profile.

    Attributes
    ----------
    columns : dict of dict of float32 arrays, shape (n_places,)
        By output, that of a bed included, and by what it is of it.
    shown : int array, shape (n_shown,)
        The places that pictures show.
    members : dict of float32 arrays, shape (n_members, n_shown), by output
        Kept of these places alone, as the others may be many.
    """

    columns: dict[str, dict[str, NDArray[np.float32]]]
    shown: NDArray[np.intp]
    members: dict[str, NDArray[np.float32]]

    @classmethod
    def nowhere(
        cls, profile: Profile, ensemble: Ensemble, description: DrawingDescription
    ) -> ProfileValues:
        """Return the table of what is to be predicted, before anything is."""
        shown, bed = profile.shown(), description.bed
        calibration = ensemble.calibration
        wanted = {}
        for output in ensemble.layout.outputs:
            drawn = statistics_of(output, description.statistics, calibration)
            names = [*drawn, "target", "mean"]
            is_calibrated = calibration is not None and output in calibration.outputs
            names += _INTERVALS if is_calibrated else ["std"]
            wanted[output] = names
        if bed is not None:
            wanted[bed.output] = [*wanted[bed.thickness], "surface"]
        columns = {
            output: {
                name: np.full(len(profile.x), np.nan, np.float32) for name in names
            }
            for output, names in wanted.items()
        }
        shape = len(ensemble.seeds), len(shown)
        members = {output: np.full(shape, np.nan, np.float32) for output in wanted}
        return cls(columns, shown, members)

    def fill(
        self,
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
        for output, own in self.columns.items():
            for name, column in own.items():
                column[places] = values.image(output, name)[pixels]
        _, own_places, in_picture = np.intersect1d(
            places, self.shown, assume_unique=True, return_indices=True
        )
        number = np.cumsum(values.predicted).reshape(values.predicted.shape) - 1
        pixels = pixels[0][own_places], pixels[1][own_places]
        is_predicted = values.predicted[pixels]
        for output, members in self.members.items():
            members[:, in_picture[is_predicted]] = values.values[output][
                :, number[pixels][is_predicted]
            ]

    def table(
        self, output: str, statistics: list[str], bed: Bed | None
    ) -> dict[str, NDArray[np.float32]]:
        """Return the columns of a CSV file; those of a bed are beside its thickness."""
        names = [*statistics, "target"]
        table = {name: self.columns[output][name] for name in names}
        if bed is not None and output == bed.thickness:
            of_bed = self.columns[bed.output]
            table["surface"] = of_bed["surface"]
            table |= {f"bed_{name}": of_bed[name] for name in names}
        return table

    def lines(self, output: str, profile: Profile) -> list[ProfileLine]:
        """Return what a picture shows of an output."""
        columns, lines = self.columns[output], []
        for number in np.unique(profile.line[self.shown]):
            is_own = profile.line[self.shown] == number
            places = self.shown[is_own]
            first, end = np.searchsorted(profile.line, [number, number + 1])
            known = np.flatnonzero(np.isfinite(columns["target"][first:end])) + first
            # so many points lie on each other
            known = known[:: -(-len(known) // MOST_PLACES) or 1]
            of_places = {name: column[places] for name, column in columns.items()}
            line = ProfileLine(
                int(number),
                profile.distance[places],
                profile.feature[places],
                self.members[output][:, is_own],
                of_places["mean"],
                profile.distance[known],
                columns["target"][known],
                surface=of_places.get("surface"),
            )
            if _INTERVALS[0] in columns:
                own = {name: of_places[name] for name in _INTERVALS}
                lines.append(replace(line, intervals=own))
            else:
                lines.append(replace(line, std=of_places["std"]))
        return lines
