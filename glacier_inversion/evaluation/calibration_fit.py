"""
Fit how far a model errs to its errors on features that it was not trained on.

Errors are those of models that did not know the feature, as `crossval` makes them, or
those on the validation features. Every feature weighs the same, however many pixels of
it are known, as it is features that are new to a model. Features that belong together,
such as parts of one glacier, are given as one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from glacier_inversion.errors import DatasetError
from glacier_inversion.evaluation.coverage import (
    Floats,
    crps_normal,
    crps_normal_slope,
)
from glacier_inversion.training.model.calibration import (
    LEVELS,
    Level,
    OutputCalibration,
    widest_level,
)

LEAST_FEATURES = 4
"""
The intervals of 68 % take ceil(1 / 0.32) - 1 = 3 features, and one more to check them.
"""
_MOST_GROUPS = 20  # of features that are held out, one after the other
_LEAST_SHARE = 1e-6  # of the squared error, that a^2 is at least: no sigma is 0
_STARTS = ((1.0, 0.0, 0.0), (0.1, 1.0, 0.0), (0.1, 0.0, 1.0), (0.3, 0.3, 0.3))
_ROUNDING = 1e-9  # of sums of weights


@dataclass(frozen=True)
class HeldOut:
    """
    What the calibration of all other features says of each.

    Attributes
    ----------
    sigma : float64 array, shape (n_pixels,)
        NaN where there is no error.
    half_widths : dict of float64 arrays, shape (n_pixels,)
        Of the intervals, by level in percent.
    """

    sigma: Floats
    half_widths: dict[int, Floats]


def fit_calibration(
    output: str,
    residual: Floats,
    spread: Floats,
    mean: Floats,
    feature: NDArray[np.intp],
    features: Sequence[str],
    is_nonnegative: bool,
    are_groups: bool = False,
) -> tuple[OutputCalibration, HeldOut]:
    """
    Fit the standard error and the intervals of an output, and check them.

    The coefficients of sigma^2 = a^2 + b^2 spread^2 + c^2 mean^2 have the least mean
    CRPS of a normal distribution. The factor of a level is the quantile of
    abs(residual) / sigma; that which is guaranteed on a new feature is the quantile at
    level * (K + 1) / K of K features (hierarchical conformal prediction). The check
    leaves out one feature after the other (of more than 20 features: one of 20 groups)
    and fits everything to the others. These are errors of models that knew the feature,
    unless a model was trained without both, so the check is not wholly blind to it.

    Parameters
    ----------
    output : str
        Its name, for messages.
    residual : float64 array, shape (n_pixels,), the output's unit
        Predicted less observed. Pixels where it or the mean is NaN are left out.
    spread : float64 array, shape (n_pixels,), the output's unit
        Of the members, ddof 1, and of the noise where they say it; all NaN of one
        member that does not, which is taken as none.
    mean : float64 array, shape (n_pixels,), the output's unit
        Of the members.
    feature : int array, shape (n_pixels,)
        The number of each pixel's feature among *features*.
    features : sequence of str
    is_nonnegative : bool
        Whether the output cannot be below 0.
    are_groups : bool
        Whether what is taken for features here are groups of them, for messages.

    Returns
    -------
    calibration : OutputCalibration
    held_out : HeldOut
        Of the check.

    Raises
    ------
    DatasetError
        Fewer than 4 features have errors.

    References
    ----------
    Gneiting et al. (2005), doi:10.1175/MWR2904.1: the fit by CRPS. Lee, Barber and
    Willett (2023), arXiv:2306.06342: the factors that are guaranteed. Their proof takes
    coefficients that were not fitted to the same errors; how much the three here take
    of it, the check shows.
    """
    known = np.isfinite(residual) & np.isfinite(mean)
    if not np.isfinite(spread).any():
        spread = np.zeros(len(spread))
    known &= np.isfinite(spread)
    errors = _Errors(residual[known], spread[known], mean[known], feature[known])
    numbers, counts = np.unique(errors.feature, return_counts=True)
    if len(numbers) < LEAST_FEATURES:
        few, more = "features", "over more features on which it is known"
        if are_groups:
            few, more = "groups of features", "with a column of more groups or none"
        message = (
            f"{output}: has errors on {len(numbers)} {few} that the model was not "
            f"trained on. Must have them on {LEAST_FEATURES} at least: the intervals "
            "of 68 % follow from three, and are checked on a fourth. Cross-validate "
            f"{more}, or do without calibration."
        )
        raise DatasetError(message)
    fitted = _fit(errors)
    sigma = np.full(len(residual), np.nan)
    halves = {level: sigma.copy() for level in LEVELS}
    places = np.flatnonzero(known)
    for group in _groups(numbers):
        out = np.isin(errors.feature, group)
        others, part = _fit(errors.at(~out)), errors.at(out)
        sigma[places[out]] = others.sigma(part)
        for level in LEVELS:
            halves[level][places[out]] = others.factor(level) * others.sigma(part)
    names = [features[number] for number in numbers]
    levels = {}
    for level in LEVELS:
        covers = np.abs(errors.residual) <= halves[level][known]
        shares = [float(covers[errors.feature == number].mean()) for number in numbers]
        levels[level] = Level(
            fitted.factor(level),
            fitted.guaranteed_factor(level),
            float(covers.mean()),
            dict(zip(names, shares, strict=True)),
        )
    a, b, c = np.sqrt(fitted.squares).tolist()
    n_errors = dict(zip(names, counts.tolist(), strict=True))
    constant = float(np.sqrt(weigh(errors.feature) @ errors.residual**2))
    calibration = OutputCalibration(
        a, b, c, levels, n_errors, is_nonnegative, constant=constant
    )
    return calibration, HeldOut(sigma, halves)


def _groups(numbers: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Split features into the groups that are held out together."""
    n_groups = min(len(numbers), _MOST_GROUPS)
    return [numbers[i::n_groups] for i in range(n_groups)]


