"""
How far a model errs where it was not trained, and intervals from it.

The standard error of a predicted value is::

    sigma^2 = a^2 + b^2 spread^2 + c^2 mean^2

of the mean and the spread: the standard deviation of the members (ddof 1), with the
noise in the data where they say it (`total_spread`). The interval of a level is the
mean, more or less its own factor times sigma, as errors need not be normal.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from glacier_inversion.state_files import digest_of
from glacier_inversion.training.model.covariogram import Covariogram

LEVELS = (50, 68, 80, 95)
"""Of the intervals, in percent."""

Source = Literal["crossval", "validation"]
"""Where the errors are from: a cross-validation, or the validation split."""


@dataclass(frozen=True)
class Level:
    """
    The intervals of one level.

    Attributes
    ----------
    factor : float
        Of sigma: half of the interval's width. It covers the level's share of the
        errors, every feature weighing the same.
    guaranteed_factor : float or None
        The larger one that counts how few the features are: a new feature of the same
        kind, drawn as the others were, may be worse than all of them. It covers at
        least the level's share of the pixels of new features, on average over these.
        None where the features are too few for that, whatever the factor.
    coverage : float
        The share of the pixels that intervals cover which were fitted without their
        feature.
    coverage_by_feature : dict of float
        The same, of each feature's own pixels. Empty where it is not known: in the
        files of earlier versions that were fitted to groups.
    """

    factor: float
    guaranteed_factor: float | None
    coverage: float
    coverage_by_feature: dict[str, float]


@dataclass(frozen=True)
class OutputCalibration:
    """
    How far the predictions of one output err.

    Attributes
    ----------
    a : float, the output's unit
        The error that is always there.
    b, c : float
        How much it grows with the spread, and with the mean.
    levels : dict of Level
        By level, in percent: those of `LEVELS`.
    n_errors : dict of int
        The errors that it was fitted to, by feature.
        Features that belong together are counted by the name of their group.
    is_nonnegative : bool
        The output cannot be negative: a lower bound is at least 0.
    features : list of str
        All features with errors.
    groups : dict of str or None
        The group of each of these, where features that belong together were counted as
        one. None where each counts for itself. Empty in the files of earlier versions,
        which do not say which feature is in which group.
    counts_noise : bool
        Noise is part of the spread that it was fitted to.
    covariogram : Covariogram or None
        How the errors of pixels go together. None in the files of earlier versions,
        and where no two pixels of a feature are known.
    constant : float or None, the output's unit
        The root mean square of the errors, every feature weighing the same: what the
        standard error is compared with. None in the files of earlier versions.
    """

    a: float
    b: float
    c: float
    levels: dict[int, Level]
    n_errors: dict[str, int]
    is_nonnegative: bool
    features: list[str] = field(default_factory=list)
    counts_noise: bool = False
    covariogram: Covariogram | None = None
    constant: float | None = None
    groups: dict[str, str] | None = None

    @property
    def n_features(self) -> int:
        """How many features it was fitted to, or groups of them."""
        return len(self.n_errors)

    @property
    def of_groups(self) -> bool:
        """Features that belong together were counted as one."""
        return self.groups is not None

    @property
    def digest(self) -> str:
        """All of it, as a digest."""
        return digest_of(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """Return what calibration.json says of the output."""
        return {
            "a": self.a,
            "b": self.b,
            "c": self.c,
            "is_nonnegative": self.is_nonnegative,
            "counts_noise": self.counts_noise,
            "n_features": self.n_features,
            "widest_guaranteed_level": self.widest_level,
            "levels": {str(level): asdict(x) for level, x in self.levels.items()},
            "n_errors": self.n_errors,
            "features": self.features,
            "groups": self.groups,
            "covariogram": self.covariogram and self.covariogram.to_json(),
            "constant": self.constant,
        }

    @property
    def widest_level(self) -> float:
        """The widest interval that can be guaranteed on a new feature, in percent."""
        return widest_level(self.n_features)

    def serves(self, n_members: int) -> bool:
        """Return whether so few members suffice: of one, a spread is not known."""
        return n_members > 1 or not self.b or self.counts_noise

    def tau(
        self, mean: NDArray[np.float64], noise: NDArray[np.float64] | None
    ) -> NDArray[np.float64]:
        """
        Return the part of the standard error that the members' spread does not show.

        Parameters
        ----------
        mean : float64 array, shape (n_points,), the output's unit
            Of the members.
        noise : float64 array, shape (n_points,), the output's unit squared, or None
            The variance that the members say; NaN, where they say nothing, is none. It
            counts where *counts_noise*.

        Returns
        -------
        tau : float64 array, shape (n_points,), the output's unit
            The root of a^2 + c^2 mean^2 and, where the noise counts, b^2 noise.
        """
        squares = self.a**2 + (self.c * mean) ** 2
        if self.counts_noise and noise is not None:
            squares += self.b**2 * np.nan_to_num(noise)
        tau: NDArray[np.float64] = np.sqrt(squares)
        return tau

    def sigma(
        self, spread: NDArray[np.float32], mean: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """
        Return the standard error.

        Parameters
        ----------
        spread, mean : float32 arrays, shape (...), the output's unit
            Of the members, the spread with noise where *counts_noise*. It may be NaN
            where *b* is 0, as it is of one member.

        Returns
        -------
        sigma : float32 array, shape (...), the output's unit
            NaN where the mean is NaN, or a spread that counts.
        """
        sigma: NDArray[np.float32]
        sigma = np.hypot(np.float32(self.a), np.float32(self.c) * mean)
        return np.hypot(sigma, np.float32(self.b) * spread) if self.b else sigma

    def bounds(
        self, level: int, spread: NDArray[np.float32], mean: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """
        Return the ends of the intervals of a level.

        They are made with its *factor*, not with the guaranteed one: they are nominal.

        Parameters
        ----------
        level : int
            In percent, one of `LEVELS`.
        spread, mean : float32 arrays, shape (...), the output's unit
            As `sigma` takes them.

        Returns
        -------
        lower, upper : float32 arrays, shape (...), the output's unit
            NaN where sigma is. The lower one is at least 0 where the output cannot be
            negative; nothing else is clipped.
        """
        if level not in self.levels:
            message = f"Invalid level {level!r}. Must be one of {LEVELS}."
            raise ValueError(message)
        half = np.float32(self.levels[level].factor) * self.sigma(spread, mean)
        lower = mean - half
        if self.is_nonnegative:
            lower = np.maximum(lower, np.float32(0))  # keeps NaN
        return lower, mean + half


@dataclass(frozen=True)
class Calibration:
    """
    How far the predictions of a model err.

    Attributes
    ----------
    outputs : dict of OutputCalibration
        By name; an output that is no measure of a quantity has none.
    source : {"crossval", "validation"}
        Where the errors are from.
    identity : str
        Of the model, as `Model.identity` has it.
    n_members : int
        Of the ensembles whose errors these are.
    """

    outputs: dict[str, OutputCalibration]
    source: Source
    identity: str
    n_members: int

    @property
    def digest(self) -> str:
        """All of it, as a digest: the "sha256" in calibration.json."""
        return digest_of(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """Return what calibration.json says, without its digest."""
        return {
            "model": self.identity,
            "source": self.source,
            "n_members": self.n_members,
            "outputs": {name: own.to_json() for name, own in self.outputs.items()},
        }


def widest_level(n_features: int) -> float:
    """
    Return the widest interval that can be guaranteed on a new feature, in percent.

    A new feature is as likely to be the worst of K + 1 as any other, so no interval
    that follows from K features covers it with more than K / (K + 1).

    >>> round(widest_level(8), 1), widest_level(19)
    (88.9, 95.0)
    """
    return 100 * n_features / (n_features + 1)
