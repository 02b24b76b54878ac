"""Features that touch what networks learnt from."""

import shapely

from glacier_inversion.reporting.neighbours import count_apart, find_near_training

BOXES = {
    "a": (0, 0, 1, 1),
    "along": (1, 0, 2, 1),
    "corner": (2, 1, 3, 2),
    "around": (10, 0, 12, 2),
    "within": (11, 1, 12, 2),
    "alone": (20, 0, 21, 1),
}
OUTLINES = {feature: shapely.box(*box) for feature, box in BOXES.items()}


def test_each_outline_that_touches_another_counts_once():
    "Along a side, at a corner, one in the other; not by themselves."
    trained = {feature: [*OUTLINES] for feature in OUTLINES}
    near = find_near_training(OUTLINES, trained)
    assert near == ["a", "along", "corner", "around", "within"]
    assert find_near_training({}, {}) == []


def test_what_was_not_learnt_from_does_not_count():
    "As neighbours that are held out together; nor what has no outline here."
    trained = {"a": ["corner"], "along": ["corner"], "within": [], "other": ["a"]}
    assert find_near_training(OUTLINES, trained) == ["along"]


def test_what_touches_through_another_stays_together():
    assert count_apart([*OUTLINES.values()]) == 3
    bridge = shapely.box(2.5, 1, 11, 1.5)
    assert count_apart([*OUTLINES.values(), bridge]) == 2
    assert count_apart([OUTLINES["alone"]]) == 1
