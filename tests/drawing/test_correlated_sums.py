"""The variance of a sum of correlated errors, against the plain double loop."""

import numpy as np
import pytest

from glacier_inversion.drawing.correlated_sums import CorrelatedSum
from glacier_inversion.training.model.covariogram import Covariogram

OWN = Covariogram(nugget=0.2, partial_sill=0.7, length=300.0, plateau=0.1, common=0.0)


def pixels(shape=(31, 22)):
    """Pixels of a map with holes, and how far each may err."""
    rng = np.random.default_rng(0)
    inside = rng.random(shape) < 0.6
    inside[5:20, 4:9] = True
    rows, cols = np.nonzero(inside)
    return rows, cols, rng.uniform(10, 60, len(rows))


def pair_by_pair(rows, cols, size, resolution):
    """Add up what all pairs of pixels share."""
    variance = 0.0
    for i in range(len(rows)):
        for j in range(len(rows)):
            apart = resolution * np.hypot(rows[i] - rows[j], cols[i] - cols[j])
            shared = OWN.partial_sill * np.exp(-apart / OWN.length) + OWN.plateau
            variance += size[i] * size[j] * (shared + OWN.nugget * (i == j))
    return variance


def summed(shape, resolution, rows, cols, size, truth=50.0, **options):
    of_map = CorrelatedSum(shape, resolution, truth, **options)
    half = len(rows) // 3  # blocks come one after the other
    of_map.add(rows[:half], cols[:half], size[:half])
    of_map.add(rows[half:], cols[half:], size[half:])
    return of_map


def test_it_is_the_sum_over_all_pairs():
    "Whatever the order and the shape; nothing comes round the edge of the map."
    rows, cols, size = pixels()
    found = summed((31, 22), 50.0, rows, cols, size)
    assert found.total == pytest.approx(size.sum())
    expected = pair_by_pair(rows, cols, size, 50.0)
    assert found.variance(OWN) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("most_cells", "error"), [(200, 0.005), (40, 0.03)])
def test_large_maps_are_summed_in_cells(most_cells, error):
    "As well as the errors within a cell are alike."
    rows, cols, size = pixels()
    exact = summed((31, 22), 50.0, rows, cols, size).variance(OWN)
    coarse = summed((31, 22), 50.0, rows, cols, size, most_cells=most_cells)
    assert coarse.variance(OWN) == pytest.approx(exact, rel=error)


def test_errors_that_are_the_same_everywhere_are_summed_in_cells_exactly():
    "On a whole number of cells: the mean over their pixels is what near cells share."
    rows, cols = np.indices((24, 24)).reshape(2, -1)
    size = np.full(len(rows), 30.0)
    short = Covariogram(0.2, 0.7, 100.0, 0.1, 0.0)
    exact = summed((24, 24), 50.0, rows, cols, size).variance(short)
    coarse = summed((24, 24), 50.0, rows, cols, size, most_cells=64)
    assert coarse.variance(short) == pytest.approx(exact, rel=1e-3)


def test_on_a_finer_map_pixels_of_the_truth_have_their_own_error_together():
    "The sum over all pairs of pixels, four of which lie in each pixel of the truth."
    rows, cols, size = pixels((11, 9))
    fine = [(2 * rows[:, None] + [0, 0, 1, 1]), (2 * cols[:, None] + [0, 1, 0, 1])]
    fine_rows, fine_cols = (numbers.ravel() for numbers in fine)
    size = size.repeat(4)
    found = summed((22, 18), 25.0, fine_rows, fine_cols, size)
    truth = np.arange(len(rows)).repeat(4)
    apart = 25.0 * np.hypot(
        fine_rows[:, None] - fine_rows, fine_cols[:, None] - fine_cols
    )
    shared = OWN.partial_sill * np.exp(-apart / OWN.length) + OWN.plateau
    shared += OWN.nugget * (truth[:, None] == truth)
    assert found.variance(OWN) == pytest.approx(size @ shared @ size, rel=1e-12)


def test_a_coarser_map_stands_for_the_errors_of_all_pixels_of_the_truth():
    "The variance of the mean is that of the mean over the finer pixels."
    rows, cols = np.indices((24, 24)).reshape(2, -1)
    coarse = np.indices((8, 8)).reshape(2, -1)
    short = Covariogram(0.4, 0.5, 100.0, 0.1, 0.0)
    exact = summed((24, 24), 50.0, rows, cols, np.full(576, 30.0)).variance(short)
    found = summed((8, 8), 150.0, *coarse, np.full(64, 30.0)).variance(short)
    assert found / 64**2 == pytest.approx(exact / 576**2, rel=2e-3)


def test_a_map_smaller_than_a_pixel_of_the_truth_has_one_error():
    "However fine it is drawn."
    found = summed((1, 2), 10.0, np.zeros(2, int), np.arange(2), np.full(2, 30.0))
    alone = Covariogram(1.0, 0.0, 300.0, 0.0, 0.0)
    assert found.variance(alone) == pytest.approx(60.0**2)
