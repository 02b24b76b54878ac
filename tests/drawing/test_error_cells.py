"""What the errors of neighbours share, against the plain double loop."""

import json

import numpy as np
import pytest
import shapely

from glacier_inversion.drawing.error_cells import (
    ErrorCells,
    find_touching,
    shared_by_neighbours,
)
from glacier_inversion.grid import Grid
from glacier_inversion.training.model.covariogram import Covariogram

OWN = Covariogram(nugget=0.2, partial_sill=0.7, length=300.0, plateau=0.1, common=0.0)


def feature(left, top, shape, resolution=50.0, seed=0):
    """A map of a feature, its cells, and its pixels: x, y and the size of errors."""
    rng = np.random.default_rng(seed)
    grid = Grid(left, top, resolution, *shape)
    rows, cols = np.nonzero(rng.random(shape) < 0.8)
    size = rng.uniform(10, 60, len(rows))
    cells = ErrorCells.of_map(grid)
    half = len(rows) // 2  # block by block
    for part in (slice(0, half), slice(half, None)):
        cells.add(grid, rows[part], cols[part], size[part])
    return cells, (grid.x(cols), grid.y(rows), size)


def pair_by_pair(features, weights):
    """Add up what all pairs of pixels of different features share."""
    total = 0.0
    for i, (_, (x, y, size)) in enumerate(features):
        for j, (_, (other_x, other_y, other)) in enumerate(features):
            if i != j:
                apart = np.hypot(x[:, None] - other_x, y[:, None] - other_y)
                shared = OWN.near(apart)
                total += weights[i] * weights[j] * (size @ shared @ other)
    return total


@pytest.mark.parametrize("corner", [0.0, 25.0])  # of the pixels, as of even patches
def test_it_is_the_sum_over_all_pairs_of_pixels_of_different_features(corner):
    "Of one pixel a cell exactly; gaps and overlaps of the maps included."
    features = [
        feature(420_000 + corner, 5_150_000 + corner, (12, 14), seed=0),
        feature(420_550 + corner, 5_150_100 + corner, (15, 9), seed=1),
        feature(419_000 + corner, 5_149_000 + corner, (8, 8), seed=2),
    ]
    weights = [2500.0, 2400.0, 2600.0]
    found = shared_by_neighbours([one for one, _ in features], weights, OWN)
    assert found == pytest.approx(pair_by_pair(features, weights), rel=1e-12)


def test_large_features_are_kept_in_few_cells():
    "Of a small and a large one, in which errors differ from place to place."
    features = [
        feature(420_000, 5_150_000, (90, 60), seed=0),
        feature(423_000, 5_150_000, (12, 10), seed=1),
    ]
    assert [one.n_px for one, _ in features] == [4, 1]
    assert all(one.sums.size <= 1024 for one, _ in features)
    found = shared_by_neighbours([one for one, _ in features], [1.0, 1.0], OWN)
    assert found == pytest.approx(pair_by_pair(features, [1.0, 1.0]), rel=0.05)


def test_a_wide_region_is_laid_into_coarser_cells(monkeypatch):
    "And what is shared is as well known as errors within a cell are alike."
    features = [
        feature(420_000, 5_150_000, (16, 12), seed=0),
        feature(420_600, 5_150_000, (16, 12), seed=1),
    ]
    own = [one for one, _ in features]
    exact = shared_by_neighbours(own, [1.0, 1.0], OWN)
    monkeypatch.setattr("glacier_inversion.drawing.error_cells._MOST_OF_ALL", 100)
    assert shared_by_neighbours(own, [1.0, 1.0], OWN) == pytest.approx(exact, rel=0.05)


def test_far_features_share_nothing():
    "No more than rounding."
    far = [feature(420_000, 5_150_000, (9, 9)), feature(460_000, 5_120_000, (9, 9))]
    found = shared_by_neighbours([one for one, _ in far], [1.0, 1.0], OWN)
    size = far[0][1][2].sum()
    assert 0 <= found < 1e-9 * size**2


@pytest.mark.parametrize("resolution", [25.0, 50.0, 12.5, 10.0, 100.0])
def test_pixels_of_neighbours_lie_on_one_lattice(resolution):
    "Wherever a map begins, at a pixel's edge, centre, or, drawn coarsely, between."
    for number in (-3, -2, -1, 0, 1, 7):
        for part in (0, 0.5, 0.25, 0.375):
            places = [(number + step + part) * resolution for step in (0, 1)]
            first, second = (
                ErrorCells.of_map(Grid(place, place, resolution, 2, 2))
                for place in places
            )
            assert second.col - first.col == first.row - second.row == 1


def test_it_is_read_as_it_was_written():
    "Exactly, so that a total does not depend on which run drew what."
    cells, _ = feature(420_000, 5_150_000, (40, 30))
    rounded = cells.rounded()
    again = ErrorCells.from_json(json.loads(json.dumps(rounded.to_json())))
    assert vars(again) | {"sums": None} == vars(cells) | {"sums": None}
    assert (again.sums == rounded.sums).all()
    np.testing.assert_allclose(again.sums, cells.sums, atol=5e-4)


def test_outlines_touch_at_a_point_and_within_a_pixel():
    "Each pair once, and none with itself."
    outlines = [
        shapely.box(0, 0, 100, 100),
        shapely.box(100, 100, 200, 200),
        shapely.box(230, 100, 300, 200),
        shapely.box(900, 900, 950, 950),
    ]
    assert find_touching(outlines, 0.0) == [(0, 1)]
    assert find_touching(outlines, 50.0) == [(0, 1), (1, 2)]
