"""
Fit how the errors of two pixels go together to errors where a model was not trained.

The volume of a glacier errs by the sum of its pixels' errors, which are far from
independent. How far apart two pixels must be for that is seen in the products of their
errors: their mean over pairs, by distance, is an empirical covariogram.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.spatial.distance import pdist

from glacier_inversion.training.model.covariogram import Covariogram

Floats = NDArray[np.float64]

_N_BINS = 15
_MOST_PIXELS = 1000  # of a feature: their pairs are half a million
_N_LENGTHS = 100


@dataclass(frozen=True)
class Errors:
    """
    Errors at pixels, with what the calibration says of their size.

    Attributes
    ----------
    x, y : float64 arrays, shape (n_pixels,), metres
    residual : float64 array, shape (n_pixels,), the output's unit
        Predicted less observed.
    members : float64 array, shape (n_members, n_pixels), the output's unit
        What the members predict, less their mean, times b: the rows of a matrix whose
        covariance is that which the spread shows.
    tau : float64 array, shape (n_pixels,), the output's unit
        The part of the standard error that the spread does not show.
    """

    x: Floats
    y: Floats
    residual: Floats
    members: Floats
    tau: Floats

    def at(self, pixels: NDArray[np.intp]) -> Errors:
        """Return those of some pixels, by their numbers."""
        return Errors(*(values[..., pixels] for values in vars(self).values()))


@dataclass(frozen=True)
class EmpiricalCovariogram:
    """
    The mean product of errors, in units of tau times tau, by distance.

    Attributes
    ----------
    distance : float64 array, shape (n_bins,), metres
        The mean of each bin, in order; bins without pairs are left out.
    covariance, weight : float64 arrays, shape (n_bins,)
        The weights are the bins' shares of the pairs, every feature weighing the same.
    sill : float
        That of a pixel with itself.
    """

    distance: Floats
    covariance: Floats
    weight: Floats
    sill: float


def measure_covariogram(features: list[Errors]) -> EmpiricalCovariogram:
    """
    Average the products of the errors of pixels of the same feature, by distance.

    What the members show is subtracted. Every feature weighs the same, and within it
    pairs by tau times tau: as much as they weigh in the error of a volume. Distances go
    to half of the largest one within a feature; pixels at one place are taken to be as
    far apart as the nearest others. Of a feature with more than 1,000 pixels so many
    are drawn by chance, the same ones each time.

    Parameters
    ----------
    features : list of Errors
        One at least.
    """
    features = [_thinned(errors) for errors in features]
    sill = float(np.mean([_share(_self_pairs(errors)) for errors in features]))
    # of one feature at a time: the pairs of many would not fit into memory
    least, most = np.inf, 0.0
    for errors in features:
        apart = _distances_of(errors)
        least = min(least, apart[apart > 0].min(initial=np.inf))
        most = max(most, apart.max(initial=0))
    if not most:
        return EmpiricalCovariogram(np.empty(0), np.empty(0), np.empty(0), sill)
    edges = np.geomspace(least, max(most / 2, least), _N_BINS + 1)
    sums = np.zeros((3, _N_BINS))
    for errors in features:
        apart, products, sizes = _pairs_of(errors)
        apart = np.maximum(apart, least)
        near = apart <= edges[-1] * (1 + 1e-9)
        place = np.digitize(apart[near], edges[1:-1])
        whole = sizes[near].sum()
        if whole > 0:
            sums += [
                np.bincount(place, values[near] / whole, _N_BINS)
                for values in (products, sizes, sizes * apart)
            ]
    product, size, distance = sums[:, sums[1] > 0]
    return EmpiricalCovariogram(
        distance / size, product / size, size / size.sum(), sill
    )


def fit_covariogram(features: list[Errors]) -> Covariogram | None:
    """
    Fit an exponential covariogram with a nugget and a plateau.

    What all features share is the square of their mean error in units of tau, and what
    so few of them leave open of it: the variance of the features' means over their
    number. The plateau cannot be less. The partial sill, its length and the plateau are
    those of least squares to the binned covariances under this bound, none below 0. The
    nugget is what they leave of a pixel's covariance with itself, 0 at least.

    Parameters
    ----------
    features : list of Errors
        By feature, or group of features; one at least, and none without a pixel.

    Returns
    -------
    covariogram : Covariogram or None
        None where no feature has two pixels.

    References
    ----------
    Cressie (1993), Statistics for Spatial Data, chapter 2. Rolstad, Haug and Denby
    (2009), doi:10.3189/002214309789470950, and Hugonnet et al. (2022),
    doi:10.1109/JSTARS.2022.3188922, on the error of means over glaciers.
    """
    found = measure_covariogram(features)
    if not len(found.distance):
        return None
    common = _common_to_all(features)
    root = np.sqrt(found.weight)
    beyond = (found.covariance - common) * root
    lengths = np.geomspace(
        found.distance[0] / 2, found.distance[-1] * 2, _N_LENGTHS
    ).tolist()
    best = None
    for length in lengths:
        terms = np.column_stack([np.exp(-found.distance / length), np.ones_like(root)])
        (sill, above), misfit = nnls(terms * root[:, None], beyond)
        if best is None or misfit < best[0]:
            best = float(misfit), float(sill), length, float(above)
    assert best is not None
    _, partial_sill, length, above = best
    plateau = common + above
    nugget = max(found.sill - partial_sill - plateau, 0.0)
    return Covariogram(nugget, partial_sill, length, plateau, common)


def _common_to_all(features: list[Errors]) -> float:
    """Return the mean square of a bias of all features, as far as these tell."""
    sizes = [float(errors.tau @ errors.tau) for errors in features]
    means = np.array(
        [
            float(errors.residual @ errors.tau) / size
            for errors, size in zip(features, sizes, strict=True)
            if size > 0
        ]
    )
    if not len(means):
        return 0.0
    open_yet = means.var(ddof=1) / len(means) if len(means) > 1 else 0.0
    return float(means.mean() ** 2 + open_yet)


def _thinned(errors: Errors) -> Errors:
    """Return the pixels in the order of their places, no more than 1,000 of them."""
    order = np.lexsort((errors.x, errors.y))
    if len(order) > _MOST_PIXELS:
        rng = np.random.default_rng(0)
        order = order[np.sort(rng.choice(len(order), _MOST_PIXELS, replace=False))]
    return errors.at(order)


def _distances_of(errors: Errors) -> Floats:
    """Return the distance of all pairs."""
    return np.asarray(pdist(np.column_stack([errors.x, errors.y])))


def _pairs_of(errors: Errors) -> tuple[Floats, Floats, Floats]:
    """Return the distance, the product of errors and the weight of all pairs."""
    i, j = np.triu_indices(len(errors.x), 1)
    size = np.outer(errors.tau, errors.tau)
    product = np.outer(errors.residual, errors.residual) - _shown(errors.members)
    return _distances_of(errors), (product * size)[i, j], (size**2)[i, j]


def _self_pairs(errors: Errors) -> tuple[Floats, Floats]:
    size = errors.tau**2
    shown = _shown(errors.members).diagonal()
    return (errors.residual**2 - shown) * size, size**2


def _shown(members: Floats) -> Floats:
    """Return the covariance that members show: shape (n_pixels, n_pixels)."""
    return np.asarray(members.T @ members / max(len(members) - 1, 1))


def _share(sums: tuple[Floats, Floats]) -> float:
    products, sizes = (float(values.sum()) for values in sums)
    return products / sizes if sizes > 0 else 0.0
