"""Profiles: the pixels that a line crosses."""

import csv

import fiona
import numpy as np
import pytest
import shapely

from glacier_inversion.drawing import profiles
from tests import synthetic
from tests.drawing.helpers import by_patches, calibrate, read
from tests.helpers import copy_of, edit_json


def test_profiles_hold_the_pixels_that_the_line_crosses(finished):
    "Every 50 m: distance, place, feature, mean, std, and the target where it is known."
    path = finished.root / "drawings/small/profiles/along_thickness.csv"
    with path.open() as file:
        rows = list(csv.DictReader(file))
    with fiona.open(finished.root / "data/profiles/along.shp") as src:
        line = shapely.geometry.shape(next(iter(src)).geometry)
    assert len(rows) == int(line.length // 50) + 1
    mean, transform = read(finished.root / "drawings/small/south/thickness_mean.tif")
    std, _ = read(finished.root / "drawings/small/south/thickness_std.tif")
    outline = synthetic.FEATURES[-1][1]
    n_targets = 0
    for i, row in enumerate(rows):
        assert float(row["distance"]) == 50.0 * i
        point = line.interpolate(50.0 * i)
        assert (float(row["x"]), float(row["y"])) == pytest.approx((point.x, point.y))
        if not outline.contains(point):
            assert row["feature"] == row["mean"] == row["target"] == ""
            continue
        assert row["feature"] == "south"
        col, line_row = (int(k) for k in ~transform * (point.x, point.y))
        assert float(row["mean"]) == pytest.approx(mean[line_row, col], rel=1e-4)
        assert float(row["std"]) == pytest.approx(std[line_row, col], abs=1e-2)
        if row["target"]:
            n_targets += 1
            truth = synthetic.thickness_m(point.x, point.y)
            assert float(row["target"]) == pytest.approx(truth, abs=6)
    assert 0 < n_targets < len(rows)
    assert any(row["feature"] == "" for row in rows)


def test_a_place_at_the_margin_has_the_value_of_its_pixel(finished, tmp_path):
    "Though the pixel's centre lies beyond the outline's bounds."
    run = copy_of(finished, tmp_path)
    outline = synthetic.FEATURES[-1][1]
    left, bottom, _, top = outline.bounds
    assert left % 50 < 25  # the first pixel centre within lies more than half on
    middle = (bottom + top) / 2
    lines = [
        [(left + inset, middle), (left + inset, middle - 200)]
        for inset in (1.0, 6.0, 11.0)
    ]
    synthetic.write_lines(run.root / "data/profiles/along.shp", lines)
    assert run("draw").exit_code == 0
    with (run.root / "drawings/small/profiles/along_thickness.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12
    assert all(row["feature"] == "south" for row in rows)
    assert all(row["mean"] for row in rows)


@pytest.mark.parametrize(
    ("end", "exit_code", "message"),
    [
        (1e12, 1, "along.shp: holds no line that can be drawn"),
        (1e300, 1, "along.shp: holds no line that can be drawn"),
        (9e7, 3, "places. Must make at most 1,000,000. Shorten it"),
    ],
)
def test_a_profile_beyond_all_measure_is_refused(
    finished, tmp_path, monkeypatch, end, exit_code, message
):
    "Before its places are laid out; features are drawn, if it is on the Earth."
    run = copy_of(finished, tmp_path)
    monkeypatch.setattr("glacier_inversion.drawing.profiles._MOST_PLACES", 1_000_000)
    line = [(synthetic.LEFT, synthetic.TOP), (end, synthetic.TOP)]
    synthetic.write_lines(run.root / "data/profiles/along.shp", [line])
    result = run("draw")
    assert result.exit_code == exit_code, result.output
    assert message in result.stderr
    # two maps, their mosaics and layers, the overview, the holes, and the volumes
    assert len(result.stdout.splitlines()) == (9 if exit_code == 3 else 0)


def test_a_profile_that_fails_does_not_stop_the_others(finished, tmp_path):
    "It is listed; exit code 3."
    run = copy_of(finished, tmp_path)
    run.raw["drawing_description"]["features"] = ["east"]
    run.write()
    (run.root / "datasets/region/south/slope.tif").unlink()
    result = run("draw")
    assert result.exit_code == 3
    assert "1 features failed: profile along" in result.stderr
    assert "east/thickness_mean.tif" in result.stdout


def drawn_lines(run, monkeypatch):
    """Draw, and return what was put into each picture, by the label of its axis."""
    shown = {}

    def remember(lines, title, label, note):
        shown[label] = lines, note
        return draw_lines(lines, title, label, note)

    draw_lines = profiles.draw_lines
    monkeypatch.setattr(profiles, "draw_lines", remember)
    result = run("draw")
    assert result.exit_code == 0, result.output
    return shown, result


def column(rows, name):
    """Return a column of a CSV file, NaN where it is empty."""
    return np.array([float(row[name] or "nan") for row in rows])


def test_a_picture_shows_the_numbers_of_the_table(finished, tmp_path, monkeypatch):
    "Mean, bounds and target, and each member as it is evaluated by patches."
    run = copy_of(finished, tmp_path)
    calibrate(run)
    bounds = ["lower68", "upper68", "lower95", "upper95"]
    run.raw["drawing_description"] |= {"features": [], "statistics": ["mean", *bounds]}
    run.write()
    shown, _ = drawn_lines(run, monkeypatch)
    ((line,), note) = shown["thickness (m)"]
    assert note == ""
    path = run.root / "drawings/small/profiles/along_thickness.csv"
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert path.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    np.testing.assert_array_equal(line.distance, column(rows, "distance"))
    assert line.features.tolist() == [row["feature"] for row in rows]
    mean = column(rows, "mean")
    assert 0 < np.isnan(mean).sum() < len(mean)
    np.testing.assert_allclose(line.mean, mean, rtol=1e-6)
    for name in bounds:
        expected = column(rows, name)
        np.testing.assert_allclose(line.intervals[name], expected, rtol=1e-6)
    target = column(rows, "target")
    is_known = np.isfinite(target)
    assert line.observed_distance.tolist() == line.distance[is_known].tolist()
    np.testing.assert_allclose(line.observed, target[is_known], rtol=1e-6)
    points, members = by_patches(run, "south")
    for i, row in enumerate(rows):
        at_row, at_col = points.index(float(row["x"]), float(row["y"]))
        expected = members[:, at_row, at_col] if row["mean"] else [np.nan, np.nan]
        np.testing.assert_allclose(line.members[:, i], expected, rtol=1e-4, atol=1e-2)


def test_intervals_are_shown_whatever_the_statistics(finished, tmp_path, monkeypatch):
    "Where the model has a calibration that fits; else the spread, with a warning."
    run = copy_of(finished, tmp_path)
    run.raw["drawing_description"] |= {"features": [], "statistics": ["q05"]}
    run.write()
    shown, result = drawn_lines(run, monkeypatch)
    ((spread,), _) = shown["thickness (m)"]
    assert not spread.intervals
    assert "calibration" not in result.stderr
    assert np.isfinite(spread.std).any()
    own = calibrate(run)
    shown, _ = drawn_lines(run, monkeypatch)
    ((line,), _) = shown["thickness (m)"]
    half = own.levels[95].factor * own.sigma(spread.std, spread.mean)
    np.testing.assert_allclose(line.intervals["upper95"], line.mean + half, rtol=1e-5)
    with (run.root / "drawings/small/profiles/along_thickness.csv").open() as file:
        header = next(csv.reader(file))
    assert header == ["line", "distance", "x", "y", "feature", "q05", "target"]
    path = run.root / "models/small/calibration.json"
    edit_json(path, lambda content: content.update(model="0123456789abcdef"))
    shown, result = drawn_lines(run, monkeypatch)
    assert not shown["thickness (m)"][0][0].intervals
    assert "is that of another model" in result.stderr
    assert "Until then profiles show the spread of the members" in result.stderr


def test_a_picture_of_many_lines_says_which_it_shows(finished, tmp_path, monkeypatch):
    "The longest within features, by their number in the table, which has all."
    run = copy_of(finished, tmp_path)
    run.raw["drawing_description"]["features"] = []
    run.write()
    with fiona.open(run.root / "data/profiles/along.shp") as src:
        line = shapely.geometry.shape(next(iter(src)).geometry)
    ends = [
        (line.interpolate(0.0), line.interpolate(100.0 + 50 * i)) for i in range(15)
    ]
    lines = [[(a.x, a.y), (b.x, b.y)] for a, b in ends]
    synthetic.write_lines(run.root / "data/profiles/along.shp", lines)
    shown, _ = drawn_lines(run, monkeypatch)
    of_picture, note = shown["thickness (m)"]
    assert [line.number for line in of_picture] == list(range(3, 15))
    assert note == "12 of 15 lines: the longest within features"
    with (run.root / "drawings/small/profiles/along_thickness.csv").open() as file:
        numbers = {int(row["line"]) for row in csv.DictReader(file)}
    assert numbers == set(range(15))