@dataclass(frozen=True)
class _Errors:
    """The pixels of some features, all of them finite."""

    residual: Floats
    spread: Floats
    mean: Floats
    feature: NDArray[np.intp]

    def at(self, there: NDArray[np.bool_] | NDArray[np.intp]) -> _Errors:
        return _Errors(*(values[there] for values in vars(self).values()))

    def squares(self) -> Floats:
        """Return what sigma^2 is made of: shape (n_pixels, 3)."""
        ones = np.ones(len(self.residual))
        return np.column_stack([ones, self.spread**2, self.mean**2])


@dataclass(frozen=True)
class _Fit:
    """Coefficients, and the errors over sigma in order with the weights up to each."""

    squares: Floats  # a^2, b^2 and c^2
    scores: Floats
    weights: Floats
    n_features: int

    def sigma(self, errors: _Errors) -> Floats:
        return np.asarray(np.sqrt(errors.squares() @ self.squares))

    def factor(self, level: int) -> float:
        return quantile(self.scores, self.weights, level / 100)

    def guaranteed_factor(self, level: int) -> float | None:
        """Return the quantile where a K + 1th feature may have the largest errors."""
        if level > widest_level(self.n_features):
            return None
        share = level / widest_level(self.n_features)
        return quantile(self.scores, self.weights, share)


def _fit(errors: _Errors) -> _Fit:
    """Fit coefficients and factors; the order of the pixels changes nothing."""
    order = np.lexsort((errors.mean, errors.spread, errors.residual, errors.feature))
    errors = errors.at(order)
    weight = weigh(errors.feature)
    squares = _fit_squares(errors, weight)
    sigma = np.sqrt(errors.squares() @ squares)
    # where no error is known, as all are 0, no interval has a width
    scores = np.abs(errors.residual) / np.where(sigma > 0, sigma, 1)
    order = np.argsort(scores, kind="stable")
    n_features = len(np.unique(errors.feature))
    return _Fit(squares, scores[order], np.cumsum(weight[order]), n_features)


def _fit_squares(errors: _Errors, weight: Floats) -> Floats:
    """
    Return the a^2, b^2 and c^2 of the least mean CRPS.

    In units in which each term alone gives the mean squared error. A term that is 0
    everywhere has the coefficient 0.
    """
    terms = errors.squares()
    error = float(np.sqrt(weight @ errors.residual**2))
    sizes = weight @ terms
    if error == 0:
        return np.zeros(3)
    terms = np.divide(terms, sizes, out=np.zeros_like(terms), where=sizes > 0)
    residual = errors.residual / error

    def mean_crps(shares: Floats) -> tuple[float, Floats]:
        sigma = np.sqrt(terms @ shares)
        slope = crps_normal_slope(residual, sigma)
        crps = float(weight @ crps_normal(residual, sigma))
        return crps, np.asarray((weight * slope / (2 * sigma)) @ terms)

    bounds = [(_LEAST_SHARE, None)] + [(0, None if s > 0 else 0) for s in sizes[1:]]
    best = None
    for start in _STARTS:
        found = minimize(
            mean_crps,
            np.where(sizes > 0, start, 0),
            jac=True,
            bounds=bounds,
            method="L-BFGS-B",
            options={"ftol": 1e-13, "gtol": 1e-9},
        )
        if best is None or found.fun < best.fun:
            best = found
    shares = best.x  # type: ignore[union-attr]
    scaled = np.divide(shares, sizes, out=np.zeros(3), where=sizes > 0)
    return np.asarray(error**2 * scaled)


def weigh(feature: NDArray[np.intp]) -> Floats:
    """
    Return weights of pixels whose sum is 1, and the same for every feature.

    >>> weigh(np.array([7, 7, 9])).tolist()
    [0.25, 0.25, 0.5]
    """
    _, number, counts = np.unique(feature, return_inverse=True, return_counts=True)
    return np.asarray(1 / (len(counts) * counts[number]))


def quantile(values: Floats, weights: Floats, share: float) -> float:
    """
    Return the least value up to which a share of the weight lies.

    Parameters
    ----------
    values : float64 array, shape (n_values,)
        In order.
    weights : float64 array, shape (n_values,)
        Up to each value, that of its own with it; the last is 1.
    share : float
        From 0 to 1.

    Examples
    --------
    >>> values, weights = np.array([1.0, 2.0, 8.0]), np.array([0.25, 0.5, 1.0])
    >>> [quantile(values, weights, share) for share in (0.2, 0.5, 0.51, 1.0)]
    [1.0, 2.0, 8.0, 8.0]
    """
    place = np.searchsorted(weights, share - _ROUNDING)
    return float(values[min(int(place), len(values) - 1)])
