"""Images and lines of maps: the right colour at the right place."""

import base64
import io

import matplotlib.image
import numpy as np
import pytest
import shapely

from glacier_inversion.drawing.styles import colours_of
from glacier_inversion.geodata.geotiffs import read_tile
from glacier_inversion.reporting.map_facts import read_facts
from glacier_inversion.reporting.maps import (
    RESIDUAL,
    Frame,
    paint,
    read_picture,
    stops,
    to_image,
)


def pixels_of(uri):
    """Return the pixels of an image in an address."""
    kind, content = uri.split(",")
    assert kind == "data:image/png;base64"
    return matplotlib.image.imread(io.BytesIO(base64.b64decode(content)))


def as_shares(colour):
    return [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]


def test_colours_are_those_of_the_legend():
    "The first for the low end, the last for the high one, and beyond; none for NaN."
    values = np.array([[0.0, 10.0, np.nan], [-99.0, 99.0, 5.0]], np.float32)
    pixels = pixels_of(to_image(values, "mean", (0.0, 10.0)))
    assert pixels.shape == (2, 3, 4)
    low, *_, high = (as_shares(colour) for colour in colours_of("mean"))
    for place, expected in (((0, 0), low), ((1, 0), low), ((0, 1), high)):
        np.testing.assert_allclose(pixels[place][:3], expected, atol=0.003)
    np.testing.assert_array_equal(pixels[..., 3], [[1, 1, 0], [1, 1, 1]])
    middle = as_shares(colours_of("mean")[4])
    np.testing.assert_allclose(pixels[1, 2, :3], middle, atol=0.02)
    assert stops("uncertainty") == colours_of("uncertainty")


def test_outlines_are_coloured_as_images_are():
    pixels = pixels_of(to_image(np.array([[-3.0, 4.0]]), RESIDUAL, (-5.0, 5.0)))
    for colour, pixel in zip(
        paint(RESIDUAL, (-5.0, 5.0), np.array([-3.0, 4.0])), pixels[0], strict=True
    ):
        np.testing.assert_allclose(as_shares(colour), pixel[:3], atol=0.003)


def test_a_frame_puts_places_where_they_are():
    "A square of 1 km: margins of 2 %, y downward, holes kept."
    square = shapely.box(5000, 8000, 6000, 9000)
    hole = shapely.box(5400, 8400, 5600, 8600)
    frame = Frame.around(square.bounds)
    assert (frame.width_m, frame.height_m) == (1040, 1040)
    path = frame.path(square - hole)
    assert path.count("M") == path.count("Z") == 2
    corners = {
        tuple(map(int, corner.split()))
        for ring in path.replace("Z", "").split("M")[1:]
        for corner in ring.split("L")
    }
    at = {x: round((x - 4980) / 1.04) for x in (5000, 5400, 5600, 6000)}
    down = {y: round((9020 - y) / 1.04) for y in (8000, 8400, 8600, 9000)}
    assert corners == {
        *((at[x], down[y]) for x in (5000, 6000) for y in (8000, 9000)),
        *((at[x], down[y]) for x in (5400, 5600) for y in (8400, 8600)),
    }


@pytest.mark.parametrize(
    ("bounds", "size"), [((0, 0, 9000, 100), 0.5), ((0, 0, 100, 9000), 1.25)]
)
def test_a_frame_is_neither_too_slim_nor_too_flat(bounds, size):
    "And what it frames is in its middle."
    frame = Frame.around(bounds)
    assert frame.height_m / frame.width_m == pytest.approx(size)
    assert frame.left + frame.width_m / 2 == pytest.approx(bounds[2] / 2)
    assert frame.top - frame.height_m / 2 == pytest.approx(bounds[3] / 2)


def test_images_and_the_scale_bar_have_the_scale_of_the_frame():
    frame = Frame.around((0.0, 0.0, 10_000.0, 10_000.0))
    picture = frame.picture("t", "a", images=[("uri", (0.0, 5000.0, 2500.0, 10_000.0))])
    (image,) = picture.images
    assert (picture.width, picture.height) == (1000, 1000)
    assert image.width == pytest.approx(2500 / 10.4, abs=0.1)
    assert image.height == pytest.approx(5000 / 10.4, abs=0.1)
    assert image.x == image.y == pytest.approx(200 / 10.4, abs=0.1)
    assert (picture.bar_label, picture.bar) == ("2 km", pytest.approx(192.3))


def test_points_are_averaged_in_pixels_as_one_by_one():
    "Each pixel is the mean of the points in it, or nothing."
    rng = np.random.default_rng(0)
    frame = Frame.around((200.0, 100.0, 1400.0, 900.0))
    x, y = rng.uniform(300, 1300, 300), rng.uniform(200, 800, 300)
    values = rng.normal(0, 30, 300)
    uri, (left, bottom, right, top) = frame.points(
        x, y, values, 100.0, 8, (-60.0, 60.0)
    )
    pixels = pixels_of(uri)
    step = (right - left) / pixels.shape[1]
    assert step == (top - bottom) / pixels.shape[0] == 200
    assert (left % step, top % step) == (0, 0)
    expected = np.full(pixels.shape[:2], np.nan)
    for row in range(pixels.shape[0]):
        for col in range(pixels.shape[1]):
            own = (x >= left + col * step) & (x < left + (col + 1) * step)
            own &= (y <= top - row * step) & (y > top - (row + 1) * step)
            if own.any():
                expected[row, col] = values[own].mean()
    np.testing.assert_array_equal(
        pixels, pixels_of(to_image(expected, RESIDUAL, (-60.0, 60.0)))
    )


def test_maps_tell_their_range_and_mean(reported):
    "As numpy finds them; a map of fewer pixels has the same bounds."
    path = reported.root / "drawings/small/west/thickness_mean.tif"
    values = read_tile(path)
    (told,) = read_facts([path], [].append).values()
    assert told.minimum == pytest.approx(np.nanmin(values), rel=1e-6)
    assert told.maximum == pytest.approx(np.nanmax(values), rel=1e-6)
    assert told.mean == pytest.approx(np.nanmean(values), rel=1e-5)
    whole, bounds = read_picture(path, 10_000)
    np.testing.assert_array_equal(whole, values)
    fewer, same = read_picture(path, 10)
    assert max(fewer.shape) == 10
    assert same == bounds
