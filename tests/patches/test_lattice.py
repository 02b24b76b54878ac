"""The geometry of patches, proved with rasters that hold their own coordinates."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glacier_inversion.experiment.experiment import check_experiment
from glacier_inversion.grid import Grid, lattice
from glacier_inversion.patches.lattice import (
    Layout,
    lattice_image,
    needed_pixels,
    target_values,
    to_lattice,
    windows_sum,
)
from glacier_inversion.patches.scale import Scale
from glacier_inversion.patches.tiles import Tiles
from tests import synthetic
from tests.patches.helpers import patches_of


def coordinates(grid: Grid) -> dict[str, np.ndarray]:
    """Return the x and y of a grid's pixels, from its lower left corner."""
    x, y = np.meshgrid(grid.x(np.arange(grid.n_cols)), grid.y(np.arange(grid.n_rows)))
    return {"x": x.astype("f4"), "y": y.astype("f4")}


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 4),  # patch of the coarsest, pixels
    st.lists(st.sampled_from([1, 2, 3, 4, 6]), min_size=1, max_size=3),
    st.sampled_from([1, 2, 3]),
    st.integers(0, 2),
    st.integers(0, 2),
)
def test_patches_lie_where_the_design_says(n, factors, output, more_rows, more_cols):
    "Pixel i of a patch is at p + (i - (n-1)/2) * resolution; scalars and targets at p."
    r0 = 12.5
    factors = sorted({1, *factors})
    common = int(np.lcm.reduce([*factors, output]))
    n0 = n * common
    tile = Grid(1000.0, 3000.0, r0, n0 + more_rows * common, n0 + more_cols * common)
    inputs, scalars = {}, {}
    for k in factors:
        own = Grid.from_bounds(tile.bounds, r0 * k)
        for axis, values in coordinates(own).items():
            inputs[f"{axis}{k}"] = inputs[f"s{axis}{k}"] = values
            scalars[f"s{axis}{k}"] = k
    images = {name: k for k in factors for name in (f"x{k}", f"y{k}")}
    own = Grid.from_bounds(tile.bounds, r0 * output)
    layout = Layout(r0, n0, images, scalars, {"x": output, "y": output}, 0.5)
    tiles = Tiles("a", "train", tile, inputs, coordinates(own))
    part = to_lattice(tiles, layout)
    assert part.points == lattice(tile, n0)
    assert part.usable.all()

    scales = dict.fromkeys(inputs, Scale(0.0, 1.0))
    source = patches_of(part, layout, scales)
    for row in range(part.points.n_rows):
        for col in range(part.points.n_cols):
            px, py = part.points.x(col), part.points.y(row)
            batch = source.gather(torch_points([(0, row, col)]))
            for k in factors:
                n_px = n0 // k
                offset = (np.arange(n_px) - (n_px - 1) / 2) * r0 * k
                x, y = batch[f"x{k}"][0, 0].numpy(), batch[f"y{k}"][0, 0].numpy()
                np.testing.assert_allclose(
                    x, np.tile(px + offset, (n_px, 1)), atol=1e-3
                )
                expected = np.tile((py - offset)[:, None], (1, n_px))
                np.testing.assert_allclose(y, expected, atol=1e-3)
                np.testing.assert_allclose(batch[f"sx{k}"], px, atol=1e-3)
                np.testing.assert_allclose(batch[f"sy{k}"], py, atol=1e-3)
            # the target is that of the pixels that hold p: at most half a pixel away
            for axis, place in (("x", px), ("y", py)):
                error = abs(part.targets[axis][row, col] - place)
                assert error <= r0 * output / 2 - r0 / 2 + 1e-3


def test_the_layout_is_that_of_the_experiment():
    "Pixels count in the finest; a scalar input has no image."
    raw = synthetic.experiment() | {"min_valid": 0.25}
    raw["inputs"][1]["scalar"] = True
    layout = Layout.of(check_experiment(raw, "exp"))
    assert layout == Layout(50.0, 8, {"slope": 1}, {"speed": 2}, {"thickness": 1}, 0.25)
    raw["inputs"][1]["scalar"] = False
    layout = Layout.of(check_experiment(raw, "exp"))
    assert (layout.images, layout.scalars) == ({"slope": 1, "speed": 2}, {})
    assert (layout.patch_px("slope"), layout.patch_px("speed")) == (8, 4)


