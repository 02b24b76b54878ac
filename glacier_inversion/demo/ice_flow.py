"""
Flow of ice by the shallow-ice approximation (SIA), on a grid of square cells.

Ice deforms by Glen's law with exponent 3 and slides over its bed. With the thickness
h, the slope of the surface s and the driving stress tau = rho g h abs(grad s), its flux
per width is (Cuffey and Paterson 2010, chapter 8)

    q = -(2 A / 5 (rho g)^3 h^5 + f (rho g)^3 h^3) abs(grad s)^2 grad s

the first term for deformation, the second for the sliding law u_b = f tau^3 / h of Budd
et al. (1979) as Oerlemans (1997) uses it, and dh/dt = balance - div q.

Fluxes are taken across the faces of cells, with the thickness of the upstream cell,
reconstructed with a minmod limiter: on steep beds the common centred schemes make ice
out of nothing (Jarosch et al. 2013). Explicit steps would last hours here, as their
length shrinks with the square of the cell; ours are linearly implicit.

References
----------
Budd, W. F., P. L. Keage and N. A. Blundy (1979), doi:10.3189/S0022143000029804
Bueler, E. et al. (2005), doi:10.3189/172756505781829449
Cuffey, K. M. and W. S. B. Paterson (2010), The Physics of Glaciers, 4th edition
Jarosch, A. H., C. G. Schoof and F. S. Anslow (2013), doi:10.5194/tc-7-229-2013
Oerlemans, J. (1997), doi:10.3189/S0260305500014932
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import splu

from glacier_inversion.demo.rheology import SECONDS_PER_YEAR, WEIGHT, Rheology

Values = NDArray[np.float64]


@dataclass(frozen=True)
class _Faces:
    """Fluxes across the faces between columns, and how they change with thickness."""

    flux: Values
    diffusivity: Values
    from_left: Values
    from_right: Values

    def after(self, change: Values, cell_size: float) -> Values:
        """Return the fluxes when the thickness has changed, to first order."""
        left, right = change[:, :-1], change[:, 1:]
        downhill = self.diffusivity * (left - right) / cell_size
        result: Values = (
            self.flux + downhill + self.from_left * left + self.from_right * right
        )
        return result


def step(
    thickness: Values,
    bed: Values,
    balance: Values,
    cell_size: float,
    years: float,
    rheology: Rheology,
) -> tuple[Values, Values]:
    """
    Let ice flow for some time.

    Mass is conserved: the thickness grows by the balance that was applied, and by
    nothing else, to rounding. No cell gives more ice than it holds and receives; melt
    ends with the ice. Nothing crosses the border of the grid. The error is of first
    order in time.

    Parameters
    ----------
    thickness, bed, balance : float64 arrays, shape (n_rows, n_cols)
        m, m above sea level and m/yr of ice.
    cell_size : float
        Side of a cell, m.
    years : float
        Length of the step.

    Returns
    -------
    thickness : float64 array, shape (n_rows, n_cols), m
    applied : float64 array, shape (n_rows, n_cols), m
        The part of the balance that there was ice for.
    """
    surface = bed + thickness
    across = _faces(thickness, surface, cell_size, rheology)
    down = _faces(thickness.T, surface.T, cell_size, rheology)
    gathering = -_divergence(across.flux, down.flux.T) / cell_size
    tendency = gathering + np.maximum(balance, -thickness / years)
    # where what arrives melts, no ice piles up that would hold back the next
    active = (thickness > 0) | (gathering + balance > 0)
    change = _solve(active, across, down, tendency, cell_size, years)
    moved = _move(
        thickness,
        across.after(change, cell_size) * (years / cell_size),
        down.after(change.T, cell_size).T * (years / cell_size),
    )
    after = np.maximum(moved + balance * years, 0.0)
    return after, after - moved


def _faces(
    thickness: Values, surface: Values, cell_size: float, rheology: Rheology
) -> _Faces:
    """Compute the fluxes between columns; towards the right is positive."""
    along = np.diff(surface, axis=1) / cell_size
    cross = np.zeros_like(surface)
    cross[1:-1] = (surface[2:] - surface[:-2]) / (2 * cell_size)
    squared = along**2 + ((cross[:, 1:] + cross[:, :-1]) / 2) ** 2
    rightwards = along < 0
    to_edge = _half_differences(thickness)
    upstream = np.where(
        rightwards, (thickness + to_edge)[:, :-1], (thickness - to_edge)[:, 1:]
    )
    deformation = rheology.deformation_flux * upstream**3
    sliding = rheology.sliding_flux * upstream
    conductivity = (deformation + sliding) * upstream**2
    per_thickness = -(5 * deformation + 3 * sliding) * upstream * squared * along
    return _Faces(
        flux=-conductivity * squared * along,
        diffusivity=conductivity * (squared + 2 * along**2),
        from_left=np.where(rightwards, per_thickness, 0.0),
        from_right=np.where(rightwards, 0.0, per_thickness),
    )


def _half_differences(values: Values) -> Values:
    """
    Return half the lesser of the differences to both neighbours, 0 at an extremum.

    >>> _half_differences(np.array([[0.0, 1.0, 3.0, 2.0]])).tolist()
    [[0.0, 0.5, 0.0, 0.0]]
    """
    steps = np.diff(values, axis=1)
    before, after = steps[:, :-1], steps[:, 1:]
    lesser = np.where(np.abs(before) < np.abs(after), before, after)
    result = np.zeros_like(values)
    result[:, 1:-1] = np.where(before * after > 0, lesser / 2, 0.0)
    return result


def _divergence(across: Values, down: Values) -> Values:
    """Return what leaves each cell, less what enters it."""
    result = np.zeros((across.shape[0], down.shape[1]))
    result[:, :-1] += across
    result[:, 1:] -= across
    result[:-1] += down
    result[1:] -= down
    return result


def _solve(
    active: NDArray[np.bool_],
    across: _Faces,
    down: _Faces,
    tendency: Values,
    cell_size: float,
    years: float,
) -> Values:
    """
    Find the change of thickness in a linearly implicit step, m.

    It is 0 in cells that are not *active*, which swallow what reaches them. What the
    flux across a face owes to the slope along the face is left to the next step; the
    matrix then has five diagonals, is diagonally dominant by columns and is solved
    without pivoting.
    """
    n_active = int(active.sum())
    change = np.zeros_like(tendency)
    if n_active == 0:
        return change
    index = np.zeros(active.shape, dtype=np.int32)
    index[active] = np.arange(n_active)
    diagonal = np.full_like(tendency, 1 / years)
    rows, columns, values = [index[active]], [index[active]], []
    # transposed views, so that faces between rows are faces between columns too
    for faces, cells, taking_part, total in (
        (across, index, active, diagonal),
        (down, index.T, active.T, diagonal.T),
    ):
        conductance = faces.diffusivity / cell_size
        out_of_left = (conductance + faces.from_left) / cell_size
        out_of_right = (conductance - faces.from_right) / cell_size
        total[:, :-1] += out_of_left
        total[:, 1:] += out_of_right
        both = taking_part[:, :-1] & taking_part[:, 1:]
        left, right = cells[:, :-1][both], cells[:, 1:][both]
        rows += [left, right]
        columns += [right, left]
        values += [-out_of_right[both], -out_of_left[both]]
    values.insert(0, diagonal[active])
    matrix = sparse.csc_matrix(
        (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    )
    factors = splu(
        matrix,
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )
    change[active] = factors.solve(tendency[active])
    return change


def _move(thickness: Values, across: Values, down: Values) -> Values:
    """
    Apply transports, reduced where a cell would give more than it has and gets.

    Less for one cell may be too little for the next, hence the loop; it ends as
    transports only shrink.

    Parameters
    ----------
    across, down : float64 arrays
        Thickness that crosses the faces between columns, and between rows, m.
    """
    while True:
        moved = thickness - _divergence(across, down)
        overdrawn = moved < -1e-9
        if not overdrawn.any():
            return moved
        leaving = np.zeros_like(thickness)
        leaving[:, :-1] += np.maximum(across, 0)
        leaving[:, 1:] -= np.minimum(across, 0)
        leaving[:-1] += np.maximum(down, 0)
        leaving[1:] -= np.minimum(down, 0)
        kept = np.ones_like(thickness)
        kept[overdrawn] += moved[overdrawn] / leaving[overdrawn]
        kept = np.maximum(kept, 0.0)
        across = across * np.where(across > 0, kept[:, :-1], kept[:, 1:])
        down = down * np.where(down > 0, kept[:-1], kept[1:])


def grow(
    thickness: Values,
    bed: Values,
    balance: Callable[[Values], Values],
    cell_size: float,
    years: float,
    rheology: Rheology,
    tolerance: float = 1e-3,
    on_step: Callable[[float], object] = lambda _: None,
) -> tuple[Values, float]:
    """
    Let ice grow towards the steady state of a balance that depends on the surface.

    Steps are as long as the surface changes by 20 m or less, and at most 2 years.

    Parameters
    ----------
    thickness, bed : float64 arrays, shape (n_rows, n_cols), m
    balance : function of the surface in m, to m of ice per year
    cell_size : float
        Side of a cell, m.
    years : float
        Time after which to stop anyway.
    tolerance : float
        Imbalance at which the ice counts as steady.
    on_step : callable
        Hears after each step which share of *years* has passed, 1 at most.

    Returns
    -------
    thickness : float64 array, shape (n_rows, n_cols), m
    imbalance : float
        Sum of all cells' absolute changes over the accumulation, in the last step.
    """
    elapsed, length, imbalance = 0.0, 0.25, np.inf
    while elapsed < years and imbalance > tolerance:
        after, applied = step(
            thickness, bed, balance(bed + thickness), cell_size, length, rheology
        )
        largest = float(np.abs(after - thickness).max())
        if largest > 30:
            length /= 2
            continue
        elapsed += length
        accumulation = np.maximum(applied, 0).sum()
        gone_astray = np.abs(after - thickness).sum()
        imbalance = float(gone_astray / accumulation) if accumulation else 0.0
        thickness = after
        if largest < 15:
            length = min(1.3 * length, 2.0)
        elif largest > 20:
            length *= 0.8
        on_step(min(elapsed / years, 1.0))
    return thickness, imbalance


def surface_velocity(
    thickness: Values, bed: Values, cell_size: float, rheology: Rheology
) -> tuple[Values, Values]:
    """
    Compute the velocity of the surface: deformation and sliding.

    The speed is 2 A / 4 tau^3 h + f tau^3 / h (Cuffey and Paterson 2010, equation 8.35,
    and the sliding law), down the slope, from central differences, one-sided at the
    border. It is 0 where there is no ice.

    Parameters
    ----------
    thickness, bed : float64 arrays, shape (n_rows, n_cols), m
        The first row is the northernmost.

    Returns
    -------
    east, north : float64 arrays, shape (n_rows, n_cols), m/yr
    """
    southwards, eastwards = np.gradient(bed + thickness, cell_size)
    steepness = np.hypot(southwards, eastwards)
    # tau^3 over the steepness, without a division by 0 on level ice
    stress = (WEIGHT * thickness) ** 3 * steepness**2 * SECONDS_PER_YEAR
    per_slope = stress * (
        rheology.rate_factor / 2 * thickness
        + rheology.sliding / np.where(thickness > 0, thickness, 1.0)
    )
    return -per_slope * eastwards, per_slope * southwards
