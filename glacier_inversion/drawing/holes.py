"""Holes of maps: pixels inside an outline that are not drawn, counted by cause."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from glacier_inversion.dataset.opened import BuiltDataset
from glacier_inversion.drawing.maps import MapExtent, PredictedBlock, lay_map
from glacier_inversion.experiment.application import Application
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.files import write_bytes
from glacier_inversion.geodata.rasterizing import inside
from glacier_inversion.grid import lattice
from glacier_inversion.training.model.ensemble import Ensemble

logger = logging.getLogger(__name__)

HOLES = "holes.csv"
"""The name of the table, in the folder of a model's drawings."""


@dataclass
class Holes:
    """
    The pixels of a map whose centre is inside the outline, and what became of them.

    Attributes
    ----------
    n_pixels, n_drawn : int
    n_beyond_tile : int
        Their window reaches beyond the tile.
    n_lacking : dict of int, by input
        The window is in the tile, and has too few valid pixels of this input. A pixel
        counts for every input that it lacks.
    n_without_bed : int, None where none is drawn
        Drawn, where the surface of the bed is not known.
    n_compared : int, None where the model has no applicability
        Drawn, and compared with what the model was trained on: all, or some of them.
    n_unlike : int, likewise
        Compared, and unlike all of that.
    """

    feature: str
    n_pixels: int
    n_drawn: int
    n_beyond_tile: int
    n_lacking: dict[str, int]
    n_without_bed: int | None = None
    n_compared: int | None = None
    n_unlike: int | None = None

    @property
    def n_missing(self) -> int:
        """How many are not drawn."""
        return self.n_pixels - self.n_drawn


class HoleCounter:
    """
    Counts the holes of a feature's map while it is drawn.

    Parameters
    ----------
    extent : MapExtent
        What is drawn; more than the pixels inside the outline where nothing is clipped.
    """

    def __init__(
        self,
        experiment: Experiment | Application,
        ensemble: Ensemble,
        dataset: BuiltDataset,
        extent: MapExtent,
    ) -> None:
        description, layout = experiment.drawing_description, ensemble.layout
        self._extent, self._clips = extent, description.clip_to_outline
        self._outline = dataset.outlines[extent.feature]
        self._bed = description.bed
        covering = extent  # the outline, as far as it may reach beyond the lattice
        if not self._clips:
            covering = lay_map(experiment, ensemble, dataset, extent.feature, clip=True)
        tile = dataset.grid(extent.feature, layout.resolution)
        points = lattice(tile, layout.window_px)
        n_beyond = 0
        for block in covering.blocks(ensemble.device.block_px):
            is_on = covering.is_on(points, block)
            if not is_on.all():
                within = inside([self._outline], covering.grid.window(*block))
                n_beyond += int((within & ~is_on).sum())
        n_lacking = {variable.name: 0 for variable in ensemble.model.experiment.inputs}
        n_without_bed = None if self._bed is None else 0
        self.holes = Holes(
            extent.feature, n_beyond, 0, n_beyond, n_lacking, n_without_bed
        )
        if ensemble.applicability is not None:
            self.holes.n_compared = self.holes.n_unlike = 0

    def add(self, values: PredictedBlock) -> None:
        """Count a block, the bed among its outputs."""
        within = values.wanted
        if not self._clips:
            part = self._extent.grid.window(*values.block)
            within = within & inside([self._outline], part)
        holes, counted = self.holes, within[values.wanted]
        holes.n_pixels += int(counted.sum())
        holes.n_drawn += int((within & values.predicted).sum())
        for name, lacking in values.lacking.items():
            holes.n_lacking[name] += int((lacking & counted).sum())
        if (
            values.dissimilarity is not None
            and holes.n_compared is not None
            and holes.n_unlike is not None
        ):
            inner = values.dissimilarity[within[values.predicted]]
            holes.n_compared += int(np.isfinite(inner).sum())
            holes.n_unlike += int((inner > 1).sum())
        if self._bed is not None and holes.n_without_bed is not None:
            is_unknown = np.isnan(values.values[self._bed.output]).all(axis=0)
            holes.n_without_bed += int((is_unknown & within[values.predicted]).sum())


def tell_holes(holes: Holes) -> None:
    """Log what is missing of a map and why; a warning where that is most of it."""
    if holes.n_missing == 0 and holes.n_pixels > 0:
        return
    causes = []
    if holes.n_beyond_tile:
        causes.append(
            f"for {holes.n_beyond_tile:,} the window reaches beyond the tile (a larger "
            "buffer_distance would do)"
        )
    causes += [
        f"for {n:,} the window has too few valid pixels of {name!r} (min_valid)"
        for name, n in holes.n_lacking.items()
        if n
    ]
    if holes.n_pixels == 0:
        causes = ["no pixel has its centre inside the outline"]
    what = "nothing could be drawn"
    if holes.n_drawn:
        what = f"{holes.n_missing:,} of {holes.n_pixels:,} pixels are not drawn"
    is_most = holes.n_drawn <= holes.n_missing
    level = logging.WARNING if is_most else logging.INFO
    logger.log(level, "%s: %s: %s", holes.feature, what, ", ".join(causes))


def share_unlike(features: Iterable[tuple[float, float, float]]) -> float | None:
    """
    Return which share of the drawn pixels is unlike all training.

    Where only some pixels of a feature were compared, the others are taken to be as
    these are: every drawn pixel weighs the same, however many were compared.

    Parameters
    ----------
    features : iterable of (float, float, float)
        Of each, the pixels that were drawn, compared, and unlike all training.

    Returns
    -------
    share : float or None
        None where nothing was compared.

    Examples
    --------
    >>> share_unlike([(100, 100, 0), (300, 10, 5), (500, 0, 0)])
    0.375
    """
    compared = [(n, unlike / of) for n, of, unlike in features if n and of]
    if not compared:
        return None
    return sum(n * share for n, share in compared) / sum(n for n, _ in compared)


def write_holes(folder: Path, holes: Sequence[Holes]) -> Path:
    """
    Write the table of holes, a row for each feature, and return its path.

    Raises
    ------
    WorkspaceError
        It cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    lacking = [f"lacking_{name}" for name in holes[0].n_lacking]
    without_bed = [] if holes[0].n_without_bed is None else ["without_bed"]
    unlike = [] if holes[0].n_unlike is None else ["compared", "unlike_training"]
    counts = ["pixels", "drawn", "beyond_tile"]
    writer.writerow(["feature", *counts, *lacking, *without_bed, *unlike])
    for of_feature in holes:
        row = [of_feature.n_pixels, of_feature.n_drawn, of_feature.n_beyond_tile]
        row += of_feature.n_lacking.values()
        if of_feature.n_without_bed is not None:
            row.append(of_feature.n_without_bed)
        if of_feature.n_compared is not None and of_feature.n_unlike is not None:
            row += [of_feature.n_compared, of_feature.n_unlike]
        writer.writerow([of_feature.feature, *row])
    path = folder / HOLES
    write_bytes(path, text.getvalue().encode())
    return path
