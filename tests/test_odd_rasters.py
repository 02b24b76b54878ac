"""Rasters that hold what few do, or lie as few do: read right, or refused."""

import gzip
import json
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
import rasterio

from tests import synthetic
from tests.bounded import build
from tests.planes import CRS, LEFT, TOP, values, workspace


def tiles(root: Path) -> dict:
    """Return the tiles of both outlines: their values, and those of the plane."""
    found = {}
    for feature in "ab":
        with rasterio.open(root / "datasets" / "region" / feature / "x.tif") as src:
            left, top = src.transform.c, src.transform.f
            expected = synthetic.sample(values, left, top, 50.0, *src.shape)
            found[feature] = src.read(1), expected
    return found


def turned(degrees: float) -> rasterio.Affine:
    """Return a transform of 50 m pixels, turned around the region's middle."""
    x, y = LEFT + 2000, TOP - 2250
    angle = np.radians(degrees)
    a, b = 50 * np.cos(angle), 50 * np.sin(angle)
    return rasterio.Affine(a, b, x - 100 * (a + b), b, -a, y - 100 * (b - a))


def plane_in(transform: rasterio.Affine, n: int = 200):
    """Return the plane at the pixels of a transform."""
    col, row = np.meshgrid(np.arange(n) + 0.5, np.arange(n) + 0.5)
    a, b, c, d, e, f = transform[:6]
    return values(a * col + b * row + c, d * col + e * row + f)


def odd_tif(path: Path, plane, transform, dtype="float32", **more) -> None:
    """Write a GeoTIFF of a plane; scale and offset are taken out of the values."""
    scale, offset = more.pop("scale", 1.0), more.pop("offset", 0.0)
    profile = {"driver": "GTiff", "count": 1, "crs": CRS, "transform": transform}
    profile |= {"height": plane.shape[0], "width": plane.shape[1], "dtype": dtype}
    with rasterio.open(path, "w", **profile | more) as dst:
        for band in range(1, dst.count + 1):
            dst.write(((plane - offset) / scale).astype(dtype), band)
        if (scale, offset) != (1.0, 0.0):
            dst.scales, dst.offsets = [scale] * dst.count, [offset] * dst.count


UP = rasterio.Affine(25, 0, LEFT, 0, -25, TOP)
PLANES = {
    "turned by 30 degrees": (turned(30), {}),
    "turned by 180 degrees": (turned(180), {}),
    "south up": (rasterio.Affine(25, 0, LEFT, 0, 25, TOP - 200 * 25), {}),
    "east left": (rasterio.Affine(-25, 0, LEFT + 200 * 25, 0, -25, TOP), {}),
    "oblong pixels": (rasterio.Affine(25, 0, LEFT, 0, -40, TOP), {}),
    "sheared": (rasterio.Affine(25, 5, LEFT - 1000, 3, -25, TOP), {}),
    "uint8": (UP, {"dtype": "uint8", "scale": 0.5}),
    "int8": (UP, {"dtype": "int8", "offset": 60.0, "nodata": -128}),
    "int64": (UP, {"dtype": "int64", "scale": 1e-6, "nodata": -(2**63)}),
    "uint64": (UP, {"dtype": "uint64", "scale": 1e-6}),
    "float64": (UP, {"dtype": "float64", "nodata": 1e300}),
    "float16 is none of GDAL": (UP, {"dtype": "float32", "nbits": 16}),
    "scale and offset": (UP, {"dtype": "int16", "scale": -0.01, "offset": 300.0}),
    "nodata is NaN": (UP, {"nodata": np.nan}),
    "nodata is infinite": (UP, {"nodata": -np.inf}),
    "nodata is 1e38": (UP, {"nodata": 1e38}),
    "nodata is no number of the type": (UP, {"dtype": "uint16", "scale": 0.01}),
    "bands": (UP, {"count": 5, "interleave": "pixel"}),
    "bits": (UP, {"dtype": "uint8", "nbits": 7}),
    "big": (UP, {"BIGTIFF": "YES", "endianness": "BIG", "compress": "lzma"}),
}


@pytest.mark.parametrize("kind", PLANES)
def test_what_few_files_hold_is_read_right(ginv, tmp_path, kind):
    "A plane stays what it is, however its pixels lie and are kept."
    transform, profile = PLANES[kind]
    file = workspace(tmp_path)
    odd_tif(tmp_path / "data/x.tif", plane_in(transform), transform, **profile)
    assert build(ginv, file, "x.tif").exit_code == 0
    step = profile.get("scale", 1.0) if "int" in profile.get("dtype", "") else 0.01
    for tile, expected in tiles(tmp_path).values():
        np.testing.assert_allclose(tile, expected, atol=max(abs(step), 0.02) * 1.01)


