"""Warping, against gdalwarp; nodata, which is never blended into data."""

import json
import shutil
import subprocess

import numpy as np
import pytest
import rasterio
import shapely
from pyproj import Transformer

from glacier_inversion.checking.coverage import describe_source
from glacier_inversion.choices import Resampling
from glacier_inversion.errors import RasterError, WorkspaceError
from glacier_inversion.geodata import warping
from glacier_inversion.geodata.geotiffs import (
    geotiff_writer,
    read_tags,
    read_tile,
    write_tile,
)
from glacier_inversion.geodata.rasterizing import inside
from glacier_inversion.geodata.rasters import open_source, warp
from glacier_inversion.grid import Grid
from tests import synthetic
from tests.synthetic import EPSG, NODATA, OTHER_EPSG, write_raster

needs_gdal = pytest.mark.skipif(
    shutil.which("gdalwarp") is None, reason="gdalwarp (package gdal-bin) is missing"
)
GRID = Grid(420_600.0, 5_149_400.0, 50.0, 31, 44)


def source(path, resolution=50.0, epsg=EPSG, band=1, nodata=None, resampling=None):
    """Open a source with the defaults of an experiment."""
    numbers = [nodata] if isinstance(nodata, (int, float)) else nodata
    return open_source(path, band, numbers, resampling, resolution, epsg)


def noise(path, epsg, resolution=20.0, dtype="f4"):
    """Write a raster of noise with holes around GRID."""
    rng = np.random.default_rng(1)
    values = (rng.normal(size=(260, 310)) * 1000).astype(dtype)
    values[rng.random(values.shape) < 0.1] = NODATA
    left, bottom, right, top = GRID.bounds
    if epsg != EPSG:
        left, _, _, top = rasterio.warp.transform_bounds(
            f"EPSG:{EPSG}", f"EPSG:{epsg}", left, bottom, right, top
        )
    write_raster(path, values, left - 1007, top + 1003, resolution, epsg)
    return path


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


@pytest.mark.parametrize("method", ["average", "bilinear", "cubic"])
@pytest.mark.parametrize("declared", [True, False], ids=["declared", "overridden"])
def test_nodata_is_never_blended_into_data(tmp_path, method, declared):
    "Of a constant raster with holes every valid pixel is that constant."
    values = np.full((300, 300), 7.0, dtype="f4")
    values[100:140, 90:200] = NODATA
    values[:, ::17] = NODATA
    nodata = NODATA if declared else None
    write_raster(tmp_path / "c.tif", values, 420_000, 5_150_000, 20.0, nodata=nodata)
    override = None if declared else NODATA
    tile = warp(source(tmp_path / "c.tif", nodata=override, resampling=method), GRID)
    assert 0 < np.isnan(tile).sum() < tile.size
    np.testing.assert_allclose(tile[np.isfinite(tile)], 7.0, rtol=1e-6)


def test_nan_is_nodata_without_being_declared(tmp_path):
    "NaN takes no part in the resampling."
    values = np.full((300, 300), 7.0, dtype="f4")
    values[:, ::17] = np.nan
    write_raster(tmp_path / "c.tif", values, 420_000, 5_150_000, 20.0, nodata=None)
    tile = warp(source(tmp_path / "c.tif", resampling="average"), GRID)
    np.testing.assert_allclose(tile, 7.0, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["f4", "f8", "i2", "i4"])
def test_undeclared_nodata_is_refused(tmp_path, dtype):
    "-9999 averaged into its neighbours would be a silent error."
    values = np.full((300, 300), 7, dtype=dtype)
    values[60, 60] = NODATA
    write_raster(tmp_path / "c.tif", values, 420_000, 5_150_000, 20.0, nodata=None)
    opened = source(tmp_path / "c.tif")
    with pytest.raises(
        RasterError, match=r"holds -9999, and no number is declared.*Add"
    ):
        warp(opened, GRID)
    far = Grid(423_000.0, 5_147_000.0, 50.0, 9, 9)
    assert np.isfinite(warp(opened, far)).all()


def test_undeclared_nodata_is_found_in_south_up_files(tmp_path):
    "A file whose rows go north is a file too."
    values = np.full((300, 300), 7, dtype="f4")
    values[60, 60] = NODATA
    path = tmp_path / "s.tif"
    with rasterio.open(
        path, "w", driver="GTiff", count=1, height=300, width=300, dtype="float32",
        crs=f"EPSG:{EPSG}", transform=rasterio.Affine(20, 0, 420_000, 0, 20, 5_144_000),
    ) as dst:  # fmt: skip
        dst.write(values, 1)
    grid = Grid(420_600.0, 5_147_000.0, 50.0, 60, 60)
    with pytest.raises(
        RasterError, match="holds -9999, and no number is declared as nodata"
    ):
        warp(source(path), grid)


