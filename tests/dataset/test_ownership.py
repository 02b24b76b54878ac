"""Whose a target is: no target of a split depends on what was measured in another."""

import numpy as np
import pytest
import rasterio
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS, Transformer

from glacier_inversion.choices import Resampling
from glacier_inversion.dataset.opened import open_dataset
from glacier_inversion.dataset.ownership import Ownership
from glacier_inversion.experiment.experiment import check_experiment
from glacier_inversion.geodata.geotiffs import read_tile
from glacier_inversion.geodata.rasterizing import inside
from glacier_inversion.geodata.rasters import open_source, warp
from glacier_inversion.geodata.warping import Warping
from glacier_inversion.grid import Grid, snap_bounds
from glacier_inversion.workspace import SPLITS, Workspace
from tests import synthetic
from tests.dataset.helpers import all_tiles, build, known_everywhere, points_of, summary
from tests.synthetic import EPSG, OTHER_EPSG, write_raster


def test_targets_inside_another_outline_are_not_targets(run):
    "The thickness of the test glacier never trains its neighbour, nor the other way."
    for read in all_tiles(run):
        path = run.root / f"datasets/region/{read.feature}/thickness.tif"
        raw = read_tile(path)
        x, y = points_of(read.grid)
        foreign = np.zeros(raw.shape, dtype=bool)
        own = np.zeros(raw.shape, dtype=bool)
        for properties, outline in synthetic.FEATURES:
            within = shapely.contains_xy(outline, x, y)
            if properties["id"] == read.feature:
                own = within
            else:
                foreign |= within
        target = read.targets["thickness"]
        assert np.isfinite(raw[foreign]).any()
        assert np.isnan(target[foreign]).all()
        # the file's pixels lie elsewhere: the nearest of 50 m mix with the neighbour's
        for properties, outline in synthetic.FEATURES:
            if properties["id"] != read.feature:
                own &= ~shapely.contains_xy(outline.buffer(120), x, y)
        np.testing.assert_array_equal(target[own], raw[own])


def test_no_target_serves_two_splits(run):
    "Nor do those outside every outline, such as ice or no ice."
    known_everywhere(run)
    splits: dict[tuple, set] = {}
    n_outside = 0
    for read in all_tiles(run):
        x, y = points_of(read.grid)
        known = np.isfinite(read.targets["thickness"])
        outline = {p["id"]: g for p, g in synthetic.FEATURES}[read.feature]
        n_outside += (known & ~shapely.contains_xy(outline, x, y)).sum()
        for place in zip(x[known], y[known], strict=True):
            splits.setdefault(place, set()).add(read.split)
    assert n_outside > 100
    assert all(len(served) == 1 for served in splits.values())


def test_averaged_targets_do_not_leak_over_the_outline(run):
    "Radar of 25 m known in the test glacier alone gives its neighbours no target."
    values = known_everywhere(run, 25.0)
    south = synthetic.FEATURES[-1][1]
    x = synthetic.LEFT + (np.arange(values.shape[1]) + 0.5) * 25
    y = synthetic.TOP - (np.arange(values.shape[0]) + 0.5) * 25
    values[~shapely.contains_xy(south, *np.meshgrid(x, y))] = synthetic.NODATA
    synthetic.write_raster(
        run.root / "data/thickness.tif", values, synthetic.LEFT, synthetic.TOP, 25.0
    )
    run.raw["dataset_description"]["rasters"][2]["resolution"] = 100.0
    run.raw["outputs"][0]["resolution"] = 100.0
    tiles = {read.feature: read for read in all_tiles(run)}
    assert np.isfinite(tiles["south"].targets["thickness"]).sum() > 40
    for feature in ("east", "west", "north-1", "north-2"):
        assert np.isnan(tiles[feature].targets["thickness"]).all()


@pytest.mark.parametrize("broken", [False, True], ids=["left out", "failed"])
def test_features_that_are_left_out_keep_their_targets_to_themselves(run, broken):
    "Without a split, or with a raster that fails for it: still another glacier."
    known_everywhere(run)
    features = [(dict(p), g) for p, g in synthetic.FEATURES]
    for properties, _ in features:
        properties["kind"] = str(properties.pop("train"))
    if broken:
        features[-1][0]["id"] = "south"
    else:
        features[-1][0]["kind"] = ""
    synthetic.write_outlines(run.root / "data/glaciers.shp", features)
    run.raw["dataset_description"]["split"] = {"field": "kind"}
    build(run)
    if broken:
        summary_file = run.root / "datasets/region/summary.json"
        content = summary(run)
        del content["sha256"]  # as an earlier version wrote it
        content["features"] = [
            r for r in content["features"] if r["feature"] != "south"
        ]
        synthetic.write_json(summary_file, content)
    checked = check_experiment(run.raw, "exp")
    reader = open_dataset(checked, Workspace(run.root))
    assert "south" not in reader.splits
    read = reader.read_tiles(checked, "east")
    within = shapely.contains_xy(features[-1][1], *points_of(read.grid))
    assert within.any()
    assert np.isnan(read.targets["thickness"][within]).all()


