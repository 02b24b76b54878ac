"""The known pixels of features: what is evaluated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class KnownPixels:
    """
    The pixels of features at which an output is known.

    Attributes
    ----------
    features : list of str
        All that were looked at, those without a known pixel, too.
    feature : int array, shape (n_pixels,)
        The number of each pixel's feature among them.
    x, y : float64 arrays, shape (n_pixels,), CRS units
        The pixels' centres.
    observed : float64 array, shape (n_pixels,), the output's unit
    rasters : dict of float64 arrays, shape (n_pixels,)
        Other rasters there, read bilinearly, NaN where unknown.
    members : float64 array, shape (n_members, n_pixels), the output's unit
        What each member predicts, NaN where nothing can be predicted. No member where
        nothing was asked for.
    noise : float64 array, shape (n_pixels,), the output's unit squared
        The variance of the noise in the data, the mean of what the members say. NaN
        where they say nothing of it: with losses other than gaussian_nll and
        nan_gaussian_nll, and where nothing can be predicted.
    """

    features: list[str]
    feature: NDArray[np.intp]
    x: Floats
    y: Floats
    observed: Floats
    rasters: dict[str, Floats]
    members: Floats
    noise: Floats

    @cached_property
    def mean(self) -> Floats:
        """The members' mean: shape (n_pixels,), NaN where one says nothing."""
        return np.asarray(self.members.mean(axis=0))

    @cached_property
    def std(self) -> Floats:
        """Their standard deviation, ddof 1: shape (n_pixels,), NaN of one member."""
        if len(self.members) < 2:
            return np.full(len(self.observed), np.nan)
        return np.asarray(self.members.std(axis=0, ddof=1))

    @property
    def has_noise(self) -> bool:
        """The members say how large the noise in the data is."""
        return bool(np.isfinite(self.noise).any())

    def take(self, pixels: NDArray[np.intp]) -> KnownPixels:
        """Return the same with some of the pixels, by their numbers."""
        return replace(
            self,
            feature=self.feature[pixels],
            x=self.x[pixels],
            y=self.y[pixels],
            observed=self.observed[pixels],
            rasters={name: values[pixels] for name, values in self.rasters.items()},
            members=self.members[:, pixels],
            noise=self.noise[pixels],
        )

    def of_members(self, numbers: Sequence[int]) -> KnownPixels:
        """
        Return the same with some of the members, by their numbers.

        The noise stays what all of them say on average.
        """
        return replace(self, members=self.members[list(numbers)])

    def group(
        self, groups: Mapping[str, str] | None
    ) -> tuple[NDArray[np.intp], list[str]]:
        """
        Return the number of each pixel's group, shape (n_pixels,), and their names.

        A feature that is in no group is one of its own; so are all without groups.
        """
        names = [(groups or {}).get(feature, feature) for feature in self.features]
        called = list(dict.fromkeys(names))
        number = np.array([called.index(name) for name in names], dtype=np.intp)
        return number[self.feature], called

    def count_by_feature(self) -> dict[str, int]:
        """Return how many pixels each feature has, 0 of those without one, too."""
        counts = np.bincount(self.feature, minlength=len(self.features))
        return dict(zip(self.features, counts.tolist(), strict=True))

    def count_predicted(self) -> dict[str, int]:
        """Return at how many of them every member predicts something, likewise."""
        predicted = np.isfinite(self.members).all(axis=0)
        counts = np.bincount(self.feature[predicted], minlength=len(self.features))
        return dict(zip(self.features, counts.tolist(), strict=True))


def first_of_each(x: Floats, y: Floats, resolution: float) -> NDArray[np.intp]:
    """
    Return the numbers of the pixels that are not there before, in order.

    >>> first_of_each(np.array([5.0, 15.0, 5.0]), np.array([5.0, 5.0, 5.0]), 10.0)
    array([0, 1])
    """
    pixel = np.floor(np.column_stack([x, y]) / resolution)
    first = np.unique(pixel, axis=0, return_index=True)[1]
    first.sort()
    return first


def join_pixels(parts: Sequence[KnownPixels]) -> KnownPixels:
    """Return the pixels of several sets of features; as many members in each."""
    begins = np.cumsum([0, *(len(part.features) for part in parts)])

    def together(name: str) -> Floats:
        return np.concatenate([getattr(part, name) for part in parts])

    return KnownPixels(
        [feature for part in parts for feature in part.features],
        np.concatenate(
            [part.feature + begin for part, begin in zip(parts, begins, strict=False)]
        ),
        together("x"),
        together("y"),
        together("observed"),
        {
            name: np.concatenate([part.rasters[name] for part in parts])
            for name in parts[0].rasters
        },
        np.concatenate([part.members for part in parts], axis=1),
        together("noise"),
    )