def test_infinite_values_are_unknown(tmp_path):
    "Not numbers to learn from."
    values = np.full((300, 300), 7, dtype="f4")
    values[40:60, 40:60] = np.inf
    write_raster(tmp_path / "i.tif", values, 420_000, 5_150_000, 20.0, nodata=None)
    tile = warp(source(tmp_path / "i.tif", resampling="nearest"), GRID)
    assert np.isnan(tile).any()
    assert set(tile[np.isfinite(tile)]) == {7.0}


@pytest.mark.parametrize(("dtype", "nodata"), [("u1", -9999.0), ("f4", 1e300)])
def test_nodata_that_the_file_cannot_hold_is_refused(tmp_path, dtype, nodata):
    "It would never match."
    values = np.ones((9, 9), dtype)
    write_raster(tmp_path / "n.tif", values, 0, 0, 20.0, nodata=None)
    with pytest.raises(RasterError, match="the type of the file"):
        source(tmp_path / "n.tif", nodata=nodata)


def test_a_raster_larger_than_memory_is_read_by_window(tmp_path):
    "160 GB if it were read whole: a sparse file, written at one corner alone."
    path = tmp_path / "huge.tif"
    profile = {"driver": "GTiff", "count": 1, "dtype": "float32", "crs": f"EPSG:{EPSG}"}
    transform = rasterio.Affine(2.0, 0, 420_000, 0, -2.0, 5_150_000)
    with rasterio.open(
        path, "w", height=200_000, width=200_000, transform=transform, tiled=True,
        sparse_ok=True, BIGTIFF="YES", **profile,
    ) as dst:  # fmt: skip
        dst.write(np.full((1, 2000, 2000), 7, "f4"), window=((0, 2000), (0, 2000)))
    assert path.stat().st_size < 40e6
    tile = warp(source(path), GRID)
    assert tile.shape == GRID.shape
    assert set(np.unique(tile)) == {7.0}


def test_zero_is_data(tmp_path):
    "A speed of 0 is a speed."
    write_raster(
        tmp_path / "z.tif", np.zeros((300, 300), "f4"), 420_000, 5_150_000, 20.0
    )
    assert (warp(source(tmp_path / "z.tif"), GRID) == 0).all()


def test_band_scale_and_offset(tmp_path):
    "The second band is read, in the unit that its scale gives."
    path = tmp_path / "b.tif"
    bands = np.stack([np.zeros((300, 300), "i2"), np.full((300, 300), 40, "i2")])
    write_raster(path, bands, 420_000, 5_150_000, 20.0)
    with rasterio.open(path, "r+") as dst:
        dst.scales, dst.offsets = (1.0, 0.5), (0.0, 3.0)
    np.testing.assert_array_equal(warp(source(path, band=2), GRID), 23.0)


def test_a_raster_elsewhere_gives_a_tile_without_data(tmp_path):
    "No overlap is no error: radar covers few glaciers."
    write_raster(tmp_path / "e.tif", np.ones((9, 9), "f4"), 1e5, 4e6, 20.0)
    assert np.isnan(warp(source(tmp_path / "e.tif"), GRID)).all()


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


def placed(*transform):
    """Return what writes a raster with a transform."""

    def write(path):
        write_raster(path, np.ones((9, 9), "f4"), 0, 0, 20.0)
        with rasterio.open(path, "r+") as dst:
            dst.transform = rasterio.Affine(*transform)

    return write


def complex_numbers(dtype):
    """Return what writes a raster of complex numbers."""

    def write(path):
        values = np.ones((9, 9), np.complex64)
        with rasterio.open(
            path,
            "w",
            driver="GTiff",
            count=1,
            height=9,
            width=9,
            dtype=dtype,
            crs=f"EPSG:{EPSG}",
            transform=rasterio.Affine(20, 0, 0, 0, -20, 0),
        ) as dst:
            dst.write(values, 1)

    return write


def no_crs(path):
    write_raster(path, np.ones((9, 9), "f4"), 0, 0, 20.0, epsg=None)