def torch_points(points):
    """Return (feature, row, col) as a tensor."""
    import torch  # noqa: PLC0415

    return torch.tensor(points)


@pytest.mark.parametrize("window_px", [3, 4])
def test_target_is_the_pixel_or_the_mean_of_the_known_around_a_corner(window_px):
    "Against the plain loop, unknown pixels left out."
    rng = np.random.default_rng(3)
    tile = rng.random((7, 9)).astype("f4")
    tile[rng.random(tile.shape) < 0.5] = np.nan
    points = lattice(Grid(0.0, 0.0, 1.0, 7, 9), window_px)
    layout = Layout(1.0, window_px, {}, {}, {"t": 1}, 0.5)
    expected = np.full(points.shape, np.nan)
    for row in range(points.n_rows):
        for col in range(points.n_cols):
            # distance of the point from the tile's edge, in pixels
            down, right = row + window_px / 2, col + window_px / 2
            around = [
                tile[i, j]
                for i in range(7)
                for j in range(9)
                if abs(i + 0.5 - down) <= 0.5 and abs(j + 0.5 - right) <= 0.5
            ]
            known = [value for value in around if np.isfinite(value)]
            expected[row, col] = np.mean(known) if known else np.nan
    values = target_values(tile, 1, layout, points)
    np.testing.assert_allclose(values, expected, rtol=1e-6)  # one rounding to float32


def test_factor_of_one_is_never_interpolated():
    "The finest patch is read as it is."
    tile = np.random.default_rng(0).random((5, 6)).astype("f4")
    assert lattice_image(tile, 1) is tile


def test_images_reach_from_the_first_pixel_to_the_last():
    "With two pixels between neighbours, where a raster's are three times as wide."
    rows, cols = np.mgrid[0:4, 0:5].astype("f4")
    image = lattice_image(10 * rows + cols, 3)
    row, col = np.mgrid[0:10, 0:13] / 3
    np.testing.assert_allclose(image, 10 * row + col, rtol=1e-6)


@given(st.integers(1, 4), st.integers(1, 3), st.integers(0, 9), st.integers(0, 9))
def test_windows_sum_agrees_with_the_plain_loop(n_px, stride, n_rows, n_cols):
    "Images smaller than the window included."
    image = np.random.default_rng(0).random((n_rows, n_cols)).astype("f4")
    span = (n_px - 1) * stride
    expected = [
        [
            image[row : row + span + 1 : stride, col : col + span + 1 : stride].sum()
            for col in range(n_cols - span)
        ]
        for row in range(n_rows - span)
    ]
    shape = (max(n_rows - span, 0), max(n_cols - span, 0))
    expected = np.array(expected).reshape(shape)
    total = windows_sum(image, n_px, stride)
    assert total.dtype == np.float32
    np.testing.assert_allclose(total, expected, rtol=1e-5)


@pytest.mark.parametrize("first", ["slope", "speed"])
def test_points_need_their_share_of_valid_pixels_of_every_input(first):
    "A velocity that is missing altogether is not outvoted by a finer slope."
    grid = Grid(0.0, 0.0, 10.0, 8, 8)
    slope = np.ones((8, 8), dtype="f4")
    speed = np.ones((4, 4), dtype="f4")
    speed[:, :2] = np.nan
    images = {"slope": 1, "speed": 2}
    images = {first: images.pop(first), **images}
    layout = Layout(10.0, 4, images, {}, {}, 0.5)
    usable = to_lattice(
        Tiles("a", "test", grid, {"slope": slope, "speed": speed}, {}), layout
    ).usable
    assert not usable[:, 0].any()
    assert usable[:, -1].all()


