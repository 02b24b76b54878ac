"""How the errors of two pixels go together, by the distance between them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glacier_inversion.training.model.stored_numbers import read_number

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Covariogram:
    """
    The covariance of the errors that the spread of the members does not show.

    Their size at a pixel is tau, tau^2 = a^2 + b^2 noise + c^2 mean^2 with the
    coefficients of the calibration, and the noise where that counts it. The expected
    product of the errors of two pixels is tau times tau times what this says, and b^2
    times the covariance of the members besides. It is not centred: an error that a
    whole feature has is part of it.

    Attributes
    ----------
    nugget : float
        What a pixel's error has for itself, the noise of the measurements with it.
    partial_sill : float
        What near pixels share.
    length : float, metres
        Over which that falls to 1/e: a third of the practical range.
    plateau : float
        What all pixels of a feature share.
    common : float
        What all features share; no more than *plateau*.
    """

    nugget: float
    partial_sill: float
    length: float
    plateau: float
    common: float

    def near(self, distance: Floats) -> Floats:
        """
        Return what pixels at a distance share, but for the plateau.

        Parameters
        ----------
        distance : float64 array, shape (...), metres

        Returns
        -------
        shared : float64 array, shape (...)
            Without the nugget, at the distance 0, too.
        """
        return np.asarray(self.partial_sill * np.exp(-distance / self.length))

    def to_json(self) -> dict[str, float]:
        """Return what calibration.json holds of it."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Covariogram:
        """
        Read what calibration.json holds of it.

        Raises
        ------
        ValueError, KeyError, TypeError
            It is not what `to_json` returns.
        """
        names = ("nugget", "partial_sill", "length", "plateau", "common")
        own = cls(*(read_number(content[n], f"covariogram.{n}") for n in names))
        if own.length == 0:
            message = "covariogram.length is 0, which is no length"
            raise ValueError(message)
        if own.common > own.plateau:
            message = (
                f"covariogram.common is {own.common:g}, more than its plateau of "
                f"{own.plateau:g}"
            )
            raise ValueError(message)
        return own
