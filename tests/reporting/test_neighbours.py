"""Features that touch."""

import shapely

from glacier_inversion.reporting.neighbours import count_touching


def test_each_outline_that_touches_another_counts_once():
    "Along a side, at a corner, one in the other; not by themselves."
    boxes = [(0, 0, 1, 1), (1, 0, 2, 1), (2, 1, 3, 2), (10, 0, 12, 2), (11, 1, 12, 2)]
    alone = [(20, 0, 21, 1), (30, 0, 31, 1)]
    assert count_touching([shapely.box(*b) for b in boxes + alone]) == 5
    assert count_touching([shapely.box(*b) for b in alone]) == 0
    assert count_touching([]) == 0