@given(st.lists(st.integers(0, 54), min_size=1, max_size=3), st.sampled_from([6, 12]))
def test_windows_of_some_points_need_a_part_of_the_tile_alone(points, window_px):
    "The part gives them the same values, and reaches little farther than they do."
    points = np.unique(np.clip(points, 0, 60 - window_px))
    needed = needed_pixels(points, window_px, 6, 60)
    whole = Grid(0.0, 60.0, 1.0, 60, 60)
    rng = np.random.default_rng(5)
    arrays = {f"a{k}": rng.random((60 // k, 60 // k)).astype("f4") for k in (1, 2, 3)}
    part = {}
    for k in (1, 2, 3):
        own = slice(needed.start // k, needed.stop // k)
        part[f"a{k}"] = arrays[f"a{k}"][own, own]
    factors = {"a1": 1, "a2": 2, "a3": 3}
    layout = Layout(1.0, window_px, factors, factors, factors, 0.5)
    of_whole, of_part = (
        to_lattice(Tiles("a", "test", grid, inputs, inputs), layout)
        for grid, inputs in ((whole, arrays), (whole.window(needed, needed), part))
    )
    at = points - needed.start
    assert (at >= 0).all()
    for values in ("scalars", "targets"):
        for name in factors:
            np.testing.assert_allclose(
                getattr(of_part, values)[name][np.ix_(at, at)],
                getattr(of_whole, values)[name][np.ix_(points, points)],
                rtol=1e-6,  # places of interpolation are rounded otherwise
            )
    for name, k in factors.items():
        for place, there in zip(points, at, strict=True):
            np.testing.assert_allclose(
                of_part.images[name][there : there + window_px - k + 1, there],
                of_whole.images[name][place : place + window_px - k + 1, place],
                rtol=1e-6,
            )
    assert points[0] - needed.start < 2 * 6
    assert needed.stop - (points[-1] + window_px) < 2 * 6
    assert needed.start == 0 or points[0] - needed.start >= 6
    assert needed.stop == 60 or needed.stop - (points[-1] + window_px) >= 6


@pytest.mark.parametrize(
    ("share", "serves"), [(0.0, True), (0.01, False), (1.0, False)]
)
def test_a_scalar_is_valid_where_it_is_known(share, serves):
    "Or everywhere, if no share of the pixels must be; maps need no targets."
    values = np.ones((3, 4), dtype="f4")
    values[1, 2] = np.nan
    grid = Grid(0.0, 0.0, 10.0, 3, 4)
    layout = Layout(10.0, 1, {}, {"a": 1}, {"t": 1}, share)
    part = to_lattice(Tiles("f", None, grid, {"a": values}, {}), layout)
    expected = np.full((3, 4), True)
    expected[1, 2] = serves
    np.testing.assert_array_equal(part.usable, expected)
    assert part.targets == {}


def test_a_tile_smaller_than_the_window_has_no_points():
    "Nothing to train on, nothing to draw, and no error."
    grid = Grid(0.0, 0.0, 10.0, 3, 9)
    tiles = Tiles(
        "a", "test", grid, {"s": np.ones((3, 9), "f4")}, {"t": np.ones((3, 9), "f4")}
    )
    part = to_lattice(tiles, Layout(10.0, 4, {"s": 1}, {}, {"t": 1}, 0.5))
    assert (part.usable.shape, part.usable.dtype) == ((0, 0), bool)
    for values in (part.images["s"], part.targets["t"]):
        assert (values.shape, values.dtype) == ((0, 0), np.float32)


@pytest.mark.parametrize(
    ("n_px", "share", "n_valid", "serves"),
    [(10, 0.07, 7, True), (10, 0.07, 6, False), (3, 0.5, 4, False), (3, 0.5, 5, True)],
)
def test_a_share_of_valid_pixels_is_not_lost_by_rounding(n_px, share, n_valid, serves):
    "7 of 100 pixels are a share of 0.07, though 0.07 * 100 > 7; 4 of 9 are no half."
    layout = Layout(10.0, n_px, {"a": 1}, {}, {"t": 1}, share)
    values = np.full((n_px, n_px), np.nan, dtype="f4")
    values.ravel()[:n_valid] = 1.0
    grid = Grid(0.0, 100.0, 10.0, n_px, n_px)
    part = to_lattice(Tiles("f", "train", grid, {"a": values}, {"t": values}), layout)
    assert part.usable.tolist() == [[serves]]
