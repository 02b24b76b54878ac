"""Volumes of ice: the mean thickness of what is drawn of a feature, times its area."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.special import stdtrit

from glacier_inversion.drawing.correlated_sums import CorrelatedSum
from glacier_inversion.drawing.error_cells import ErrorCells, shared_by_neighbours
from glacier_inversion.drawing.holes import Holes
from glacier_inversion.drawing.maps import MapExtent, PredictedBlock
from glacier_inversion.drawing.published_volumes import PublishedMean
from glacier_inversion.geodata.areas import ellipsoidal_area
from glacier_inversion.geodata.rasterizing import inside
from glacier_inversion.training.model.calibration import OutputCalibration
from glacier_inversion.training.model.covariogram import Covariogram

Floats = NDArray[np.float64]

_TAIL = 0.975  # of the intervals of 95 %


@dataclass(frozen=True)
class MeanThickness:
    """
    The mean thickness of the drawn pixels of a feature, and how it errs.

    Attributes
    ----------
    feature : str
    area : float, square metres
        Of the outline, on the ellipsoid.
    n_pixels, n_drawn : int
        Pixels whose centre is inside the outline.
    members : float64 array, shape (n_members,), metres
        Of each member, a thickness below 0 taken as 0. NaN where nothing is drawn.
    variance : float, square metres
        Of the error that the spread of the members does not show. NaN without a
        calibration that says how errors are correlated.
    tau, sigma : float, metres
        The means of the pixels' errors: of that part, and of all of it. NaN likewise.
    published : dict of PublishedMean
        By the raster of a published map.
    cells : ErrorCells or None
        Where the errors of that part lie; None where the variance is not known.
    """

    feature: str
    area: float
    n_pixels: int
    n_drawn: int
    members: Floats
    variance: float
    tau: float
    sigma: float
    published: dict[str, PublishedMean] = field(default_factory=dict)
    cells: ErrorCells | None = None

    @property
    def drawn_share(self) -> float:
        """The share of the pixels that is drawn."""
        return self.n_drawn / self.n_pixels if self.n_pixels else 0.0


@dataclass(frozen=True)
class Volume:
    """
    The volume of a feature, or of several together.

    Attributes
    ----------
    area : float, square metres
    drawn_share : float
        Of the area; the rest is taken to be as thick on average.
    mean : float, metres
    volume : float, cubic metres
    spread : float, cubic metres
        The standard deviation (ddof 1) of the members' volumes; NaN of one member.
    uncertainty, lower95, upper95 : float, cubic metres
        The standard error and an interval of 95 %; NaN where they are not known.
    effective_pixels : float
        So many pixels with independent errors would have a mean as uncertain.
    """

    area: float
    drawn_share: float
    mean: float
    volume: float
    spread: float
    uncertainty: float
    lower95: float
    upper95: float
    effective_pixels: float


class ThicknessCounter:
    """
    Averages the thickness of a feature while it is drawn.

    Parameters
    ----------
    extent : MapExtent
        What is drawn; more than the pixels inside the outline where nothing is clipped.
    outline : Polygon or MultiPolygon
    output : str
        The thickness, metres.
    n_members : int
    calibration : OutputCalibration or None
    truth_resolution : float, metres
        Side of the pixels of the truth, at which the calibration measured errors.
    """

    def __init__(
        self,
        extent: MapExtent,
        outline: shapely.Geometry,
        output: str,
        n_members: int,
        calibration: OutputCalibration | None,
        truth_resolution: float,
    ) -> None:
        self._extent, self._outline, self._output = extent, outline, output
        self._members = np.zeros(n_members)
        self._n_drawn, self._sigma = 0, 0.0
        grid = extent.grid
        self._errors = CorrelatedSum(grid.shape, grid.resolution, truth_resolution)
        self._cells = ErrorCells.of_map(grid)
        self._calibration, self._covariogram = calibration, None
        if calibration is not None and calibration.serves(n_members):
            self._covariogram = calibration.covariogram

    def add(self, values: PredictedBlock) -> None:
        """Add the pixels of a block whose centre is inside the outline."""
        part = self._extent.grid.window(*values.block)
        within = values.predicted & inside([self._outline], part)
        members = values.values[self._output][:, within[values.predicted]]
        thickness = np.maximum(members, 0).astype(np.float64)
        self._n_drawn += thickness.shape[1]
        self._members += thickness.sum(axis=1)
        if self._calibration is None or self._covariogram is None:
            return
        own, mean = self._calibration, thickness.mean(axis=0)
        said, drawn = values.noise.get(self._output), within[values.predicted]
        tau = own.tau(mean, None if said is None else said[drawn].astype(np.float64))
        rows, cols = np.nonzero(within)
        down, along = values.block
        rows, cols = rows + down.start, cols + along.start
        self._errors.add(rows, cols, tau)
        self._cells.add(self._extent.grid, rows, cols, tau)
        shared = self._covariogram
        variance = (shared.nugget + shared.partial_sill + shared.plateau) * tau**2
        if own.b and len(members) > 1:
            variance += own.b**2 * thickness.var(axis=0, ddof=1)
        self._sigma += float(np.sqrt(variance).sum())

    def finish(self, holes: Holes, epsg: int) -> MeanThickness:
        """Return the mean of all blocks; *holes* counts the pixels of the outline."""
        n_drawn = self._n_drawn or math.nan
        variance = tau = sigma = math.nan
        if self._covariogram is not None:
            variance = self._errors.variance(self._covariogram) / n_drawn**2
            tau, sigma = self._errors.total / n_drawn, self._sigma / n_drawn
        return MeanThickness(
            self._extent.feature,
            ellipsoidal_area(self._outline, epsg),
            holes.n_pixels,
            self._n_drawn,
            self._members / n_drawn,
            variance,
            tau,
            sigma,
            cells=None if self._covariogram is None else self._cells.rounded(),
        )


def add_volumes(
    features: Sequence[MeanThickness],
    calibration: OutputCalibration | None,
    touching: Sequence[tuple[int, int]] = (),
) -> Volume:
    """
    Return the volume of features together, or of one, with its uncertainty.

    The variance has two parts: b^2 times that of the members' volumes, which add up
    member by member, and that of the error that the members do not show. Of the latter
    all features share what the covariogram calls common, those that touch its plateau
    as if they were one, and pixels of different features what it says of their
    distance. So the volume of a glacier does not depend on how it is divided. The
    interval is that of Student's t with as many degrees of freedom as there are
    features in the calibration, less one; it begins at 0 at least.

    Parameters
    ----------
    features : sequence of MeanThickness
        One at least, of each of which something is drawn.
    calibration : OutputCalibration or None
    touching : sequence of pairs of int
        The numbers of features whose outlines touch, each pair once.
    """
    areas = np.array([one.area for one in features])
    members = areas @ np.array([one.members for one in features])
    whole, volume = float(areas.sum()), float(members.mean())
    spread = float(members.std(ddof=1)) if len(members) > 1 else math.nan
    uncertainty = half = effective = math.nan
    if calibration is not None and calibration.covariogram is not None:
        variances, tau, sigma = (
            np.array([getattr(one, name) for one in features])
            for name in ("variance", "tau", "sigma")
        )
        variance = (areas**2) @ variances
        variance += _shared(features, areas * tau, calibration.covariogram, touching)
        if calibration.b and len(members) > 1:
            variance += (calibration.b * spread) ** 2
        uncertainty = math.sqrt(variance)
        half = float(stdtrit(calibration.n_features - 1, _TAIL)) * uncertainty
        effective = float((areas @ sigma) ** 2 / variance) if variance else math.nan
    return Volume(
        whole,
        float(areas @ [one.drawn_share for one in features]) / whole,
        volume / whole,
        volume,
        spread,
        uncertainty,
        max(volume - half, 0.0) if half >= 0 else math.nan,
        volume + half,
        effective,
    )


def _shared(
    features: Sequence[MeanThickness],
    sizes: Floats,
    covariogram: Covariogram,
    touching: Sequence[tuple[int, int]],
) -> float:
    """Return the covariance of the errors of different features, for both orders."""
    everywhere = sizes.sum() ** 2 - sizes @ sizes
    touch = 2 * sum(sizes[first] * sizes[second] for first, second in touching)
    cells = [one.cells for one in features if one.cells is not None]
    weights = [one.area / one.n_drawn for one in features if one.cells is not None]
    near = shared_by_neighbours(cells, weights, covariogram) if len(cells) > 1 else 0.0
    above = covariogram.plateau - covariogram.common
    return float(covariogram.common * everywhere + above * touch + near)
