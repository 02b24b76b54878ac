"""How easily ice deforms and slides, and what it weighs."""

from __future__ import annotations

from dataclasses import dataclass

SECONDS_PER_YEAR = 31_556_926.0


WEIGHT = 910.0 * 9.81  # of ice, rho g in Pa/m


@dataclass(frozen=True)
class Rheology:
    """
    How easily ice deforms and slides.

    Parameters
    ----------
    rate_factor : float
        A of Glen's law, 1/(s Pa^3); temperate ice by default.
    sliding : float
        f of the sliding law, m^2/(s Pa^3); Oerlemans's value by default.
    """

    rate_factor: float = 2.4e-24
    sliding: float = 5.7e-20

    @property
    def deformation_flux(self) -> float:
        """Factor of h^5 abs(grad s)^3 in the flux, 1/(m^3 yr)."""
        return 2 / 5 * self.rate_factor * WEIGHT**3 * SECONDS_PER_YEAR

    @property
    def sliding_flux(self) -> float:
        """Factor of h^3 abs(grad s)^3 in the flux, 1/(m yr)."""
        return self.sliding * WEIGHT**3 * SECONDS_PER_YEAR
