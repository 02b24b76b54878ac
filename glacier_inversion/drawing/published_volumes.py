"""Volumes of published maps, over the pixels that are drawn, and the slope on them."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from glacier_inversion.drawing.maps import MapExtent, PredictedBlock
from glacier_inversion.experiment.application import Application
from glacier_inversion.experiment.evaluation import PublishedBaseline
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.experiment.units import may_be_same
from glacier_inversion.geodata.rasterizing import inside

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PublishedMean:
    """
    The mean of a published thickness where ours is drawn and it is known.

    Attributes
    ----------
    published, ours : float, metres
        Over the same pixels; NaN where there are none.
    n_pixels : int
        So many pixels these are.
    """

    published: float
    ours: float
    n_pixels: int


class PublishedCounter:
    """
    Averages a published thickness while a feature is drawn, and ours beside it.

    Parameters
    ----------
    extent : MapExtent
    outline : Polygon or MultiPolygon
    output : str
        The thickness, metres.
    """

    def __init__(
        self, extent: MapExtent, outline: shapely.Geometry, output: str
    ) -> None:
        self._extent, self._outline, self._output = extent, outline, output
        self._n, self._published, self._ours = 0, 0.0, 0.0

    def add(self, values: PredictedBlock, published: NDArray[np.float32]) -> None:
        """
        Add the pixels of a block whose centre is inside the outline.

        Parameters
        ----------
        published : float32 array, shape of the block, metres
            NaN where it is not known.
        """
        part = self._extent.grid.window(*values.block)
        within = values.predicted & inside([self._outline], part)
        within &= np.isfinite(published)
        members = values.values[self._output][:, within[values.predicted]]
        self._n += members.shape[1]
        self._published += float(np.maximum(published[within], 0).sum(dtype=np.float64))
        ours = np.maximum(members, 0).mean(axis=0, dtype=np.float64)
        self._ours += float(ours.sum())

    def finish(self) -> PublishedMean:
        """Return the means of all blocks."""
        n = self._n or math.nan
        return PublishedMean(self._published / n, self._ours / n, self._n)


def find_published(experiment: Experiment | Application) -> dict[str, list[str]]:
    """Return the rasters of published maps that each output is compared with."""
    if isinstance(experiment, Application):
        return {}
    return {
        output: [b.raster for b in baselines if isinstance(b, PublishedBaseline)]
        for output, baselines in experiment.evaluation_description.baselines.items()
    }


def find_comparable(
    experiment: Experiment | Application, units: Mapping[str, str | None]
) -> dict[str, list[str]]:
    """
    Return those of them whose volume can be told: in metres, or without a unit.

    Parameters
    ----------
    units : mapping of str or None
        Of rasters; one without a unit is taken for metres.
    """
    return {
        output: [r for r in rasters if may_be_same(units.get(r), "m")]
        for output, rasters in find_published(experiment).items()
    }


def warn_of_units(
    model: str,
    experiment: Experiment | Application,
    thicknesses: Sequence[str],
    units: Mapping[str, str | None],
) -> None:
    """Warn of published maps of thicknesses that are not compared, by their unit."""
    comparable = find_comparable(experiment, units)
    for output, rasters in find_published(experiment).items():
        for raster in rasters if output in thicknesses else []:
            if raster not in comparable[output]:
                logger.warning(
                    "%s: %s: volumes are not compared with %s, as it is in %r. Must be "
                    'in metres: convert it, or correct its "unit" in '
                    "dataset_description.rasters",
                    model,
                    output,
                    raster,
                    units[raster],
                )


def slope_on(volumes: Sequence[tuple[float, float]]) -> float:
    """
    Return the slope of the least-squares line of our volumes on published ones.

    NaN of fewer than two features, or where all published volumes are the same.

    Parameters
    ----------
    volumes : sequence of (published, ours)
        By feature.

    Examples
    --------
    >>> slope_on([(1.0, 2.0), (3.0, 3.0)])
    0.5
    """
    published, ours = np.array(volumes).reshape(-1, 2).T
    if len(volumes) < 2 or not np.ptp(published):
        return math.nan
    apart = published - published.mean()
    return float(apart @ ours / (apart @ apart))
