"""Styles: colours of QGIS's layers and one nice range for all of them."""

from pathlib import Path
from xml.etree import ElementTree as ET

import matplotlib as mpl
import numpy as np
import pytest

from glacier_inversion.drawing.styles import (
    colours_of,
    common_range,
    nice_range,
    ranges_of,
    read_extremes,
    write_style,
)
from glacier_inversion.geodata.geotiffs import read_tile
from glacier_inversion.geodata.tile_files import write_tile
from glacier_inversion.grid import Grid
from tests.helpers import copy_of


@pytest.mark.parametrize(
    ("statistic", "name"),
    [
        ("std", "magma"),
        ("q05", "viridis"),
        ("uncertainty", "magma"),
        ("lower95", "viridis"),
    ],
)
def test_colours_are_those_of_matplotlib(statistic, name):
    "At equal steps, to the last bit."
    wanted = [mpl.colors.to_hex(mpl.colormaps[name](i / 8)) for i in range(9)]
    assert colours_of(statistic) == wanted


def write_map(path, values):
    """Write a map of these values, a row."""
    row = np.array([values], dtype="float32")
    write_tile(path, row, Grid(0, 0, 10, *row.shape), 32632, {})
    return path


def test_one_range_holds_all_maps_and_only_their_numbers(tmp_path):
    "A map of NaN, and infinities, say nothing."
    paths = [
        write_map(tmp_path / "a.tif", [np.nan, 12.5, np.inf]),
        write_map(tmp_path / "b.tif", [np.nan, 287.9]),
        write_map(tmp_path / "c.tif", [np.nan, np.nan]),
    ]
    read = list(map(read_extremes, paths))
    assert read == [(12.5, 12.5), (np.float32(287.9), np.float32(287.9)), None]
    assert common_range(read) == (0.0, 300.0)
    assert common_range(read[1:2]) == (287.0, 288.0)
    assert common_range(read[1:2], from_zero=True) == (0.0, 300.0)
    assert common_range(read[2:]) == common_range([]) == (0.0, 1.0)


@pytest.mark.parametrize("scale", [1e-7, 1, 1e9])
def test_ranges_hold_what_they_are_of(scale):
    "Whatever the size and the sign: at most a step wider on each side."
    rng = np.random.default_rng(0)
    for lowest, highest in np.sort(rng.normal(0, scale, (200, 2))).tolist():
        low, high = nice_range(lowest, highest)
        assert low <= lowest < highest <= high
        assert high - low <= 2 * (highest - lowest)


def test_bounds_take_no_colours_from_the_mean():
    "They have its range; without it, one that holds them."
    mean, upper, std = (Path(f"{name}.tif") for name in ("mean", "upper95", "std"))
    extremes = {mean: (0.0, 290.0), upper: (3.0, 980.0), std: (1.0, 40.0)}
    of_upper = {("thickness", "upper95"): [upper]}
    assert ranges_of(of_upper, extremes) == {("thickness", "upper95"): (0.0, 1000.0)}
    maps = {("thickness", "mean"): [mean], ("thickness", "std"): [std], **of_upper}
    assert ranges_of(maps, extremes) == {
        ("thickness", "mean"): (0.0, 300.0),
        ("thickness", "std"): (0.0, 40.0),
        ("thickness", "upper95"): (0.0, 300.0),
    }


def test_a_style_says_range_and_colours(tmp_path):
    "The ends of the range have the first and the last colour."
    path = write_style(tmp_path / "thickness_mean.tif", "mean", (0.0, 300.0))
    assert path == tmp_path / "thickness_mean.qml"
    style = ET.fromstring(path.read_bytes())
    items = style.findall(".//item")
    assert [(items[i].get("value"), items[i].get("color")) for i in (0, 8)] == [
        ("0.0", "#440154"),
        ("300.0", "#fde725"),
    ]
    renderer = style.find(".//rasterrenderer")
    assert renderer.get("classificationMax") == "300.0"


def test_all_features_of_a_run_have_one_range(finished, tmp_path):
    "It holds every pixel of them; that of the standard deviation begins at 0."
    run = copy_of(finished, tmp_path)
    run.raw["drawing_description"]["features"] = ["south", "east"]
    run.write()
    assert run("draw").exit_code == 0
    for statistic in ("mean", "std"):
        ranges, values = set(), []
        for feature in ("south", "east"):
            path = run.root / f"drawings/small/{feature}/thickness_{statistic}.tif"
            style = ET.fromstring(path.with_suffix(".qml").read_bytes())
            renderer = style.find(".//rasterrenderer")
            ends = ("classificationMin", "classificationMax")
            ranges.add(tuple(float(renderer.get(end)) for end in ends))
            values.append(read_tile(path).ravel())
        ((low, high),) = ranges
        drawn = np.concatenate(values)
        assert low <= np.nanmin(drawn) < np.nanmax(drawn) <= high
        assert statistic == "mean" or low == 0
