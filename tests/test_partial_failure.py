"""Some features of many are broken, each otherwise: all others are done."""

import shutil

import numpy as np
import pytest
from shapely.geometry import Polygon

from glacier_inversion.dataset import tiling
from glacier_inversion.drawing import drawing_tasks
from tests import synthetic
from tests.dataset.helpers import build
from tests.helpers import new_run

SPACING = 1500.0  # metres from a feature to the next: tiles do not meet
BROKEN = ["outline", "huge", "hole", "damaged", "vanishing"]
OUTLINE = "data/glaciers.shp: the outline"
CAUSES = {
    "outline": f"{OUTLINE} has no geometry. Must be a polygon with an area.",
    "huge": f"{OUTLINE} is 1,600,000 x 1,600,000 m large: a tile would have",
    "hole": "nothing could be drawn: for 120 the window has too few valid pixels",
    "damaged": "damaged/slope.tif: is missing or damaged. Must be as it was built",
    "vanishing": "vanishing/speed.tif: is missing or damaged. Must be as it was",
}
UNPREDICTED = "nothing can be predicted at its 120 known pixels. Must have valid"


def lay(n_features, broken):
    """Return squares in rows, eight of which teach; the last two may be broken."""
    features = []
    names = [f"whole-{number:03d}" for number in range(n_features - len(BROKEN))]
    side = int(np.ceil(np.sqrt(n_features)))
    for number, name in enumerate([*names, *BROKEN]):
        x, y = (number % side) * SPACING, (number // side) * SPACING
        outline = synthetic.box(x, y, x + 600, y + 500)
        if broken and name == "outline":
            outline = Polygon()
        if broken and name == "huge":
            outline = outline.centroid.buffer(800e3, cap_style="square")
        split = 0 if number < 4 else 1 if number < 8 else 2
        features.append(({"id": name, "train": split}, outline))
    return features


def write_data(run, n_features, hole):
    """Write rasters of the whole region, where asked for with a hole for a feature."""
    side = int(np.ceil(np.sqrt(n_features)))
    n_px = int((side + 1) * SPACING / 50)
    left, top = synthetic.LEFT, synthetic.TOP - 2900 + side * SPACING
    for name, function in (
        ("slope", synthetic.slope_deg),
        ("speed", synthetic.speed_m_per_yr),
        ("thickness", synthetic.thickness_m),
    ):
        if (run.root / f"data/{name}.tif").exists() and not hole and name != "slope":
            continue  # it is as it was
        values = synthetic.sample(function, left, top, 50.0, n_px, n_px)
        if hole and name == "slope":
            outline = {c["id"]: o for c, o in lay(n_features, False)}["hole"]
            west, south, east, north = outline.buffer(350).bounds
            rows = slice(int((top - north) / 50), int((top - south) / 50) + 1)
            cols = slice(int((west - left) / 50), int((east - left) / 50) + 1)
            values[rows, cols] = synthetic.NODATA
        synthetic.write_raster(run.root / f"data/{name}.tif", values, left, top, 50.0)


@pytest.fixture
def region(tmp_path, request):
    "A workspace with five broken features, and how many there are."
    run, n_features = new_run(tmp_path), getattr(request, "param", 20)
    run.raw.update({"epochs": 1, "seeds_number": 1})
    run.raw["drawing_description"] = {"features": "all", "models": ["small"]}
    run.write()
    synthetic.write_outlines(run.root / "data/glaciers.shp", lay(n_features, True))
    write_data(run, n_features, hole=True)
    return run, n_features


def whole_files(run, folder):
    """Return bytes and time of each file of the features that are whole."""
    return {
        path: (path.read_bytes(), path.stat().st_mtime_ns)
        for path in run.root.glob(f"{folder}/**/whole-*/*")
        if path.suffix != ".qml"  # styles have the range of all features of a run
    }


def assert_named(result, causes, failed):
    """Check that the features that failed are named, each with its cause."""
    assert result.exit_code == 3
    (last,) = [ln for ln in result.stderr.splitlines() if "features failed: " in ln]
    assert last.startswith(f"ERROR: {len(failed)} features failed: ")
    assert sorted(last.partition("failed: ")[2].split(", ")) == sorted(failed)
    for feature, cause in causes.items():
        lines = [ln for ln in result.stderr.splitlines() if f": {feature}: " in ln]
        assert any(cause in line for line in lines), feature


@pytest.mark.parametrize(
    "region", [20, pytest.param(300, marks=pytest.mark.slow)], indirect=True
)
def test_all_but_the_broken_features_are_done(region, monkeypatch):
    "Five are named with causes; a second run does them alone, and once mended all."
    run, n_features = region
    n_whole = n_features - len(BROKEN)
    built = run("build-dataset", "--jobs", "1")
    causes = {feature: CAUSES[feature] for feature in ("outline", "huge")}
    assert_named(built, causes, ["outline", "huge"])
    assert f"slope: no valid pixel in 1 of {n_features - 2} features" in built.stderr
    assert run("train", "--jobs", "1").exit_code == 0
    (run.root / "datasets/region/damaged/slope.tif").write_bytes(b"no tile")

    def draw_feature(planned, drawn, progress):
        if drawn.feature == "vanishing":  # half-way through the run
            (run.root / "datasets/region/vanishing/speed.tif").unlink(missing_ok=True)
        return original(planned, drawn, progress)

    original = drawing_tasks.draw_feature
    monkeypatch.setattr(drawing_tasks, "draw_feature", draw_feature)
    assert_named(run("draw"), CAUSES, BROKEN)
    drawn = whole_files(run, "drawings")
    assert len({path.parent for path in drawn}) == n_whole
    evaluated = run("evaluate", "--split", "all")
    assert_named(evaluated, CAUSES | {"hole": UNPREDICTED}, BROKEN)
    table = (run.root / "evaluations/small/all/metrics.csv").read_text()
    assert all(path.parent.name in table for path in drawn)
    reported = run("report")
    assert reported.exit_code == 0
    page = (run.root / "reports/small.html").read_text(encoding="utf-8")
    assert all(feature in page for feature in BROKEN)
    assert "No pixel can be drawn of hole." in page
    assert f"{n_whole} of {n_features - 2} features." in page
    assert "in volumes.csv" not in page

    again = run("draw")
    assert_named(again, CAUSES, BROKEN)
    # that of the hole is kept, too, though nothing is in it
    n_laid = n_features - 2
    assert f"kept the maps of {n_whole + 1} of {n_laid} features" in again.stderr
    assert whole_files(run, "drawings") == drawn

    # outlines are mended, and tiles made again; no other tile is
    tiles = whole_files(run, "datasets")
    synthetic.write_outlines(run.root / "data/glaciers.shp", lay(n_features, False))
    mended = run("build-dataset", "--jobs", "1")
    assert mended.exit_code == 0
    assert f"{2 * 3 + 2} tiles written, {n_features * 3 - 8} kept" in mended.stderr
    assert whole_files(run, "datasets") == tiles
    monkeypatch.undo()
    assert_named(run("draw"), {"hole": CAUSES["hole"]}, ["hole"])
    assert whole_files(run, "drawings") == drawn
    write_data(run, n_features, hole=False)
    for command in (
        ["build-dataset", "--jobs", "1"],
        ["draw"],
        ["evaluate", "--split", "all"],
    ):
        result = run(*command)
        assert result.exit_code == 0, result.stderr
    assert whole_files(run, "drawings") == drawn
    maps = run.root.glob("drawings/small/*/thickness_mean.tif")
    assert {path.parent.name for path in maps} >= set(BROKEN)


def test_a_raster_that_vanishes_half_way_fails_what_is_left(region, monkeypatch):
    "Which is built alone once it is back. A process that has it open reads on."
    run, n_features = region
    slope = run.root / "data/slope.tif"
    made = []

    def tile_feature(rasters, job):
        if len(made) == 9 and not back:
            slope.rename(run.root / "slope.tif")
            rasters.files.close()  # as in a process that begins now
        made.append(job.outline.feature)
        return original(rasters, job)

    original, back = tiling._tile_feature, []
    monkeypatch.setattr(tiling, "_tile_feature", tile_feature)
    failures = build(run).failures
    left = {c["id"] for c, _ in lay(n_features, True)} - {*made[:9]}
    assert {*failures} == left
    assert str(slope) in failures[made[9]]
    tiles = whole_files(run, "datasets")
    assert len(tiles) == len({*made[:9]} - {*BROKEN}) * 3 > 0
    shutil.move(run.root / "slope.tif", slope)
    back.append(True)
    result = run("build-dataset", "--jobs", "1")
    assert_named(result, {}, ["outline", "huge"])
    now = whole_files(run, "datasets")
    assert {path: now[path] for path in tiles} == tiles
    assert len(now) == (n_features - len(BROKEN)) * 3
