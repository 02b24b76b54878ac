"""Warping, against gdalwarp."""

import shutil
import subprocess

import numpy as np
import pytest
import rasterio
import shapely
from pyproj import Transformer
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.transform import Affine
from rasterio.warp import reproject

from glacier_inversion.geodata import warping
from glacier_inversion.geodata.geotiffs import read_tile
from glacier_inversion.geodata.rasterizing import inside_of_file
from glacier_inversion.geodata.rasters import warp
from glacier_inversion.grid import Grid
from tests import synthetic
from tests.geodata.helpers import GRID, noise, source
from tests.synthetic import EPSG, NODATA, OTHER_EPSG, write_raster

needs_gdal = pytest.mark.skipif(
    shutil.which("gdalwarp") is None, reason="gdalwarp (package gdal-bin) is missing"
)


def gdalwarp(path, out, grid, method, scales, nodata=NODATA):
    """Run gdalwarp onto the bounds and resolution of *grid*, exactly."""
    extent = [str(v) for v in grid.bounds]
    command = ["gdalwarp", "-q", "-overwrite", "-t_srs", f"EPSG:{EPSG}", "-te", *extent]
    command += [
        "-et",
        "0",
        "-wo",
        f"XSCALE={scales[0]!r}",
        "-wo",
        f"YSCALE={scales[1]!r}",
    ]
    command += ["-tr", str(grid.resolution), str(grid.resolution), "-r", method]
    command += ["-srcnodata", str(nodata), "-dstnodata", "nan", "-ot", "Float32"]
    subprocess.run([*command, str(path), str(out)], check=True)
    return read_tile(out)


