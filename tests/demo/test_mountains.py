"""Mountains and the ice that grows on them."""

import numpy as np
from numpy.testing import assert_allclose

from glacier_inversion.demo.ice_flow import step
from glacier_inversion.demo.mountains import Climate, build_mountains, grow_ice
from glacier_inversion.demo.rheology import Rheology


def test_ice_is_steady_and_away_from_the_border(coarse):
    "What accumulates melts, and none of it leaves the region."
    mountains, thickness, imbalance, _, _ = coarse
    assert imbalance < 0.02
    balance = Climate(mountains)(mountains.bed + thickness)
    _, applied = step(thickness, mountains.bed, balance, 200.0, 1.0, Rheology())
    assert abs(applied.sum()) < 0.02 * applied[applied > 0].sum()
    border = np.ones_like(thickness, dtype=bool)
    border[3:-3, 3:-3] = False
    assert not thickness[border].any()
    assert thickness.max() > 150


def test_same_seed_same_mountains():
    "The region is a function of its seed."
    assert_allclose(build_mountains(3, 400.0).bed, build_mountains(3, 400.0).bed)
    assert np.ptp(build_mountains(3, 400.0).bed - build_mountains(4, 400.0).bed) > 100


def test_larger_mountains_bear_thicker_ice():
    "At least by the power 4/5 that Glen's law gives; as high, with gentler slopes."
    small = build_mountains(1, 400.0)
    large = small.stretched(2.0, (1000.0, 2000.0))
    assert large.corner == (1000.0, 2000.0)
    assert large.cell_size == 800.0
    assert_allclose(large.floors[3], 2 * small.floors[3])
    assert_allclose(large.coarser(2).bed, small.coarser(2).bed)
    assert large.coarser(2).corner == large.corner
    thickest = [grow_ice(m, Rheology())[0].max() for m in (small, large)]
    assert thickest[1] > 2**0.8 * thickest[0]


class Heard:
    """Hears of one stage."""

    n_steps = 0

    def start(self, stage, total, unit):
        """Keep what is said."""
        self.said = stage, total, unit

    def advance(self, note=""):
        """Count."""
        self.n_steps += 1


def test_growth_tells_how_far_it_is():
    "In a hundred steps, whether the ice is steady early or never."
    for seed in (0, 1):
        heard = Heard()
        grow_ice(build_mountains(seed, 400.0), Rheology(), heard)
        assert heard.said == ("growing the ice", 100, "percent")
        assert heard.n_steps == 100
