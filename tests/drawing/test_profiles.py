"""Profiles: the pixels that a line crosses."""

import csv

import fiona
import pytest
import shapely

from tests import synthetic
from tests.drawing.helpers import read
from tests.helpers import copy_of


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
    # two maps, their mosaics and layers, the overview, and the holes
    assert len(result.stdout.splitlines()) == (7 if exit_code == 3 else 0)


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