METHODS = Resampling.__args__
SIZES = [10.0, 12.5, 15.0, 20.0, 25.0, 30.0, 50.0, 100.0]


X, Y = 420_000.0, 5_149_000.0


def write_source(path, values, size, left, top, crs, angle=0.0):
    """Write a raster whose rows may be turned."""
    transform = rasterio.Affine.translation(left, top)
    transform @= rasterio.Affine.rotation(angle) @ rasterio.Affine.scale(size, -size)
    n_rows, n_cols = values.shape
    with rasterio.open(
        path, "w", driver="GTiff", count=1, height=n_rows, width=n_cols,
        dtype="float32", crs=f"EPSG:{crs}", transform=transform, nodata=np.nan,
    ) as dst:  # fmt: skip
        dst.write(values, 1)


class Layout:
    """Two splits that a line parts, a file around them, and what tiles are made of."""

    def __init__(self, seed, folder):
        rng = np.random.default_rng(seed)
        self.method = METHODS[seed % len(METHODS)]
        self.target, size = rng.choice(SIZES, 2)
        extent = max(12 * max(self.target, size), 600.0)
        # the border lies on both pixel grids, or anywhere, straight or at an angle
        aligned = rng.random() < 0.4
        middle = X + (
            max(extent // 600, 1) * 300 if aligned else extent * rng.uniform(0.4, 0.6)
        )
        lean = 0.0 if aligned else extent * rng.uniform(-0.3, 0.3)
        train = [(X, Y), (middle, Y), (middle + lean, Y + extent), (X, Y + extent)]
        gap = rng.choice([0.0, 0.0, 3.0, size / 3])
        test = [
            (middle + gap, Y),
            (X + 2 * extent, Y),
            (X + 2 * extent, Y + extent),
            (middle + lean + gap, Y + extent),
        ]
        self.outlines = {"a": shapely.Polygon(train), "b": shapely.Polygon(test)}
        self.splits = {"a": "train", "b": "test"}
        self.bounds = {
            feature: snap_bounds(outline.bounds, 2 * self.target, self.target)
            for feature, outline in self.outlines.items()
        }
        self.crs = EPSG if rng.random() < 0.6 else OTHER_EPSG
        angle = rng.choice([0.0, 0.0, rng.uniform(-40, 40)])
        left, top = X - 6 * size, Y + extent + 6 * size
        left, top = left // 300 * 300, top // 300 * 300 + 300
        if self.crs != EPSG:
            (left,), (top,) = rasterio.warp.transform(
                f"EPSG:{EPSG}", f"EPSG:{self.crs}", [left], [top]
            )
        if not aligned:
            left, top = left - rng.uniform(0, size), top + rng.uniform(0, size)
        n = int((2.2 * extent + 600) / size) + 30
        values = rng.uniform(0, 100, (n, n + 7)).astype("f4")
        values[rng.random(values.shape) < rng.choice([0.0, 0.3])] = np.nan
        self.path = folder / "before.tif"
        self.changed = folder / "after.tif"
        write_source(self.path, values, size, left, top, self.crs, angle)
        row, col = np.mgrid[0:n, 0 : n + 7] + 0.5
        a, b, c, d, e, f = self.source(self.path).warping.transform
        centres = a * col + b * row + c, d * col + e * row + f
        if self.crs != EPSG:
            to_tiles = Transformer.from_crs(self.crs, EPSG, always_xy=True)
            centres = to_tiles.transform(*centres)
        theirs = shapely.contains_xy(self.outlines["b"], *centres)
        after = values.copy()
        after[theirs] = rng.uniform(900, 1000, int(theirs.sum()))
        after[theirs & (rng.random(values.shape) < 0.2)] = np.nan
        write_source(self.changed, after, size, left, top, self.crs, angle)
        self.grid = Grid.from_bounds(self.bounds["a"], self.target)

    def source(self, path):
        return open_source(path, 1, None, self.method, self.target, EPSG)


def check_layout(seed, folder):
    """Change what one split measured; return targets, those kept, those that depend."""
    layout = Layout(seed, folder)
    before, after = (
        warp(layout.source(path), layout.grid) for path in (layout.path, layout.changed)
    )
    ownership = Ownership(layout.outlines, layout.bounds, layout.splits)
    warping = layout.source(layout.path).warping
    kept = ~ownership.foreign("a", layout.grid, warping)
    # a kernel's zeros are some 1e-10 by the rounding of places: half a digit of float32
    depends = ~np.isclose(before, after, rtol=1e-6, atol=0, equal_nan=True)
    wrong = depends & kept
    assert not wrong.any(), (
        f"layout {seed}: {layout.method}, {wrong.sum()} targets depend, the most by "
        f"{np.nanmax(np.abs(before - after)[wrong], initial=0):g}"
    )
    return int(kept.sum()), int(depends.sum())


@pytest.mark.parametrize("method", range(len(METHODS)), ids=METHODS)
def test_no_target_depends_on_pixels_of_another_split(tmp_path, method):
    "Whatever the resampling, the sizes of the pixels, and the angle between grids."
    counts = [check_layout(seed, tmp_path) for seed in range(method, 52, len(METHODS))]
    kept, depending = np.array(counts).T
    assert (kept > 0).all()
    assert depending.sum() > 0


@pytest.mark.slow
def test_no_target_depends_on_pixels_of_another_split_in_500_layouts(tmp_path):
    "The same, more often."
    for seed in range(52, 552):
        check_layout(seed, tmp_path)


def beside_the_border(folder, size, target, method, offset=0.0):
    """Return targets of 0 beside a split of 1000, those kept, and their columns."""
    outlines = {
        "a": shapely.box(X, Y, X + 1500, Y + 900),
        "b": shapely.box(X + 1500, Y, X + 3000, Y + 900),
    }
    n_cols = int(3600 / size)
    values = np.zeros((int(1500 / size), n_cols), dtype="f4")
    values[:, X - 300 + offset + (np.arange(n_cols) + 0.5) * size > X + 1500] = 1000
    path = folder / "h.tif"
    write_raster(path, values, X - 300 + offset, Y + 1200, size, nodata=None)
    bounds = {f: snap_bounds(o.bounds, target, target) for f, o in outlines.items()}
    grid = Grid.from_bounds(bounds["a"], target)
    source = open_source(path, 1, None, method, target, EPSG)
    ownership = Ownership(outlines, bounds, {"a": "train", "b": "test"})
    kept = ~ownership.foreign("a", grid, source.warping)
    return warp(source, grid), kept, grid, outlines


@pytest.mark.parametrize(
    ("size", "target"), [(10, 12.5), (10, 15), (50, 25), (30, 10), (100, 25)]
)
@pytest.mark.parametrize("method", METHODS)
def test_targets_beside_a_border_on_both_grids_are_those_of_their_side(
    tmp_path, size, target, method
):
    "Nothing of the 1000 m on the other side, and no more is lost than a kernel reads."
    tile, kept, grid, outlines = beside_the_border(tmp_path, size, target, method)
    # a kernel's zeros are zero but for the rounding of places
    np.testing.assert_allclose(tile[kept], 0, atol=1e-6)
    radius = {"bilinear": 1, "cubic": 2, "cubic_spline": 3, "lanczos": 3}.get(method, 1)
    far = grid.x(np.arange(grid.n_cols)) < X + 1500 - radius * max(size, target)
    within = inside([outlines["a"]], grid)
    assert kept[within & far].all()
    assert (within & far).any()


@pytest.mark.parametrize("method", sorted({*METHODS} - {"nearest", "cubic_spline"}))
def test_nothing_is_lost_where_pixels_coincide(tmp_path, method):
    "Nothing is mixed there. A cubic spline smooths even so."
    tile, kept, grid, outlines = beside_the_border(tmp_path, 30, 30, method)
    np.testing.assert_array_equal(kept & (tile > 0), False)
    assert kept[inside([outlines["a"]], grid)].all()
    _, kept, _, _ = beside_the_border(tmp_path, 30, 30, method, offset=20.0)
    assert not kept[inside([outlines["a"]], grid)].all()


@pytest.mark.parametrize("method", ["bilinear", "cubic", "lanczos"])
@pytest.mark.parametrize("up", [0, 1], ids=["beside", "at the corner"])
def test_an_outline_beyond_the_tile_is_seen_as_far_as_a_kernel_reads(method, up):
    "The pixel in the tile's corner is made from one of the file inside the other."
    radius = {"bilinear": 1, "cubic": 2, "lanczos": 3}[method]
    away = (radius - 0.5) * 100 - 5  # of the outline; the file's centre is 5 m within
    left, bottom = X + 1500 + away, Y + up * (900 + away)
    outlines = {
        "a": shapely.box(X, Y, X + 1500, Y + 900),
        "b": shapely.box(left, bottom, X + 3000, Y + 3000),
    }
    bounds = {f: outline.bounds for f, outline in outlines.items()}
    grid = Grid.from_bounds(bounds["a"], 25.0)
    transform = 100.0, 0.0, X - 500.0, 0.0, -100.0, Y + 3500.0
    wkt = CRS.from_epsg(EPSG).to_wkt()
    warping = Warping(method, EPSG, wkt, transform, (40, 40))
    ownership = Ownership(outlines, bounds, {"a": "train", "b": "test"})
    foreign = ownership.foreign("a", grid, warping)
    assert foreign[0, -1]
    assert not foreign[-1, 0]


feature = st.tuples(
    *[st.integers(0, 40)] * 2,
    *[st.integers(3, 25)] * 2,
    st.sampled_from([*SPLITS, None]),
)


def boxes(features, size):
    """Return the outlines and the splits of features that are boxes of pixels."""
    outlines, splits = {}, {}
    for i, (col, row, width, height, split) in enumerate(features):
        corners = X + size * col, Y + size * row
        ends = corners[0] + size * width, corners[1] + size * height
        outlines[str(i)] = shapely.box(*corners, *ends)
        if split is not None:
            splits[str(i)] = split
    return outlines, splits


@given(
    st.lists(feature, min_size=2, max_size=5),
    st.integers(0, 12),
    st.sampled_from(METHODS),
    st.sampled_from([0.0, 3.0]),
)
@settings(max_examples=80)
def test_no_pixel_is_a_target_of_two_splits(features, buffer_px, method, offset):
    "However outlines and tiles overlap, and with outlines of no split among them."
    size = 10.0
    outlines, splits = boxes(features, size)
    bounds = {
        f: snap_bounds(outlines[f].bounds, buffer_px * size, size) for f in splits
    }
    transform = size, 0.0, X - 300.0 + offset, 0.0, -size, Y + 1200.0
    wkt = CRS.from_epsg(EPSG).to_wkt()
    warping = Warping(method, EPSG, wkt, transform, (160, 160))
    ownership = Ownership(outlines, bounds, splits)
    served: dict[tuple, set] = {}
    for f, split in splits.items():
        grid = Grid.from_bounds(bounds[f], size)
        kept = ~ownership.foreign(f, grid, warping)
        x, y = grid.centres()
        for place in zip(x[kept], y[kept], strict=True):
            served.setdefault(place, set()).add(split)
    assert all(len(of) == 1 for of in served.values())


@given(
    st.lists(feature, min_size=1, max_size=5),
    st.integers(0, 12),
    st.booleans(),
)
@settings(max_examples=60)
def test_no_more_than_others_own_is_taken(features, buffer_px, of_points):
    "Against the plain loop over pixels that coincide with those of the file."
    size = 10.0
    outlines, splits = boxes(features, size)
    bounds = {
        f: snap_bounds(box.bounds, buffer_px * size, size)
        for f, box in outlines.items()
    }
    transform = size, 0.0, X - 300.0, 0.0, -size, Y + 1200.0
    wkt = CRS.from_epsg(EPSG).to_wkt()
    warping = (
        None if of_points else Warping("nearest", EPSG, wkt, transform, (160, 160))
    )
    ownership = Ownership(outlines, bounds, splits)
    for f, outline in outlines.items():
        own = splits.get(f)
        grid = Grid.from_bounds(bounds[f], size)
        x, y = grid.centres()
        taken = np.zeros(grid.shape, dtype=bool)
        for other in outlines.keys() - {f}:
            taken |= shapely.contains_xy(outlines[other], x, y)
            precedes = other in splits and (
                own is None or SPLITS.index(splits[other]) > SPLITS.index(own)
            )
            if precedes and not of_points:
                left, bottom, right, top = bounds[other]
                in_tile = (left < x) & (x < right) & (bottom < y) & (y < top)
                taken |= in_tile & ~shapely.contains_xy(outline, x, y)
        np.testing.assert_array_equal(ownership.foreign(f, grid, warping), taken)