@pytest.mark.parametrize("nodata", [b"-99", b"999", b"0.5", b"inf"])
def test_a_nodata_number_that_no_pixel_can_hold_marks_none(ginv, tmp_path, nodata):
    "Rounded to the type of the pixels, it would be another number."
    file, path = workspace(tmp_path), tmp_path / "data" / "x.tif"
    plane = np.tile(np.arange(256.0) % 2, (256, 1))
    odd_tif(path, plane, UP, "uint8", nodata=255)
    content = path.read_bytes()
    assert content.count(b"255\0") == 1
    path.write_bytes(content.replace(b"255\0", nodata + b"\0"))
    assert build(ginv, file, "x.tif").exit_code == 0
    for tile, _ in tiles(tmp_path).values():
        assert np.isfinite(tile).all()


@pytest.mark.parametrize("unknown", [np.inf, -np.inf, np.nan, 1e39])
def test_what_is_no_number_is_no_data(ginv, tmp_path, unknown):
    "An infinite pixel, or one that float32 cannot hold, spreads to no other."
    plane = plane_in(UP)
    plane[60:70, 60:70] = unknown
    file = workspace(tmp_path)
    odd_tif(tmp_path / "data/x.tif", plane, UP, "float64")
    assert build(ginv, file, "x.tif").exit_code == 0
    for tile, expected in tiles(tmp_path).values():
        assert not np.isinf(tile).any()
        known = np.isfinite(tile)
        assert known.mean() > 0.8
        np.testing.assert_allclose(tile[known], expected[known], atol=0.7)