@needs_gdal
@pytest.mark.parametrize("method", ["average", "bilinear", "nearest", "cubic"])
@pytest.mark.parametrize("epsg", [EPSG, OTHER_EPSG, 4326])
@pytest.mark.parametrize("dtype", ["f4", "i2"])
def test_tiles_equal_those_of_gdalwarp(tmp_path, method, epsg, dtype):
    "In the same CRS and across CRSs, pixels without data included."
    resolution = 20.0 if epsg != 4326 else 0.0002
    path = tmp_path / "noise.tif"
    if epsg == 4326:
        rng = np.random.default_rng(2)
        values = rng.normal(size=(240, 360)).astype(dtype)
        values[rng.random(values.shape) < 0.1] = NODATA
        write_raster(path, values, 7.94, 46.51, resolution, epsg)
    else:
        noise(path, epsg, resolution, dtype)
    opened = source(path, resampling=method)
    scales = opened.warping.scales(GRID)
    tile = warp(opened, GRID)
    expected = gdalwarp(path, tmp_path / "out.tif", GRID, method, scales)
    assert np.isfinite(expected).mean() > 0.8
    # the same program in another version; float32 sums of numbers up to some 1000
    np.testing.assert_allclose(tile, expected, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize(
    ("resolution", "epsg", "expected"),
    [
        (20.0, EPSG, "bilinear"),
        (39.0, EPSG, "bilinear"),
        (40.0, EPSG, "average"),
        (10.0, EPSG, "bilinear"),
        (40.0, OTHER_EPSG, "average"),  # projections differ by some 0.05 % in scale
    ],
)
def test_resampling_averages_from_a_coarsening_by_two(
    tmp_path, resolution, epsg, expected
):
    "The pixel of the file is measured in the CRS of the tiles."
    path = noise(tmp_path / "noise.tif", epsg)
    assert source(path, resolution).warping.method == expected


def test_rasters_in_degrees_are_measured_in_metres(tmp_path):
    "0.001 degrees are some 92 m here on average: 100 m tiles are interpolated."
    write_raster(tmp_path / "d.tif", np.ones((9, 9), "f4"), 8.0, 46.5, 0.001, 4326)
    assert source(tmp_path / "d.tif", 100.0).warping.method == "bilinear"
    assert source(tmp_path / "d.tif", 200.0).warping.method == "average"


@pytest.mark.parametrize(
    ("epsg", "latitude"),
    [(32606, 42), (32659, 42), (32633, 42), (32645, 42), (32718, -40), (2193, -40.5)],
)
@pytest.mark.parametrize("left", [-180, 0])
def test_a_global_raster_is_measured_where_the_crs_is_used(
    tmp_path, left, epsg, latitude
):
    "Its middle may be on the other side of the Earth, where a pixel has any size."
    path = tmp_path / "globe.tif"
    write_raster(path, np.ones((360, 720), "f4"), left, 90.0, 0.5, 4326)
    size = 55_600 * np.sqrt(np.cos(np.radians(latitude)))
    opened = source(path, 2.2 * size, epsg)
    assert opened.pixel_size == pytest.approx(size, rel=0.02)
    assert opened.warping.method == "average"
    assert source(path, 1.8 * size, epsg).warping.method == "bilinear"


def test_north_first_axes_are_not_swapped(tmp_path):
    "EPSG:2193 names its northing first; rasters and tiles are x, y all the same."
    values = synthetic.sample(
        lambda x, y: x, 1_370_000.0, 5_170_000.0, 50, 80, 90, EPSG
    )
    write_raster(tmp_path / "x.tif", values, 1_370_000.0, 5_170_000.0, 50, 2193)
    grid = Grid(1_370_500.0, 5_169_000.0, 50.0, 20, 30)
    tile = warp(source(tmp_path / "x.tif", 50.0, 2193), grid)
    expected = np.tile(grid.x(np.arange(30)), (20, 1))
    np.testing.assert_allclose(tile, expected, atol=0.1)  # float32 of a million


@pytest.mark.parametrize("method", ["average", "bilinear", "cubic", "max"])
@pytest.mark.parametrize("epsg", [EPSG, OTHER_EPSG])
def test_a_tile_does_not_depend_on_the_blocks_it_is_made_in(
    tmp_path, method, epsg, monkeypatch
):
    "A window that memory holds is as good as the whole file."
    opened = source(noise(tmp_path / "n.tif", epsg), resampling=method)
    whole = warp(opened, GRID)
    monkeypatch.setattr(warping, "_WINDOW_PX", 17)
    assert len(list(opened.warping.blocks(GRID))) > 10
    np.testing.assert_allclose(warp(opened, GRID), whole, rtol=1e-6, atol=1e-4)


@pytest.mark.parametrize("epsg", [4326, OTHER_EPSG])
def test_a_file_that_lies_on_its_side_holds_the_same(tmp_path, epsg):
    "Its columns go south: none of its longitudes, or eastings, changes along a row."
    noise(tmp_path / "noise.tif", epsg)
    with rasterio.open(tmp_path / "noise.tif") as src:
        profile, values = src.profile, src.read(1)
    a, _, c, _, e, f = profile["transform"][:6]
    profile |= {"transform": Affine(0, a, c, e, 0, f)}
    profile |= {"height": profile["width"], "width": profile["height"]}
    with rasterio.open(tmp_path / "side.tif", "w", **profile) as dst:
        dst.write(values.T, 1)
    tile, expected = (
        warp(source(tmp_path / f"{name}.tif", resampling="bilinear"), GRID)
        for name in ("side", "noise")
    )
    assert np.isfinite(expected).mean() > 0.8
    np.testing.assert_allclose(tile, expected, rtol=1e-4, atol=1e-3)


def test_a_steep_surface_is_where_it_should_be_across_crss(tmp_path):
    "x + y of the file's CRS, read exactly: places are not interpolated between CRSs."
    size, n = 100.0, 700
    left, top = 2_600_000.0, 1_200_000.0
    rows, cols = np.mgrid[0:n, 0:n]
    values = left + (cols + 0.5) * size + top - (rows + 0.5) * size - 3_700_000
    path = tmp_path / "p.tif"
    write_raster(path, values.astype("f8"), left, top, size, OTHER_EPSG)
    grid = Grid(390_000.0, 5_160_000.0, 100.0, 400, 600)
    opened = source(path, 100.0)
    tile = warp(opened, grid)
    x, y = np.meshgrid(grid.x(np.arange(600)), grid.y(np.arange(400)))
    there = Transformer.from_crs(EPSG, OTHER_EPSG, always_xy=True).transform(x, y)
    expected = np.add(*there) - 3_700_000
    inner = left + size, top - (n - 1) * size, left + (n - 1) * size, top - size
    known = shapely.contains_xy(shapely.box(*inner), *there)
    assert known.mean() > 0.5
    # float32 of some 100,000
    np.testing.assert_allclose(tile[known], expected[known], atol=0.02)


def wavy(path, left, top, n_cols, resolution=0.0005):
    """Write noise in degrees, 80 rows from *left* and *top*."""
    values = np.random.default_rng(5).normal(size=(80, n_cols)).astype("f4")
    values[20:24, 30:50] = NODATA
    write_raster(path, values, left, top, resolution, 4326)


def reprojected(path, grid, epsg, opened):
    """Warp with rasterio, which transforms places to an eighth of a pixel."""
    out = np.full(grid.shape, np.nan, dtype="f4")
    scales = opened.warping.scales(grid)
    with rasterio.open(path) as src:
        reproject(
            rasterio.band(src, 1),
            out,
            dst_transform=Affine(*grid.transform),
            dst_crs=CRS.from_epsg(epsg),
            dst_nodata=np.nan,
            resampling=Resampling[opened.warping.method],
            XSCALE=repr(scales[0]),
            YSCALE=repr(scales[1]),
        )
    return out


@pytest.mark.parametrize("method", ["average", "bilinear", "cubic"])
@pytest.mark.parametrize(
    ("left", "epsg"),
    [(179.97, 32660), (-180.03, 32660), (210.0, 32606), (-150.0, 32606)],
)
def test_longitudes_of_a_raster_are_read_whatever_they_count_from(
    tmp_path, left, epsg, method
):
    "Across 180 degrees, or from 0 to 360, as rasterio does it."
    path = tmp_path / "d.tif"
    wavy(path, left, 61.04, 120)
    x, y = Transformer.from_crs(4326, epsg, always_xy=True).transform(
        left + 0.03, 61.02
    )
    grid = Grid(round(x, -1) - 1000, round(y, -1) + 1200, 20.0, 110, 100)
    opened = source(path, 20.0, epsg, resampling=method)
    tile = warp(opened, grid)
    expected = reprojected(path, grid, epsg, opened)
    assert np.isfinite(expected).mean() > 0.9
    differs = np.isfinite(tile) != np.isfinite(expected)
    assert differs.mean() < 0.005  # at the edge of the hole
    # an eighth of a pixel, where the noise's steepest is some 5 per pixel
    assert np.nanquantile(abs(tile - expected), 0.99) < 0.05


@pytest.mark.parametrize("method", ["average", "bilinear", "nearest"])
@pytest.mark.parametrize(("first", "epsg"), [(0.0, 32631), (-180.0, 32660)])
def test_a_feature_lies_across_the_ends_of_a_raster_with_a_gap(
    tmp_path, first, epsg, method
):
    "A column is missing; both sides are known, and little of the file is read."
    path = tmp_path / "globe.tif"
    wavy(path, first, 66.4, 35999, 0.01)
    middle = Transformer.from_crs(4326, epsg, always_xy=True).transform(first, 66.0)
    grid = Grid(round(middle[0]) - 1500, round(middle[1]) + 2000, 50.0, 80, 60)
    opened = source(path, 50.0, epsg, resampling=method)
    blocks = list(opened.warping.blocks(grid))
    assert sorted((c.start, c.stop) for *_, c in blocks)[1][1] == 35999
    assert max(cols.stop - cols.start for *_, cols in blocks) < 30
    tile = warp(opened, grid)
    lon, _ = Transformer.from_crs(epsg, 4326, always_xy=True).transform(
        *np.meshgrid(grid.x(np.arange(60)), grid.y(np.arange(80)))
    )
    expected = reprojected(path, grid, epsg, opened)
    # an average at the gap is of what is at one of its sides
    away = abs((lon - first + 180) % 360 - 180) > 0.012
    assert 0.5 < away.mean() < 1
    assert np.isfinite(tile[away]).all()
    difference = abs(tile - expected)[away & np.isfinite(expected)]
    assert difference.size > 0.8 * away.sum()
    assert np.quantile(difference, 0.95) < 0.01


@pytest.mark.parametrize(
    "method", ["average", "mode", "bilinear", "cubic", "cubic_spline", "lanczos"]
)
@pytest.mark.parametrize("resolution", [200.0, 2500.0])
def test_the_ends_of_a_global_raster_are_neighbours(tmp_path, resolution, method):
    "As if its columns began elsewhere; pixels of the file are 450 m by 1,100 m."
    wavy(tmp_path / "seam.tif", -180.0, 66.4, 36000, 0.01)
    with rasterio.open(tmp_path / "seam.tif") as src:
        rolled = np.roll(src.read(1), 18000, axis=1)
    write_raster(tmp_path / "whole.tif", rolled, 0.0, 66.4, 0.01, 4326)
    x, y = Transformer.from_crs(4326, 32660, always_xy=True).transform(180.0, 66.0)
    grid = Grid(round(x) - 15 * resolution, round(y) + 2000, resolution, 9, 30)
    tile, expected = (
        warp(source(tmp_path / name, resolution, 32660, resampling=method), grid)
        for name in ("seam.tif", "whole.tif")
    )
    assert np.isfinite(expected[:2]).all()
    np.testing.assert_allclose(tile, expected, atol=1e-4)


@pytest.mark.parametrize("method", ["average", "cubic"])
def test_what_a_tile_is_made_from_at_the_ends_of_a_global_raster(tmp_path, method):
    "The guard against leaks sees the columns of both ends."
    wavy(tmp_path / "globe.tif", -180.0, 66.4, 36000, 0.01)
    x, y = Transformer.from_crs(4326, 32660, always_xy=True).transform(180.0, 66.0)
    grid = Grid(round(x) - 3000, round(y) + 1000, 200.0, 10, 30)
    opened = source(tmp_path / "globe.tif", 200.0, 32660, resampling=method)
    (*_, file_cols), *others = opened.warping.blocks(grid)
    assert not others
    values = np.zeros((80, 36000), "f4")
    values[:, 35999] = 1  # the last column alone
    write_raster(tmp_path / "last.tif", values, -180.0, 66.4, 0.01, 4326)
    tile = warp(source(tmp_path / "last.tif", 200.0, 32660, resampling=method), grid)
    scales = opened.warping.scales(grid)
    _, _, first, last = opened.warping.made_from(grid, scales, file_cols)
    made = np.zeros(grid.shape, dtype=bool)
    for column in range(file_cols.start, file_cols.stop):
        if column % 36000 == 35999:
            made |= (first <= column) & (column <= last)
    assert 0.1 < made.mean() < 0.9
    assert not (tile[~made] != 0).any()
    # a cubic kernel is 0 at a pixel's distance
    assert (tile[made] != 0).mean() > 0.9


@pytest.mark.parametrize("left", [179.97, -180.03])
def test_pixels_of_a_file_inside_an_outline_across_180_degrees(tmp_path, left):
    "The guard against leaks sees an outline on both sides."
    path = tmp_path / "d.tif"
    wavy(path, left, 61.04, 120)
    x, y = Transformer.from_crs(4326, 32660, always_xy=True).transform(180.0, 61.02)
    grid = Grid(round(x, -1) - 1000, round(y, -1) + 1200, 20.0, 110, 100)
    opened = source(path, 20.0, 32660)
    within = inside_of_file(
        [shapely.Point(x, y).buffer(500)],
        opened.warping,
        grid,
        slice(0, 80),
        slice(0, 120),
    )
    rows, cols = np.nonzero(within)
    # 0.0005 degrees are 27 m here along a parallel, 56 m along a meridian
    assert within.sum() == pytest.approx(np.pi * 500**2 / (27.06 * 55.7), rel=0.03)
    assert cols.mean() == pytest.approx(59.5, abs=1)
    assert rows.mean() == pytest.approx(39.5, abs=1)


@pytest.mark.parametrize("method", ["bilinear", "cubic", "lanczos", "average", "mode"])
@pytest.mark.parametrize(
    ("shift", "step", "epsg"),
    [(0, 50, EPSG), (7, 50, EPSG), (0, 25, EPSG), (0, 50, OTHER_EPSG)],
)
def test_values_are_kept_where_that_is_said(tmp_path, method, shift, step, epsg):
    "A mask on the pixels of the tiles stays one, with its holes."
    mask = np.random.default_rng(0).choice([0, 1, NODATA], (400, 400))
    left, _, _, top = GRID.bounds
    to_file = Transformer.from_crs(EPSG, epsg, always_xy=True)
    left, top = (round(v, -3) for v in to_file.transform(left, top))
    path = tmp_path / "mask.tif"
    place = left - 4000 + shift, top + 4000
    write_raster(path, mask.astype("f4"), *place, step, epsg)
    opened = source(path, resampling=method)
    values = warp(opened, GRID)
    assert np.isfinite(values).any()
    are_kept = bool(np.isin(values[np.isfinite(values)], (0, 1)).all())
    assert opened.warping.keeps_values(GRID.resolution) == are_kept
