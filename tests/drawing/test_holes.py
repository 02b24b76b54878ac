"""Holes of maps are counted, by cause, as a plain loop over the pixels does."""

import csv
import logging

import numpy as np
import pytest
import rasterio
import shapely

from glacier_inversion.dataset.opened import open_dataset
from glacier_inversion.drawing.holes import Holes, tell_holes
from glacier_inversion.experiment.experiment import check_experiment
from glacier_inversion.patches.lattice import Layout, to_lattice
from glacier_inversion.workspace import Workspace
from tests import synthetic
from tests.drawing.helpers import read
from tests.helpers import copy_of


@pytest.fixture(scope="module")
def gappy(finished, tmp_path_factory):
    """The region with a small buffer, and with inputs that lack parts of it."""
    run = copy_of(finished, tmp_path_factory.mktemp("holes"))
    data = run.root / "data"
    for name, rows, cols in (
        ("slope.tif", slice(78, 96), slice(60, 84)),
        ("speed.tif", slice(45, 60), slice(50, 58)),
    ):
        with rasterio.open(data / name, "r+") as dst:
            values = dst.read(1)
            values[rows, cols] = synthetic.NODATA
            dst.write(values, 1)
    run.raw["dataset_description"]["buffer_distance"] = 80
    run.raw["drawing_description"] |= {"features": "all", "profiles": []}
    run.write()
    assert run("build-dataset").exit_code == 0
    return run


def counted_one_by_one(run, feature, spacing):
    """Look at each point of the lattice of a spacing that is in the outline."""
    checked = check_experiment(run.raw, "exp")
    dataset = open_dataset(checked, Workspace(run.root))
    outline, layout = dataset.outlines[feature], Layout.of(checked)
    tile = dataset.grid(feature, layout.resolution)
    part = to_lattice(dataset.read_tiles(checked, feature), layout)
    counts = dict.fromkeys(
        ("pixels", "drawn", "beyond_tile", "lacking_slope", "lacking_speed"), 0
    )
    left, bottom, right, top = outline.bounds
    half = layout.window_px // 2 * layout.resolution
    # windows of even sides have their centres on the corners of pixels
    for x in np.arange(left // spacing * spacing, right + spacing, spacing):
        for y in np.arange(bottom // spacing * spacing, top + spacing, spacing):
            if not shapely.contains_xy(outline, x, y):
                continue
            counts["pixels"] += 1
            window = shapely.box(x - half, y - half, x + half, y + half)
            if not shapely.box(*tile.bounds).covers(window):
                counts["beyond_tile"] += 1
                continue
            col = round((x - half - tile.left) / layout.resolution)
            row = round((tile.top - y - half) / layout.resolution)
            valid = {}
            for name, factor in layout.images.items():
                reach = (layout.patch_px(name) - 1) * factor + 1
                patch = part.images[name][row : row + reach, col : col + reach]
                share = np.isfinite(patch[::factor, ::factor]).mean()
                valid[name] = share >= layout.min_valid
                counts[f"lacking_{name}"] += not valid[name]
            counts["drawn"] += all(valid.values())
    return counts


@pytest.mark.parametrize("clips", [True, False])
@pytest.mark.parametrize("resolution", [50, 100])
def test_every_pixel_is_counted_by_what_became_of_it(
    gappy, tmp_path, clips, resolution
):
    "For all features; what is drawn beyond the outline does not matter."
    run = copy_of(gappy, tmp_path)
    run.raw["drawing_description"] |= {
        "clip_to_outline": clips,
        "resolution": float(resolution),
    }
    run.write()
    result = run("draw")
    assert result.exit_code == 0
    table = run.root / "drawings/small/holes.csv"
    assert str(table) in result.stdout
    with table.open(encoding="utf-8") as text:
        rows = {row.pop("feature"): row for row in csv.DictReader(text)}
    for row in rows.values():  # all of them, as they are few
        assert row.pop("compared") == row["drawn"]
        del row["unlike_training"]
    expected = {
        feature: counted_one_by_one(run, feature, resolution) for feature in rows
    }
    assert rows == {
        feature: {key: str(n) for key, n in counts.items()}
        for feature, counts in expected.items()
    }
    assert list(rows) == [properties["id"] for properties, _ in synthetic.FEATURES]
    total = {
        key: sum(counts[key] for counts in expected.values())
        for key in expected["south"]
    }
    assert all(total.values())  # every cause is there
    if clips:
        for feature, counts in expected.items():
            drawn = read(table.parent / feature / "thickness_mean.tif")[0]
            assert np.isfinite(drawn).sum() == counts["drawn"]
    for feature, counts in expected.items():
        n_missing = counts["pixels"] - counts["drawn"]
        said = f"{feature}: {n_missing:,} of {counts['pixels']:,} pixels are not drawn"
        assert said in result.stderr


def test_a_map_without_holes_is_not_told(finished):
    "But it has its row in the table."
    text = (finished.root / "drawings/small/holes.csv").read_text()
    header, row = text.splitlines()
    assert header == (
        "feature,pixels,drawn,beyond_tile,lacking_slope,lacking_speed,"
        "compared,unlike_training"
    )
    name, n_pixels, n_drawn, *causes, n_compared, _ = row.split(",")
    assert name == "south"
    assert n_pixels == n_drawn == n_compared
    assert causes == ["0", "0", "0"]


def test_pixels_without_a_surface_are_counted_beside(gappy, tmp_path):
    "They are drawn, but the bed is not."
    run = copy_of(gappy, tmp_path)
    bed = {"surface": "slope", "thickness": "thickness"}  # has gaps
    run.raw["drawing_description"] |= {"bed": bed, "features": ["south"]}
    run.write()
    assert run("draw").exit_code == 0
    folder = run.root / "drawings/small"
    (row,) = csv.DictReader((folder / "holes.csv").read_text().splitlines())
    drawn, beds = (
        np.isfinite(read(folder / f"south/{name}_mean.tif")[0]).sum()
        for name in ("thickness", "thickness_bed")
    )
    assert int(row["drawn"]) == drawn
    assert int(row["without_bed"]) == drawn - beds > 0


TOLD = [
    (Holes("a", 10, 10, 0, {"slope": 0}), None, ""),
    (
        Holes("a", 1200, 1100, 60, {"slope": 40, "speed": 0}),
        "INFO",
        "a: 100 of 1,200 pixels are not drawn: for 60 the window reaches beyond the "
        "tile (a larger buffer_distance would do), for 40 the window has too few valid "
        "pixels of 'slope' (min_valid)",
    ),
    (
        Holes("a", 12, 5, 0, {"slope": 7, "speed": 6}),
        "WARNING",
        "a: 7 of 12 pixels are not drawn: for 7 the window has too few valid pixels of "
        "'slope' (min_valid), for 6 the window has too few valid pixels of 'speed' "
        "(min_valid)",
    ),
    (
        Holes("a", 12, 0, 12, {"slope": 0}),
        "WARNING",
        "a: nothing could be drawn: for 12 the window reaches beyond the tile (a larger "
        "buffer_distance would do)",
    ),
    (
        Holes("a", 0, 0, 0, {"slope": 0}),
        "WARNING",
        "a: nothing could be drawn: no pixel has its centre inside the outline",
    ),
]


@pytest.mark.parametrize(("holes", "level", "line"), TOLD)
def test_causes_are_told_in_a_line(caplog, holes, level, line):
    "A warning where most of the map is missing."
    with caplog.at_level(logging.INFO):
        tell_holes(holes)
    said = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert said == ([(level, line)] if level else [])