REFUSED = {
    "complex": (UP, {"dtype": "complex64"}, "complex numbers"),
    "no CRS": (UP, {"crs": None}, "has no CRS"),
    "a CRS of no place": (
        UP,
        {"crs": 'LOCAL_CS["here",UNIT["metre",1]]'},
        "cannot be transformed to EPSG",
    ),
    "a transform of zeros": (rasterio.Affine(0, 0, LEFT, 0, 0, TOP), {}, "no place"),
    "parallel axes": (rasterio.Affine(20, 40, 5, 10, 20, 5), {}, "no place"),
    "no finite transform": (
        rasterio.Affine(np.nan, 0, LEFT, 0, -25, TOP),
        {},
        "no place",
    ),
    "another nodata": (UP, {"nodata": 1.0, "holds": -9999.0}, "is declared as nodata"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_used_is_refused_in_words(ginv, tmp_path, kind):
    "By check, and by the build, which writes nothing."
    transform, profile, message = REFUSED[kind]
    plane = plane_in(UP)
    profile = dict(profile)
    if "holds" in profile:
        plane[::10] = profile.pop("holds")
    file = workspace(tmp_path)
    odd_tif(tmp_path / "data/x.tif", plane, transform, **profile)
    outcome = build(ginv, file, "x.tif")
    assert outcome.exit_code == 1
    assert message in outcome.output


VRT = """<VRTDataset rasterXSize="200" rasterYSize="200">
<SRS>EPSG:32632</SRS><GeoTransform>{transform}</GeoTransform>
<VRTRasterBand dataType="Float32" band="1"{kind}>{band}</VRTRasterBand></VRTDataset>"""
TRANSFORM = f"{LEFT}, 25, 0, {TOP}, 0, -25"
SIMPLE = (
    '<SimpleSource><SourceFilename relativeToVRT="1">{}</SourceFilename>'
    "<SourceBand>1</SourceBand></SimpleSource>"
)
CODE = (
    "<PixelFunctionType>f</PixelFunctionType>"
    "<PixelFunctionLanguage>Python</PixelFunctionLanguage><PixelFunctionCode>"
    "<![CDATA[\ndef f(*_):\n    open('MARK', 'w')\n]]></PixelFunctionCode>"
)
VRTS = {
    "of a file": ("", SIMPLE.format("y.tif"), 0),
    "of a file elsewhere": ("", SIMPLE.format("../elsewhere/y.tif"), 0),
    "of a file that is not there": ("", SIMPLE.format("z.tif"), 1),
    "of itself": ("", SIMPLE.format("x.vrt"), 1),
    "of a VRT of itself": ("", SIMPLE.format("y.vrt"), 1),
    "of no raster": ("", SIMPLE.format("o.gpkg"), 1),
    "of a folder": ("", SIMPLE.format(".."), 1),
    "of code": (' subClass="VRTDerivedRasterBand"', CODE + SIMPLE.format("y.tif"), 1),
}


@pytest.mark.parametrize("kind", VRTS)
def test_a_vrt_is_read_where_its_files_are(ginv, tmp_path, kind):
    "And refused by its name where they are not; code in it never runs."
    subclass, band, code = VRTS[kind]
    file = workspace(tmp_path, "x.vrt")
    (tmp_path / "elsewhere").mkdir()
    for folder in ("data", "elsewhere"):
        odd_tif(tmp_path / folder / "y.tif", plane_in(UP), UP)
    turn = VRT.format(transform=TRANSFORM, kind="", band=SIMPLE.format("x.vrt"))
    (tmp_path / "data" / "y.vrt").write_text(turn)
    mark = tmp_path / "mark"
    text = VRT.format(transform=TRANSFORM, kind=subclass, band=band)
    (tmp_path / "data/x.vrt").write_text(text.replace("MARK", str(mark)))
    assert build(ginv, file, "x.vrt").exit_code == code
    assert not mark.exists()
    if code == 0:
        for tile, expected in tiles(tmp_path).values():
            np.testing.assert_allclose(tile, expected, atol=1e-3)


ARCHIVED = {
    "zip": ("/vsizip/x.zip/inner/x.tif", "/vsizip/x.zip/inner/o.gpkg"),
    "zip by its whole path": ("/vsizip/{}/x.zip/inner/x.tif", "o.gpkg"),
    "gzip": ("/vsigzip/x.tif.gz", "o.gpkg"),
    "tar": ("/vsitar/x.tar.gz/inner/x.tif", "/vsitar/x.tar.gz/inner/o.gpkg"),
    "zip of no such file": ("/vsizip/x.zip/none.tif", "o.gpkg"),
    "no such zip": ("/vsizip/none.zip/x.tif", "/vsizip/none.zip/o.gpkg"),
}


@pytest.mark.parametrize("kind", ARCHIVED)
def test_files_in_archives_are_read_as_others(ginv, tmp_path, kind):
    "By the paths that GDAL gives them, below the data folder or whole."
    raster, outlines = (name.format(tmp_path / "data") for name in ARCHIVED[kind])
    file, inner = workspace(tmp_path, raster), tmp_path / "packed" / "inner"
    inner.mkdir(parents=True)
    odd_tif(inner / "x.tif", plane_in(UP), UP)
    shutil.copy(tmp_path / "data" / "o.gpkg", inner)
    shutil.make_archive(tmp_path / "data/x", "zip", inner.parent)
    shutil.make_archive(tmp_path / "data/x", "gztar", inner.parent)
    packed = gzip.compress((inner / "x.tif").read_bytes())
    (tmp_path / "data/x.tif.gz").write_bytes(packed)
    raw = json.loads(file.read_text())
    raw["dataset_description"]["shapefile_file"] = outlines
    synthetic.write_json(file, raw)
    outcome = build(ginv, file, "none.zip" if "no such zip" in kind else "x.zip")
    assert outcome.exit_code == ("no such" in kind)
    if outcome.exit_code == 0:
        for tile, expected in tiles(tmp_path).values():
            np.testing.assert_allclose(tile, expected, atol=1e-3)
        assert "0 tiles written, 2 kept" in build(ginv, file, "x").output


def test_a_sparse_raster_of_1e10_pixels_takes_no_time(ginv, tmp_path):
    "40 GB if it were read whole; what nobody has written is no data."
    file, n = workspace(tmp_path), 100_000
    path = tmp_path / "data" / "x.tif"
    profile = {"driver": "GTiff", "count": 1, "dtype": "float32", "crs": CRS}
    profile |= {"height": n, "width": n, "nodata": -1.0, "sparse_ok": True}
    profile |= {"tiled": True, "BIGTIFF": "YES", "compress": "deflate"}
    transform = rasterio.Affine(0.5, 0, LEFT + 600, 0, -0.5, TOP - 1000)
    with rasterio.open(path, "w", **profile, transform=transform) as dst:
        dst.write(np.full((1, 600, 600), 7, "f4"), window=((0, 600), (0, 600)))
    assert build(ginv, file, "x.tif").exit_code == 0
    for tile, _ in tiles(tmp_path).values():
        assert set(np.unique(tile[np.isfinite(tile)])) <= {7.0}


def test_a_raster_of_tens_of_thousands_of_bands_takes_no_time(ginv, tmp_path):
    "As its header says it: a band is read as from any other."
    file = workspace(tmp_path)
    path = tmp_path / "data" / "x.tif"
    odd_tif(path, plane_in(UP), UP, blockysize=1)
    content = bytearray(path.read_bytes())
    (first,) = struct.unpack_from("<I", content, 4)
    (n_tags,) = struct.unpack_from("<H", content, first)
    for place in range(first + 2, first + 2 + 12 * n_tags, 12):
        if struct.unpack_from("<H", content, place) == (277,):  # SamplesPerPixel
            struct.pack_into("<H", content, place + 8, 58_881)
    path.write_bytes(content)
    build(ginv, file, "x.tif")
