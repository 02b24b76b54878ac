"""How honest the uncertainty of an output is: as the members spread, and calibrated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glacier_inversion.evaluation.calibration_fit import fit_calibration
from glacier_inversion.evaluation.covariograms import Errors, fit_covariogram
from glacier_inversion.evaluation.coverage import (
    Floats,
    normal_half_widths,
    score_intervals,
    score_sigma,
)
from glacier_inversion.evaluation.pixels import KnownPixels
from glacier_inversion.training.model.calibration import LEVELS, OutputCalibration
from glacier_inversion.training.model.member_statistics import total_spread


def calibrate_output(
    output: str,
    pixels: KnownPixels,
    groups: Mapping[str, str] | None,
    is_nonnegative: bool,
) -> tuple[OutputCalibration, dict[str, Any]]:
    """
    Fit the uncertainty of an output to errors on features that no member knew.

    Parameters
    ----------
    output : str
        Its name, for messages.
    pixels : KnownPixels
        With what members predict that were not trained on the pixels' features.
    groups : mapping of str, optional
        What features belong together, and count as one.
    is_nonnegative : bool
        Whether the output cannot be below 0.

    Returns
    -------
    calibration : OutputCalibration
        With the covariogram of the errors.
    scores : dict
        How honest intervals are: 'spread', of normal errors whose standard deviation is
        that of the members, with the noise in the data where they say it, as
        'counts_noise' tells; 'calibrated', fitted to the other features alone; and
        'constant', of normal errors of one size, that of the other features. Each with
        what `score_intervals` and `score_sigma` say. 'n_features', how many features it
        was calibrated on, and 'of_groups', whether these are groups. 'least_feature' is
        the name of a group where *groups* are given.

    Raises
    ------
    DatasetError
        Fewer than 4 features, or groups, have errors.
    """
    feature, called = pixels.group(groups)
    mean, spread = _mean_and_spread(pixels)
    residual = mean - pixels.observed
    calibration, held_out = fit_calibration(
        output,
        residual,
        spread,
        mean,
        feature,
        called,
        is_nonnegative,
        are_groups=groups is not None,
    )
    constant = _constant(residual, feature)
    ways = {
        "spread": (spread, normal_half_widths(spread)),
        "calibrated": (held_out.sigma, held_out.half_widths),
        "constant": (constant, normal_half_widths(constant)),
    }
    scores = _score(residual, feature, called, ways, pixels)
    # of features, where those that belong together were fitted as one, too
    levels = {
        level: replace(
            own,
            coverage_by_feature=_cover(pixels, residual, held_out.half_widths[level]),
        )
        for level, own in calibration.levels.items()
    }
    features = list(levels[LEVELS[0]].coverage_by_feature)
    calibration = replace(
        calibration,
        levels=levels,
        features=features,
        groups=None if groups is None else {f: groups.get(f, f) for f in features},
        counts_noise=pixels.has_noise,
    )
    of_features = _errors_by_feature(pixels, residual, feature, calibration)
    covariogram = fit_covariogram(of_features)
    calibration = replace(calibration, covariogram=covariogram)
    return calibration, {**_basis(calibration), **scores}


def _cover(
    pixels: KnownPixels, residual: Floats, half_width: Floats
) -> dict[str, float]:
    """Return the share of the errors of each feature that intervals hold."""
    known = np.isfinite(residual) & np.isfinite(half_width)
    is_in = np.abs(residual) <= half_width
    return {
        pixels.features[number]: float(is_in[known & (pixels.feature == number)].mean())
        for number in np.unique(pixels.feature[known])
    }


def _errors_by_feature(
    pixels: KnownPixels,
    residual: Floats,
    feature: NDArray[np.intp],
    calibration: OutputCalibration,
) -> list[Errors]:
    """Return the errors of each feature that has some."""
    errors = Errors(
        pixels.x,
        pixels.y,
        residual,
        calibration.b * (pixels.members - pixels.mean),
        calibration.tau(pixels.mean, pixels.noise),
    )
    known = np.isfinite(residual)
    numbers = np.unique(feature[known])
    return [errors.at(np.flatnonzero(known & (feature == n))) for n in numbers]


def score_calibration(
    pixels: KnownPixels,
    calibration: OutputCalibration | None,
    groups: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """
    Tell how honest intervals are on features, known to the calibration or not.

    Parameters
    ----------
    groups : mapping of str, optional
        What features belong together, and count as one.

    Returns
    -------
    scores : dict
        As `calibrate_output` returns them, 'constant' of the size of the errors that
        the calibration was fitted to. 'features_calibrated' names the features that it
        was fitted to, of which it says nothing new. Without a calibration 'spread'
        alone.
    """
    feature, called = pixels.group(groups)
    mean, spread = _mean_and_spread(pixels)
    ways = {"spread": (spread, normal_half_widths(spread))}
    basis = {}
    if calibration is not None:
        fitted = spread if calibration.counts_noise else pixels.std
        narrow = calibration.sigma(fitted.astype("f4"), mean.astype("f4"))
        sigma = narrow.astype(np.float64)
        levels = calibration.levels.items()
        half_widths = {level: of.factor * sigma for level, of in levels}
        ways["calibrated"] = sigma, half_widths
        if calibration.constant is not None:
            constant = np.full(len(mean), calibration.constant)
            ways["constant"] = constant, normal_half_widths(constant)
        known = [f for f in pixels.features if f in calibration.features]
        basis = {**_basis(calibration), "features_calibrated": known}
    residual = mean - pixels.observed
    return {**basis, **_score(residual, feature, called, ways, pixels)}


def _mean_and_spread(pixels: KnownPixels) -> tuple[Floats, Floats]:
    """
    Return the members' mean and their spread.

    Where they say how large the noise in the data is, it is part of the spread: see
    `total_spread`.
    """
    return pixels.mean, total_spread(pixels.std, pixels.noise)


def _basis(calibration: OutputCalibration) -> dict[str, Any]:
    """Say what a calibration was fitted to."""
    return {
        "n_features": calibration.n_features,
        "of_groups": calibration.of_groups,
    }


def _score(
    residual: Floats,
    feature: NDArray[np.intp],
    features: list[str],
    ways: Mapping[str, tuple[Floats, dict[int, Floats]]],
    pixels: KnownPixels,
) -> dict[str, Any]:
    scores = {
        way: {
            "levels": _named(score_intervals(residual, half_widths, feature), features),
            **score_sigma(residual, sigma),
        }
        for way, (sigma, half_widths) in ways.items()
    }
    return {**scores, "counts_noise": pixels.has_noise}


def _constant(residual: Floats, feature: NDArray[np.intp]) -> Floats:
    """Return the root mean square of the errors of all other features, each alike."""
    known = np.isfinite(residual)
    numbers = np.unique(feature[known])
    squares = np.array(
        [np.mean(residual[known & (feature == number)] ** 2) for number in numbers]
    )
    others = (squares.sum() - squares) / max(len(squares) - 1, 1)
    constant = np.full(len(residual), np.nan)
    for number, square in zip(numbers, others, strict=True):
        constant[feature == number] = np.sqrt(square)
    return constant


def _named(
    levels: dict[str, dict[str, Any]], features: list[str]
) -> dict[str, dict[str, Any]]:
    """Say the name of the feature that is covered least, instead of its number."""
    return {
        level: {**scores, "least_feature": features[scores["least_feature"]]}
        for level, scores in levels.items()
    }