def no_transform(path):
    write_raster(path, np.ones((9, 9), "f4"), 0, 0, 1.0)
    with rasterio.open(path, "r+") as dst:
        dst.transform = rasterio.Affine(1, 0, 0, 0, 1, 0)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize(
    ("make", "band", "message"),
    [
        (lambda path: None, 1, "does not exist"),
        (lambda path: path.write_text("no raster"), 1, "cannot be read"),
        (no_crs, 1, "has no CRS"),
        (no_transform, 1, "is not georeferenced"),
        (
            lambda path: write_raster(path, np.ones((9, 9), "f4"), 0, 0, 9.0),
            2,
            "no band 2",
        ),
        (lambda path: path.mkdir(), 1, "is no file. Must be a raster"),
        (placed(0, 0, 5, 0, 0, 5), 1, r"its transform \(0, 0, 5, 0, 0, 5\) gives"),
        (placed(20, 40, 5, 10, 20, 5), 1, "gives pixels no place"),
        (placed(float("nan"), 0, 5, 0, -20, 5), 1, "gives pixels no place"),
        (placed(20, 0, float("inf"), 0, -20, 5), 1, "gives pixels no place"),
        (placed(1e-200, 0, 5, 0, -1e-200, 5), 1, "gives pixels no place"),
        (complex_numbers("complex64"), 1, r"complex numbers \(complex64\)"),
        (complex_numbers("complex_int16"), 1, r"complex numbers \(complex_int16\)"),
    ],
)
def test_rasters_that_cannot_be_used_are_refused(tmp_path, make, band, message):
    "One message, with the file."
    make(tmp_path / "r.tif")
    with pytest.raises(RasterError, match=rf"r\.tif: .*{message}"):
        source(tmp_path / "r.tif", band=band)


def test_a_raster_whose_middle_lies_nowhere_is_used(tmp_path):
    "The size of its pixels is not known, in words that JSON has; nor is infinity one."
    globe = np.ones((18, 36), "f4")
    path = tmp_path / "globe.tif"
    write_raster(path, globe, -180.0, 300.0, 20.0, 4326, float("inf"))
    found = open_source(path, 1, None, None, 50.0, 3031)
    described = json.loads(json.dumps(describe_source(found), allow_nan=False))
    assert described["pixel_size"] is None
    assert described["nodata"] == ["inf"]
    assert found.warping.method == "bilinear"


@pytest.mark.parametrize("seed", range(12))
def test_broken_bytes_are_an_error_of_the_file(tmp_path, capfd, seed):
    "Or harmless, with nothing printed."
    path = noise(tmp_path / "noise.tif", EPSG)
    synthetic.damage(path, np.random.default_rng(seed), 600)
    try:
        warp(source(path), GRID)
    except RasterError as error:
        assert "noise.tif: " in str(error)  # noqa: PT017  it may be read as well
    assert capfd.readouterr() == ("", "")


def test_a_truncated_raster_is_an_error_of_the_file(tmp_path):
    "Not a traceback of GDAL."
    path = noise(tmp_path / "noise.tif", EPSG)
    opened = source(path)
    path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(RasterError, match=r"noise\.tif: cannot be read"):
        warp(opened, GRID)


def test_tiles_are_whole_or_not_there(tmp_path):
    "An error while writing leaves the file that was there."
    path = tmp_path / "folder" / "t.tif"
    values = np.arange(12, dtype="f4").reshape(3, 4)
    grid = Grid(0.0, 300.0, 100.0, 3, 4)
    write_tile(path, values, grid, EPSG, {"KEY": "value"})

    def interrupted():
        with geotiff_writer(path, grid, EPSG, {}) as write:
            write(values[:1], slice(0, 1), slice(0, 4))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        interrupted()
    np.testing.assert_array_equal(read_tile(path), values)
    np.testing.assert_array_equal(
        read_tile(path, slice(1, 3), slice(0, 2)), values[1:, :2]
    )
    assert read_tags(path)["KEY"] == "value"
    assert [p.name for p in path.parent.iterdir()] == ["t.tif"]


def test_a_folder_that_is_a_file_cannot_be_written(tmp_path):
    "The message says what to do."
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError, match=r"cannot be written.*another --workspace"):
        write_tile(tmp_path / "file" / "t.tif", np.ones((1, 1), "f4"), GRID, EPSG, {})


def test_inside_tests_pixel_centres_and_keeps_holes():
    "Against a loop over all pixels."
    polygon = synthetic.FEATURES[1][1]
    left, _, _, top = polygon.bounds
    grid = Grid(left - 73, top + 61, 50.0, 20, 25)
    expected = [
        [
            polygon.contains(synthetic_point(grid.x(col), grid.y(row)))
            for col in range(25)
        ]
        for row in range(20)
    ]
    np.testing.assert_array_equal(inside([polygon], grid), expected)
    assert not inside([], grid).any()


