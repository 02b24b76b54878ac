"""The ice-flow solver against closed solutions."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from glacier_inversion.demo.ice_flow import grow, step, surface_velocity
from glacier_inversion.demo.rheology import SECONDS_PER_YEAR, WEIGHT, Rheology

ICE_SHEET = Rheology(rate_factor=1e-16 / SECONDS_PER_YEAR, sliding=0.0)


def similarity(radius, years, accumulation, rheology=ICE_SHEET):
    """
    Thickness of a radial sheet with balance accumulation * thickness / time.

    Bueler et al. (2005), equations 9 to 12; Halfar's dome where accumulation is 0.
    Years count from the time at which the dome is 3600 m high and 750 km wide.
    """
    height, width = 3600.0, 750e3
    alpha = (2 - 4 * accumulation) / 18
    beta = (1 + 7 * accumulation) / 18
    start = beta / rheology.deformation_flux * (7 / 4) ** 3 * width**4 / height**7
    t = (years + start) / start
    inner = np.maximum(1 - (radius / width * t**-beta) ** (4 / 3), 0)
    return height * t**-alpha * inner ** (3 / 7), years + start


def grid(n, half=1.2e6):
    """Distances from the centre of n x n cells."""
    x = np.linspace(-half, half, n)
    return np.hypot(x, x[:, np.newaxis]), x[1] - x[0]


def spread(n, duration, accumulation):
    """Solve for *duration* years; return the thickness and the true one."""
    radius, cell_size = grid(n)
    thickness, _ = similarity(radius, 0.0, accumulation)
    n_steps = 2 * n
    years = duration / n_steps
    for k in range(n_steps):
        _, age = similarity(radius, k * years, accumulation)
        balance = accumulation * thickness / age
        thickness, _ = step(
            thickness, np.zeros_like(radius), balance, cell_size, years, ICE_SHEET
        )
    return thickness, similarity(radius, duration, accumulation)[0]


@pytest.mark.parametrize(
    ("accumulation", "duration", "largest_error"),
    [(0.0, 2000.0, 12.0), (5.0, 1000.0, 16.0)],
    ids=["halfar", "accumulating"],
)
def test_similarity_solutions(accumulation, duration, largest_error):
    """The mean error is a few metres of 3600, and falls with the cell's size."""
    errors = []
    for n in (31, 61, 121):
        thickness, true = spread(n, duration, accumulation)
        errors.append(np.abs(thickness - true)[true > 0].mean())
    assert errors[2] < largest_error
    # the margin is a singularity of the slope: first order, no better
    assert errors[0] / errors[1] > 1.5
    assert errors[1] / errors[2] > 1.5


def test_steady_sheet():
    """A sheet with constant accumulation and ablation at its margin (test A)."""
    errors = []
    for n in (31, 91):
        radius, cell_size = grid(n, 900e3)
        width, gain = 750e3, 0.3

        balance = np.where(radius < width, gain, -1e4)
        # the flux gain r / 2 = deformation h^5 abs(h')^3, integrated from the margin
        drive = (gain / (2 * ICE_SHEET.deformation_flux)) ** (1 / 3)
        inner = np.maximum(width ** (4 / 3) - radius ** (4 / 3), 0)
        true = (2 * drive * inner) ** (3 / 8)
        thickness = true * 0.7
        for _ in range(300):
            thickness, _ = step(
                thickness,
                np.zeros_like(radius),
                balance,
                cell_size,
                100.0,
                ICE_SHEET,
            )
        away = radius < 0.8 * width
        errors.append(np.abs(thickness - true)[away].max() / true.max())
    assert errors[1] < 0.01
    assert errors[0] / errors[1] > 2


def test_mass_is_conserved():
    """On a rough, steep bed the volume grows by the balance applied, to rounding."""
    rng = np.random.default_rng(0)
    x = np.arange(40) * 100.0
    bed = 3500 - 0.6 * x + 80 * rng.standard_normal((30, 40))
    balance = np.where(bed > 2500, 2.0, -6.0)
    thickness = np.zeros_like(bed)
    for years in (0.1, 1.0, 5.0, 20.0) * 5:
        after, applied = step(thickness, bed, balance, 100.0, years, Rheology())
        assert after.min() >= 0
        assert_allclose(
            after.sum(), thickness.sum() + applied.sum(), rtol=0, atol=1e-8
        )  # sums of 1200 cells of up to some 100 m
        assert np.all(applied >= balance * years - 1e-6)
        thickness = after
    assert thickness.max() > 10


def test_turned_region_gives_turned_ice():
    """Rows and columns are treated alike."""
    rng = np.random.default_rng(1)
    bed = 3000 + 100 * rng.standard_normal((20, 14))
    balance = np.full_like(bed, 1.0)
    a = b = 50 + 20 * rng.random(bed.shape)
    for _ in range(5):
        a, _ = step(a, bed, balance, 50.0, 1.0, Rheology())
        b = step(np.rot90(b), np.rot90(bed), balance.T, 50.0, 1.0, Rheology())[0]
        b = np.rot90(b, -1)
    assert_allclose(a, b, rtol=1e-9)


def test_slab_velocity():
    """On an inclined slab the speed is that of the closed formula, down the slope."""
    x = np.arange(12) * 50.0
    bed = 3000.0 - 0.2 * x + np.zeros((10, 1))
    east, north = surface_velocity(np.full_like(bed, 150.0), bed, 50.0, Rheology())
    stress = WEIGHT * 150 * 0.2
    speed = (2 * 2.4e-24 / 4 * stress**3 * 150 + 5.7e-20 * stress**3 / 150) * (
        SECONDS_PER_YEAR
    )
    assert_allclose(east, speed, rtol=1e-12)
    assert_allclose(north, 0.0, atol=1e-9)


def test_no_ice_and_no_snow():
    """Bare ground stays bare, and moves nowhere."""
    bed = np.ones((4, 5))
    bare = np.zeros_like(bed)
    thickness, imbalance = grow(
        bare, bed, lambda surface: surface * 0 - 1.0, 50.0, 10.0, Rheology()
    )
    assert not thickness.any()
    assert imbalance == 0.0
    assert not np.hypot(*surface_velocity(bare, bed, 50.0, Rheology())).any()
