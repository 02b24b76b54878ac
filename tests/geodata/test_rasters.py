"""Rasters: nodata is never blended into data; what cannot be used is refused."""

import numpy as np
import pytest
import rasterio
from rasterio.control import GroundControlPoint
from rasterio.enums import ColorInterp
from rasterio.transform import Affine
from rasterio.warp import reproject

from glacier_inversion.choices import Resampling
from glacier_inversion.errors import RasterError
from glacier_inversion.geodata.rasters import warp
from glacier_inversion.grid import Grid
from tests import synthetic
from tests.geodata.helpers import GRID, noise, source, write_masked_vrt
from tests.synthetic import EPSG, NODATA, write_raster


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


MASKED_BY = ["inside", "beside", "opacity", "a VRT", "a VRT's band", "band by band"]


def hide(path, kind, bands, seen):
    "Write a file whose first band has no data where *seen* is 0; return what to read."
    if kind == "opacity":
        bands = np.concatenate([bands, seen[None] / 255])
    write_raster(path, bands.astype("f4"), 420_000, 5_150_000, 20.0, nodata=None)
    mask = path.with_name("c.tif.msk" if kind == "band by band" else "mask.tif")
    if "VRT" in kind or kind == "band by band":
        write_raster(mask, seen, 420_000, 5_150_000, 20.0, nodata=None)
    if "VRT" in kind:
        return write_masked_vrt(path.with_name("c.vrt"), path, mask, "band" in kind)
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=kind == "inside"),
        rasterio.open(mask if kind == "band by band" else path, "r+") as dst,
    ):
        if kind == "band by band":
            dst.update_tags(INTERNAL_MASK_FLAGS_1=0)
        elif kind == "opacity":
            dst.colorinterp = [ColorInterp.gray, ColorInterp.alpha]
        else:
            dst.write_mask(seen)
    beside = path.with_suffix(".tif.msk").exists()
    assert beside == (kind in ("beside", "band by band"))
    return path


@pytest.mark.parametrize("hidden", [0, 5, NODATA])
@pytest.mark.parametrize("kind", MASKED_BY)
def test_what_a_mask_hides_is_no_data(tmp_path, kind, hidden):
    "Whatever number is beneath, a usual nodata number, too."
    values = np.random.default_rng(0).normal(500, 100, (300, 300)).astype("f4")
    seen = np.full(values.shape, 255, dtype="u1")
    seen[100:140, 90:200] = seen[::17] = 0
    path = hide(tmp_path / "c.tif", kind, np.where(seen, values, hidden)[None], seen)
    found = source(path, resampling="average")
    tile = warp(found, GRID)
    expected = np.full(GRID.shape, np.nan, dtype="f4")
    with rasterio.open(path) as src:
        if kind != "opacity":
            np.testing.assert_array_equal(src.read_masks(1), seen)
        reproject(
            np.where(seen, values, np.nan),
            expected,
            src_transform=src.transform,
            src_crs=src.crs,
            dst_transform=Affine(*GRID.transform),
            dst_crs=src.crs,
            src_nodata=np.nan,
            dst_nodata=np.nan,
            resampling=rasterio.enums.Resampling.average,
        )
    assert 0 < np.isnan(expected).sum() < expected.size
    np.testing.assert_allclose(tile, expected, rtol=1e-6)
    assert {file.name for file in found.files} == {p.name for p in tmp_path.iterdir()}


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


@pytest.mark.parametrize("number", [1e39, -1e300, np.inf, np.nan])
@pytest.mark.parametrize("method", ["average", "bilinear"])
def test_what_float32_cannot_hold_is_never_blended_into_data(tmp_path, number, method):
    "A quarter of 1e39 would be a number that it can hold."
    values = np.full((300, 300), 7, dtype="f8")
    values[60::7, 60::7] = number
    write_raster(tmp_path / "c.tif", values, 420_000, 5_150_000, 20.0, nodata=None)
    tile = warp(source(tmp_path / "c.tif", resampling=method), GRID)
    np.testing.assert_allclose(tile[np.isfinite(tile)], 7.0, rtol=1e-6)
    assert np.isfinite(tile).mean() > 0.9


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


@pytest.mark.parametrize(
    ("scale", "offset"), [(0.0, 0.0), (np.nan, 0.0), (np.inf, 0.0), (1.0, np.nan)]
)
def test_a_scale_that_leaves_nothing_is_refused(tmp_path, scale, offset):
    "A scale of 0 would make all of a raster 0, which is data."
    path = tmp_path / "b.tif"
    write_raster(path, np.full((9, 9), 40, "i2"), 420_000, 5_150_000, 20.0)
    with rasterio.open(path, "r+") as dst:
        dst.scales, dst.offsets = (scale,), (offset,)
    with pytest.raises(RasterError, match=r"b\.tif: band 1 has the scale .* not 0\."):
        source(path)


def test_a_raster_elsewhere_gives_a_tile_without_data(tmp_path):
    "No overlap is no error: radar covers few glaciers."
    write_raster(tmp_path / "e.tif", np.ones((9, 9), "f4"), 1e5, 4e6, 20.0)
    assert np.isnan(warp(source(tmp_path / "e.tif"), GRID)).all()


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


def control_points(path):
    no_crs(path)
    corners = ((row, col) for row in (0, 9) for col in (0, 9))
    points = [GroundControlPoint(r, c, 7 + c / 9, 46 - r / 9, 0.0) for r, c in corners]
    with rasterio.open(path, "r+") as dst:
        dst.gcps = points, rasterio.CRS.from_epsg(4326)


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
        (control_points, 1, "says by 4 control points alone.*gdalwarp"),
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


PICTURES = [
    (1, "uint8", 1, "indices into a colour table"),
    (4, "uint8", 1, "the red of a picture"),
    (4, "uint8", 3, "the blue of a picture"),
    (4, "uint8", 4, "the opacity of a picture"),
    (4, "uint16", 2, None),
    (4, "uint16", 4, "the opacity of a picture"),
]


@pytest.mark.parametrize(("n_bands", "dtype", "band", "pictured"), PICTURES)
def test_pictures_are_told_by_their_colours(tmp_path, n_bands, dtype, band, pictured):
    "The red of 16 bits is a satellite's, and may be a quantity."
    synthetic.write_picture(tmp_path / "p.tif", n_bands, dtype)
    assert source(tmp_path / "p.tif", band=band).pictured == pictured


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
@pytest.mark.parametrize("n_bands", [1, 2])
def test_bands_without_colours_are_no_pictures(tmp_path, n_bands, dtype):
    "They are gray or undefined, as nearly all rasters are."
    values = np.ones((n_bands, 9, 9), dtype)
    write_raster(tmp_path / "q.tif", values, 420_000, 5_150_000, 20.0, nodata=0)
    for band in range(1, n_bands + 1):
        assert source(tmp_path / "q.tif", band=band).pictured is None
