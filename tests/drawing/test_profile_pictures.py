"""Pictures of profiles: the curves are the numbers, and everything has its place."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from glacier_inversion.drawing.profile_pictures import (
    ProfileLine,
    draw_lines,
    encode_png,
)

STEP = 25.0


def line_of(mean, features="east", number=0, n_members=3, **changes):
    """Return a line with these means, members around them, and a spread."""
    mean = np.array(mean, dtype="f4")
    distance = STEP * np.arange(len(mean))
    offsets = np.arange(n_members, dtype="f4")[:, None] - (n_members - 1) / 2
    of_places = features if isinstance(features, list) else [features] * len(mean)
    line = ProfileLine(
        number,
        distance,
        np.array(of_places, dtype=object),
        mean + 10 * offsets,
        mean,
        distance[1:3],
        np.array([48, 52], dtype="f4"),
        std=0 * mean + 10,
    )
    return replace(line, **changes)


def calibrated(line):
    """Return a line with intervals of 20 and 60 to both sides."""
    edges = {"lower68": -20, "upper68": 20, "lower95": -60, "upper95": 60}
    own = {name: line.mean + np.float32(width) for name, width in edges.items()}
    return replace(line, intervals=own, std=None)


def curves(axis):
    """Return the lines of a panel by their labels."""
    return {curve.get_label(): curve for curve in axis.lines}


def bands(axis):
    """Return the filled areas of a panel by their labels."""
    return {
        area.get_label(): area
        for area in axis.collections
        if not area.get_label().startswith("_")
    }


def legend_of(figure):
    """Return what the legend says."""
    return [text.get_text() for own in figure.legends for text in own.get_texts()]


MEAN = [100, 120, np.nan, np.nan, 140, 150, 130]


def test_curves_are_broken_where_nothing_is_drawn():
    "Mean, members and both bands; what was observed is there all the same."
    line = calibrated(line_of(MEAN))
    (axis,) = draw_lines([line], "a", "b (m)").axes
    drawn = curves(axis)
    x, y = drawn["mean of 3 members"].get_data()
    np.testing.assert_array_equal(x, line.distance)
    np.testing.assert_array_equal(y, line.mean)
    of_members = [c for c in axis.lines if np.array_equal(c.get_xdata(), x)][:3]
    for curve, member in zip(of_members, line.members, strict=True):
        np.testing.assert_array_equal(curve.get_ydata(), member)
    assert drawn["observed"].get_xydata().tolist() == [[25, 48], [50, 52]]
    names = [
        "95 % interval, calibrated (nominal)",
        "68 % interval, calibrated (nominal)",
    ]
    assert list(bands(axis)) == names
    for name, half in zip(names, (60, 20), strict=True):
        areas = bands(axis)[name].get_paths()
        assert len(areas) == 2  # one on each side of the gap
        corners = {tuple(p) for area in areas for p in area.vertices.tolist()}
        for place, mean in zip(line.distance, line.mean, strict=True):
            for edge in (mean - half, mean + half):
                assert ((place, edge) in corners) is bool(np.isfinite(mean))


def test_a_place_between_gaps_is_marked():
    "A curve through one place would not be seen."
    line = calibrated(line_of([100, 110, np.nan, 77, np.nan, 120, 130]))
    (axis,) = draw_lines([line], "a", "b").axes
    dots = [c for c in axis.lines if c.get_marker() == "o" and len(c.get_xdata()) == 1]
    assert [dot.get_xydata().tolist() for dot in dots] == [[[75, 77]]]
    bars = [
        segment.tolist()
        for area in axis.collections
        if hasattr(area, "get_segments")
        for segment in area.get_segments()
    ]
    assert bars == [[[75, 17], [75, 137]], [[75, 57], [75, 97]]]


def test_without_calibration_the_spread_is_shown_and_says_so():
    "One member has none."
    figure = draw_lines([line_of(MEAN)], "a", "b")
    label = "mean ± 1 std: spread of members, no calibration"
    assert legend_of(figure) == [label, "members", "mean of 3 members", "observed"]
    corners = bands(figure.axes[0])[label].get_paths()[0].vertices.tolist()
    assert [0, 90] in corners
    assert [0, 110] in corners
    alone = line_of(MEAN, n_members=1, std=np.full(7, np.nan, "f4"))
    assert legend_of(draw_lines([alone], "a", "b")) == ["the one member", "observed"]


def test_a_bed_is_below_its_surface():
    "Which is broken where it is not known."
    surface = np.array([200, 210, 220, np.nan, 240, 250, 260], dtype="f4")
    line = line_of(MEAN, surface=surface)
    (axis,) = draw_lines([line], "a", "b").axes
    np.testing.assert_array_equal(curves(axis)["surface"].get_ydata(), surface)


@pytest.mark.parametrize(
    ("n_places", "unit", "last"), [(81, "m", 2000), (82, "km", 2.025)]
)
def test_distances_are_in_metres_or_kilometres(n_places, unit, last):
    "As each line asks for; the labels say which."
    lines = [line_of([50] * n_places), line_of([50] * 9, number=1)]
    figure = draw_lines(lines, "title", "thickness (m)", "note")
    first, second = figure.axes
    assert curves(first)["mean of 3 members"].get_xdata()[-1] == pytest.approx(last)
    assert second.get_xlabel() == "distance along the line (m)"
    # below the last panel, and below each where they differ
    above = "" if unit == "m" else "distance along the line (km)"
    assert first.get_xlabel() == above
    assert first.get_ylabel() == "thickness (m)"
    assert [axis.get_title("left") for axis in (first, second)] == ["line 0", "line 1"]
    assert [text.get_text() for text in figure.texts] == ["title\nnote"]


def test_amounts_begin_at_zero_and_elevations_do_not():
    "Amounts that come near it: 0 is part of what they say."
    (axis,) = draw_lines([line_of([10, 40, 200])], "a", "b").axes
    assert axis.get_ylim()[0] == 0
    (axis,) = draw_lines([line_of([2000, 2040, 2200], observed=[])], "a", "b").axes
    assert axis.get_ylim()[0] > 1900


def names_of(axis):
    """Return the names of features in a panel."""
    return [text.get_text() for text in axis.texts]


@pytest.mark.parametrize("n_lines", [1, 5])
def test_names_and_the_legend_fit(n_lines):
    "No two names lie on each other, and nothing is cut off."
    features = [f"RGI2000-v7.0-G-11-{i // 40:05d}" for i in range(100)]
    features[40:50] = [""] * 5 + ["a name that does not fit"] * 5
    surface = np.full(100, 200, dtype="f4")
    line = calibrated(line_of([100] * 100, features, surface=surface))
    figure = draw_lines([line] * n_lines, "a", "b (m)")
    figure.draw_without_rendering()
    for axis in figure.axes:
        boxes = [text.get_window_extent() for text in axis.texts]
        names = [text.get_text() for text in axis.texts]
        assert "a name that does not fit" not in names
        assert names[0] == features[0]
        assert len(names) == (2 if n_lines == 1 else 1)
        for before, after in pairwise(boxes):
            assert before.x1 < after.x0
        assert axis.bbox.x0 <= boxes[0].x0
        assert boxes[-1].x1 <= axis.bbox.x1
    assert len(legend_of(figure)) == 6
    box = figure.legends[0].get_window_extent()
    assert 0 <= box.x0 < box.x1 <= figure.bbox.x1


def test_features_are_marked_where_a_line_enters_and_leaves():
    "Half-way between places; a name is not repeated behind a nunatak."
    features = ["", "", *["$a_$"] * 20, "", *["$a_$"] * 20, *["west"] * 20, "", ""]
    line = line_of([100] * len(features), features)
    (axis,) = draw_lines([line], "a", "b").axes
    marks = sorted(c.get_xdata()[0] for c in axis.lines if c.get_linestyle() == ":")
    assert sorted(set(marks)) == [STEP * (i - 0.5) for i in (2, 22, 23, 43, 63)]
    assert names_of(axis) == ["$a_$", "west"]
    assert not any(text.get_parse_math() for text in axis.texts)


def test_a_line_along_which_nothing_is_drawn_says_so():
    "Beside others, and alone."
    nothing = calibrated(line_of([np.nan] * 4, "", observed_distance=[], observed=[]))
    figure = draw_lines([nothing], "a", "b")
    assert names_of(figure.axes[0]) == ["nothing is drawn along this line"]
    assert legend_of(figure) == []
    assert not len(figure.axes[0].get_yticks())
    figure = draw_lines([nothing, calibrated(line_of(MEAN))], "a", "b")
    assert "observed" in legend_of(figure)


@pytest.mark.parametrize("n_places", [1, 2])
def test_a_line_of_few_places_is_drawn(n_places):
    "Without a warning."
    line = calibrated(line_of([100.0] * n_places, observed_distance=[], observed=[]))
    figure = draw_lines([line], "a", "b")
    low, high = figure.axes[0].get_xlim()
    assert low < 0 <= STEP * (n_places - 1) < high
    assert encode_png(figure).startswith(b"\x89PNG")


def test_the_same_lines_make_the_same_bytes():
    "No time or version is in a file."
    lines = [calibrated(line_of(MEAN)), line_of(MEAN, number=3)]
    one, other = (encode_png(draw_lines(lines, "a", "b")) for _ in range(2))
    assert one == other
    assert b"Software" not in one


def test_a_name_in_letters_that_the_font_lacks_is_no_warning():
    "As of glaciers in China."
    figure = draw_lines([line_of(MEAN, "\u7941\u8fde")], "a", "b")
    assert encode_png(figure).startswith(b"\x89PNG")
