"""A made-up mountain range with glaciers: valleys, their beds, climate and ice."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from glacier_inversion.demo.ice_flow import Values, grow
from glacier_inversion.demo.rheology import Rheology
from glacier_inversion.progress import Progress, Silent

WIDTH = 32_000  # of the region, m
HEIGHT = 26_000
IN_THE_ALPS = (2_640_000.0, 1_140_000.0)
"""The corner of the demonstration in EPSG:2056, in the Bernese Alps."""
_VALLEYS_PER_SIDE = 13
_EDGE = 2_500  # free of valleys, so that ice stays away from the border, m
# Cells to a side, years of growth at most, and what it takes of the time, percent.
_LEVELS = ((8, 800, 1), (4, 300, 5), (2, 300, 19), (1, 120, 75))


@dataclass(frozen=True)
class Mountains:
    """
    A range that runs from west to east, with valleys to both sides.

    Parameters
    ----------
    bed : float64 array, shape (n_rows, n_cols), m above sea level
        The first row is the northernmost.
    valley : int array, shape (n_rows, n_cols)
        Number of the valley that a cell belongs to, -1 outside of all.
    floors : list of float64 arrays, shape (n_points, 2), m
        The line along each valley's floor, from its head: x and y from the region's
        south-western corner.
    cell_size : float
        Side of a cell, m.
    corner : (x, y)
        The south-western one, in the CRS of the region, m.
    """

    bed: Values
    valley: NDArray[np.int64]
    floors: list[Values]
    cell_size: float
    corner: tuple[float, float] = IN_THE_ALPS

    def stretched(self, factor: float, corner: tuple[float, float]) -> Mountains:
        """
        Return mountains as high, so many times as long and wide, at another place.

        Slopes are so many times as gentle, and ice is thicker: by Glen's law about as
        the power 4/5 of the factor, where its balance is the same.
        """
        floors, cell_size = [f * factor for f in self.floors], self.cell_size * factor
        return replace(self, floors=floors, cell_size=cell_size, corner=corner)

    def coarser(self, factor: int) -> Mountains:
        """Return the mean of each *factor* x *factor* cells; what is over is left."""
        n_rows, n_cols = (size // factor for size in self.bed.shape)
        cells = self.bed[: n_rows * factor, : n_cols * factor]
        bed = cells.reshape(n_rows, factor, n_cols, factor).mean(axis=(1, 3))
        valley = self.valley[::factor, ::factor][:n_rows, :n_cols]
        cell_size = self.cell_size * factor
        return replace(self, bed=bed, valley=valley, cell_size=cell_size)


def build_mountains(seed: int, cell_size: float = 50.0) -> Mountains:
    """
    Make a range of 26 valleys whose widths, lengths, gradients and beds differ.

    Each valley is a trough: a floor that falls off ever more steeply and levels out
    again, with overdeepenings; walls of a hyperbola's shape, wide apart at its head and
    closer below; a steep headwall at the crest. The range is the lower envelope of all,
    with fractal roughness of 40 m (std), its power spectrum proportional to k^-3.6
    between wavelengths of 250 m and 8 km.
    """
    rng = np.random.default_rng(seed)
    x = np.arange(cell_size / 2, WIDTH, cell_size)
    y = np.arange(HEIGHT - cell_size / 2, 0, -cell_size)[:, np.newaxis]
    phases = rng.uniform(0, 2 * np.pi, 3)

    def crest(at: Values) -> Values:
        bends = 1200 * np.sin(2 * np.pi * at / 21_000 + phases[0])
        bends += 500 * np.sin(2 * np.pi * at / 9_000 + phases[1])
        result: Values = HEIGHT / 2 + bends
        return result

    into_edge = np.maximum(0, _EDGE - np.minimum(x, WIDTH - x))
    troughs = [3600 - 0.14 * np.abs(y - crest(x)) - 0.5 * into_edge]  # between valleys
    floors = []
    for side in (1, -1):
        shares = rng.uniform(0.6, 1.6, _VALLEYS_PER_SIDE)
        widths = shares / shares.sum() * (WIDTH - 2 * _EDGE)
        axes = _EDGE + np.cumsum(widths) - widths / 2
        for axis, width in zip(axes, widths, strict=True):
            head = float(crest(axis))
            top = 3500 + 200 * np.sin(2 * np.pi * axis / 15_000 + phases[2])
            trough, line = _dig(rng, width, top, x - axis, side * (y - head))
            troughs.append(trough)
            floors.append(
                np.column_stack((axis + line[:, 0], head + side * line[:, 1]))
            )
    stacked = np.stack(troughs)
    lowest = stacked.min(axis=0)
    softness = 40.0  # of the ridges, m
    envelope = lowest - softness * np.log(
        np.exp((lowest - stacked) / softness).sum(axis=0)
    )
    roughness = 40 * correlated_noise(rng, lowest.shape, cell_size, 1.8, (250, 8000))
    return Mountains(
        envelope + roughness, stacked.argmin(axis=0) - 1, floors, cell_size
    )


def _dig(
    rng: np.random.Generator, width: float, top: float, across: Values, down: Values
) -> tuple[Values, Values]:
    """
    Make a trough, and the line along its floor as distances across and down.

    Parameters
    ----------
    width, top : float
        Distance of the ridges to both sides, and height of the crest, m.
    across, down : float64 arrays that broadcast, m
        Distances from the valley's axis, and from the crest towards the valley.
    """
    size = width / 2000
    wander = rng.uniform(0, 0.15) * width
    wavelength, phase = rng.uniform(4000, 9000), rng.uniform(0, 2 * np.pi)
    bottom = rng.uniform(1400, 1900)
    height = top - rng.uniform(200, 450) - bottom
    length = rng.uniform(2200, 4800) * np.clip(size, 0.7, 1.4)
    depth = rng.uniform(20, 90) * np.clip(size, 0.5, 1.4)
    spacing, shift = rng.uniform(1800, 3500), rng.uniform(0, 2 * np.pi)
    narrow, wide = rng.uniform(0.12, 0.2), rng.uniform(0.2, 0.4)
    opening, steepness = rng.uniform(2000, 4000), rng.uniform(0.7, 1.0)

    def bend(at: Values) -> Values:
        grown = np.clip(at / 2000, 0, 1)
        result: Values = wander * np.sin(2 * np.pi * at / wavelength + phase) * grown
        return result

    below = np.maximum(down, 0)
    floor = bottom + height * np.exp(-((below / length) ** 1.5))
    basins = depth * np.sin(2 * np.pi * below / spacing + shift)
    floor -= basins * np.clip(below / 1000, 0, 1)
    half_width = width * (narrow + wide * np.exp(-((below / opening) ** 2)))
    wall = steepness * (np.hypot(across - bend(down), half_width) - half_width)
    headwall = 0.8 * (np.hypot(np.minimum(down - 600, 0), 500) - 500)
    along = np.arange(0, 12_000, 100.0)
    return floor + wall + headwall, np.column_stack((bend(along), along))


def correlated_noise(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    cell_size: float,
    decay: float,
    wavelengths: tuple[float, float],
) -> Values:
    """
    Draw a periodic Gaussian field of mean 0 and std 1.

    Parameters
    ----------
    shape : (n_rows, n_cols)
    cell_size : float
        Side of a cell, m.
    decay : float
        The amplitude falls with the wavenumber to this power.
    wavelengths : (shortest, longest), m
        The shortest fade out, longer ones than the longest are absent.
    """
    wavenumber = np.hypot(
        np.fft.fftfreq(shape[0], cell_size)[:, np.newaxis],
        np.fft.rfftfreq(shape[1], cell_size),
    )
    present = wavenumber > 1 / wavelengths[1]
    amplitude = np.where(present, wavenumber, np.inf) ** -decay
    amplitude *= np.exp(-((wavenumber * wavelengths[0]) ** 2))
    white = np.fft.rfft2(rng.standard_normal(shape))
    field = np.fft.irfft2(white * amplitude, s=shape)
    result: Values = field / field.std()
    return result


class Climate:
    """
    Surface mass balance of glaciers in the Alps, as a function of elevation.

    Above the equilibrium line it grows by 0.007 m/yr per metre up to 2.5 m/yr, below it
    falls by 0.008 (Alpine gradients: World Glacier Monitoring Service). The line lies
    at 2700 m, up to 100 m lower on northern slopes and higher on southern ones. Snow
    that falls on slopes steeper than 22 to 36 degrees, on ridges or between valleys is
    lost: wind and avalanches take it.
    """

    def __init__(self, mountains: Mountains) -> None:
        cell_size = mountains.cell_size
        smooth = ndimage.gaussian_filter(mountains.bed, 150 / cell_size)
        southwards, eastwards = np.gradient(smooth, cell_size)
        gentle, steep = np.tan(np.radians((22, 36)))
        bare = (np.hypot(southwards, eastwards) - gentle) / (steep - gentle)
        in_valley = (mountains.valley >= 0).astype(float)
        hollow = ndimage.gaussian_filter(mountains.bed, 500 / cell_size) - mountains.bed
        self._kept = (1 - np.clip(bare, 0, 1)) * np.clip(0.8 + hollow / 60, 0, 1)
        self._kept *= ndimage.gaussian_filter(in_valley, 100 / cell_size)
        facing_south = ndimage.gaussian_filter(-southwards, 500 / cell_size)
        self._line = 2700 + 100 * np.tanh(2 * facing_south)

    def __call__(self, surface: Values) -> Values:
        """Return the balance at a surface, float64 array, m of ice per year."""
        above = surface - self._line
        gain = np.clip(0.007 * above, 0, 2.5) * self._kept
        result: Values = gain + 0.008 * np.minimum(above, 0)
        return result


def grow_ice(
    mountains: Mountains, rheology: Rheology, progress: Progress | None = None
) -> tuple[Values, float]:
    """
    Grow the ice of a range to its steady state.

    The ice grows from nothing on cells eight times as large, and goes on from there on
    ever smaller ones, so that few of the dear steps are needed.

    Returns
    -------
    thickness : float64 array, shape (n_rows, n_cols), m
    imbalance : float
        Sum of all cells' absolute changes over the accumulation, in the last step.
    """
    progress = progress or Silent()
    progress.start("growing the ice", 100, "percent")
    n_told, before = 0, 0

    def tell(share: float) -> None:
        """Tell how much of a level is done, as steps of the whole."""
        nonlocal n_told
        while n_told < before + int(share * percent):
            progress.advance()
            n_told += 1

    thickness, imbalance = np.zeros((1, 1)), 0.0
    for factor, years, percent in _LEVELS:
        level = mountains.coarser(factor)
        if factor == _LEVELS[0][0]:
            thickness = np.zeros_like(level.bed)
        else:
            thickness = refine(thickness, level.bed.shape)
        thickness, imbalance = grow(
            thickness,
            level.bed,
            Climate(level),
            level.cell_size,
            years,
            rheology,
            on_step=tell,
        )
        tell(1.0)  # it was steady before
        before += percent
    return thickness, imbalance


def refine(values: Values, shape: tuple[int, ...]) -> Values:
    """
    Interpolate cells to ones of half the side, bilinearly.

    Rows and columns that the coarse cells do not reach repeat the last ones.

    >>> refine(np.array([[0.0, 4.0]]), (2, 5)).tolist()
    [[0.0, 1.0, 3.0, 4.0, 4.0], [0.0, 1.0, 3.0, 4.0, 4.0]]
    """
    rows, columns = (
        np.clip((np.arange(size) - 0.5) / 2, 0, n - 1)
        for size, n in zip(shape, values.shape, strict=True)
    )
    result: Values = ndimage.map_coordinates(
        values, np.meshgrid(rows, columns, indexing="ij"), order=1, mode="nearest"
    )
    return result