def test_a_boundary_may_meet_the_corner_of_a_window():
    "Where clipping by a rectangle, instead of intersecting with it, goes wrong."
    polygon = shapely.Polygon([(4, 4), (5, 5), (5, 2), (0, 8)])
    whole = inside([polygon], Grid(-10.0, 20.0, 0.25, 120, 120))
    grid = Grid(-10.0, 20.0, 0.25, 120, 120)
    rows, cols = slice(61, 79), slice(41, 59)  # a pixel further out: 0 to 5
    part = inside([polygon], grid.window(rows, cols))
    np.testing.assert_array_equal(part, whole[rows, cols])
    assert part.any()


def test_inside_a_window_is_the_window_of_inside():
    "Wherever it lies: of the outline only what is near is looked at."
    rng = np.random.default_rng(0)
    angle = np.sort(rng.random(3000)) * 2 * np.pi
    radius = 1000 * (1 + 0.4 * np.sin(5 * angle) + 0.05 * rng.random(3000))
    around = np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])
    polygon = shapely.Polygon(around).buffer(0) - shapely.Point(100, 50).buffer(200)
    grid = Grid(-1500.0, 1500.0, 10.0, 300, 300)
    for touched in (False, True):
        whole = inside([polygon], grid, touched)
        for row in range(0, 300, 30):
            for col in range(0, 300, 30):
                rows, cols = slice(row, row + 30), slice(col, col + 30)
                part = inside([polygon], grid.window(rows, cols), touched)
                np.testing.assert_array_equal(part, whole[rows, cols])


def synthetic_point(x, y):
    """Return a point."""
    from shapely.geometry import Point  # noqa: PLC0415

    return Point(float(x), float(y))


@pytest.mark.parametrize("declared", [np.nan, -32768.0, 0.0])
@pytest.mark.parametrize("named", [None, 0])
def test_a_usual_nodata_number_beside_another_is_refused(tmp_path, declared, named):
    "It would be averaged in; the message says what to write."
    values = np.full((300, 300), 7, dtype="f4")
    values[60, 60] = NODATA
    write_raster(tmp_path / "c.tif", values, 420_000, 5_150_000, 20.0, nodata=declared)
    opened = source(tmp_path / "c.tif", nodata=named)
    with pytest.raises(RasterError, match=r"holds -9999.*\"nodata\": .*-9999"):
        warp(opened, GRID)


def test_several_numbers_may_mean_no_data(tmp_path):
    "All of them, and NaN, take no part in any resampling."
    values = np.full((300, 300), 7, dtype="f4")
    values[::9], values[:, ::11], values[:, ::13] = NODATA, np.nan, 0
    path = tmp_path / "c.tif"
    write_raster(path, values, 420_000, 5_150_000, 20.0, nodata=NODATA)
    for method in Resampling.__args__:
        tile = warp(source(path, nodata=[0, NODATA], resampling=method), GRID)
        assert np.isfinite(tile).any()
        np.testing.assert_allclose(tile[np.isfinite(tile)], 7.0, rtol=1e-6)


@pytest.mark.parametrize("method", Resampling.__args__)
def test_nan_beside_a_declared_number_is_unknown_like_it(tmp_path, method):
    "A file that says -9999 and holds NaN gives the tile of one that holds -9999 alone."
    values = np.random.default_rng(3).normal(size=(300, 300)).astype("f4")
    holes = np.random.default_rng(4).random(values.shape) < 0.1
    tiles = []
    for unknown in (np.nan, NODATA):
        values[holes] = unknown
        write_raster(tmp_path / "h.tif", values, 420_000, 5_150_000, 20.0)
        tiles.append(warp(source(tmp_path / "h.tif", resampling=method), GRID))
    np.testing.assert_array_equal(*tiles)


def test_the_least_float32_may_be_named_as_it_is_printed(tmp_path):
    "-3.4028235e38 is a little less than it; it is a common nodata number."
    values = np.full((300, 300), 7, dtype="f4")
    values[::9] = np.finfo("f4").min
    write_raster(tmp_path / "c.tif", values, 420_000, 5_150_000, 20.0, nodata=None)
    tile = warp(source(tmp_path / "c.tif", nodata=-3.4028235e38), GRID)
    np.testing.assert_allclose(tile[np.isfinite(tile)], 7.0, rtol=1e-6)


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
