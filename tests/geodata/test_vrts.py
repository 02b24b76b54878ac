"""VRTs and what they are made of."""

import zipfile
from types import SimpleNamespace
from xml.sax.saxutils import escape

import numpy as np
import pytest
import rasterio
import rasterio.shutil

from glacier_inversion.errors import RasterError
from glacier_inversion.geodata.archives import path_of
from glacier_inversion.geodata.rasters import warp
from glacier_inversion.geodata.subdatasets import check_is_one
from glacier_inversion.geodata.vrts import find_files
from tests.geodata.helpers import GRID, noise, source, write_masked_vrt
from tests.synthetic import EPSG


@pytest.fixture
def vrt(tmp_path):
    """A VRT of an ASCII grid."""
    tif, grid = noise(tmp_path / "noise.tif", EPSG), tmp_path / "noise.asc"
    rasterio.shutil.copy(tif, grid, driver="AAIGrid")
    path = tmp_path / "mosaic.vrt"
    rasterio.shutil.copy(grid, path, driver="VRT")
    return path


def test_a_vrt_of_an_ascii_grid_gives_its_tile(vrt):
    "As the grid itself does."
    grid = vrt.with_name("noise.asc")
    np.testing.assert_array_equal(warp(source(vrt), GRID), warp(source(grid), GRID))


@pytest.mark.parametrize("of_band", [False, True])
def test_all_that_a_vrt_is_made_of_is_found(vrt, tmp_path, of_band):
    "By way of other VRTs, and of masks in other folders, too."
    folder = tmp_path / "a & b"
    folder.mkdir()
    mask = noise(folder / "mask.tif", EPSG)
    noise(folder / "mask.tif.msk", EPSG)
    inner = write_masked_vrt(folder / "mask.vrt", mask, mask, of_band)
    path = write_masked_vrt(tmp_path / "outer.vrt", vrt, inner, of_band)
    found = {str(file.resolve().relative_to(tmp_path)) for file in find_files(path)}
    assert found == {
        *("outer.vrt", "mosaic.vrt", "noise.asc", "noise.prj", "noise.asc.aux.xml"),
        *("a & b/mask.vrt", "a & b/mask.tif", "a & b/mask.tif.msk"),
    }


def rename(path, old, new, is_relative=False):
    """Name another part in a VRT, its only one of this name."""
    text, name = path.read_text(), f'"1">{old}<'
    assert text.count(name) == 1
    path.write_text(text.replace(name, f'"{int(is_relative)}">{escape(new)}<'))


@pytest.mark.parametrize("kind", ["is not there", "is no raster", "in no archive"])
def test_a_part_that_cannot_be_opened_is_refused(tmp_path, kind):
    "Else GDAL gives zeros for it, from the second read on, while any VRT is open."
    tif, path = noise(tmp_path / "noise.tif", EPSG), tmp_path / "mosaic.vrt"
    rasterio.shutil.copy(tif, path, driver="VRT")
    assert find_files(path) == (path, tif)
    if kind == "in no archive":
        rename(path, "noise.tif", f"/vsizip/{tmp_path}/a.zip/noise.tif")
    tif.unlink()
    if kind == "is no raster":
        tif.write_text("none")
    said = "does not exist" if kind == "is not there" else "cannot be read"
    with pytest.raises(RasterError, match=rf"its part .*noise\.tif: {said}"):
        find_files(path)


def test_a_part_that_the_system_does_not_look_at_is_refused(vrt):
    "By name, as one in a folder that is closed; not by an error of the system."
    name = "n" * 300
    rename(vrt, "noise.asc", f"/{name}.tif")
    with pytest.raises(RasterError, match=f"its part /{name}.tif: cannot be read"):
        find_files(vrt)


@pytest.mark.parametrize(
    "part",
    [
        "NETCDF:{folder}/gone.nc:vx",
        'NETCDF:"{folder}/two.nc":vx',
        "GTIFF_DIR:9:{folder}/noise.tif",
        "vrt://{folder}/gone.tif?bands=1",
        "{folder}/empty",
    ],
)
def test_a_part_that_is_no_file_is_opened_too(several, tmp_path, part):
    "A variable, an image of a GeoTIFF, a folder: zeros were read for those, too."
    (several.parent / "empty").mkdir()
    tif, path = noise(several.parent / "noise.tif", EPSG), tmp_path / "mosaic.vrt"
    rasterio.shutil.copy(tif, path, driver="VRT")
    rename(path, "a &amp; b/noise.tif", part.format(folder=several.parent))
    with pytest.raises(RasterError, match=r"mosaic\.vrt: its part .*: cannot be read"):
        find_files(path)


def zipped(tmp_path, name):
    """A VRT of a file in an archive."""
    tif, path = noise(tmp_path / "noise.tif", EPSG), tmp_path / "mosaic.vrt"
    with zipfile.ZipFile(tmp_path / name, "w") as packed:
        packed.write(tif, tif.name)
    rasterio.shutil.copy(tif, path, driver="VRT")
    return path


@pytest.mark.parametrize("folder", ["", "{folder}/"])
def test_an_archive_in_braces_is_found(tmp_path, monkeypatch, folder):
    "As GDAL asks for where its name does not end like that of an archive."
    path = zipped(tmp_path, "packed.dat")
    part = f"/vsizip/{{{folder.format(folder=tmp_path)}packed.dat}}/noise.tif"
    rename(path, "noise.tif", part)
    monkeypatch.chdir(tmp_path)
    with rasterio.open(path) as src:
        assert src.read(1).any()
    assert find_files(path) == (path, tmp_path / "packed.dat")


def test_what_is_in_another_place_is_not_asked_for(tmp_path):
    "Named with one slash, as rasterio names it, which is no path either."
    path = zipped(tmp_path, "a.zip")
    rename(path, "noise.tif", "/vsizip/vsicurl/http://localhost/a.zip/noise.tif")
    assert find_files(path) == (path,)


@pytest.fixture
def several(tmp_path):
    """A netCDF that holds two rasters, in a folder whose name needs quotes."""
    folder = tmp_path / "a & b"
    folder.mkdir()
    tif, path = tmp_path / "two.tif", folder / "two.nc"
    place = rasterio.Affine(100, 0, 5e5, 0, -100, 5e6)
    profile = {"driver": "GTiff", "count": 2, "dtype": "float32", "crs": EPSG}
    with rasterio.open(tif, "w", width=9, height=9, transform=place, **profile) as dst:
        dst.write(np.ones((2, 9, 9), dtype="f4"))
    rasterio.shutil.copy(tif, path, driver="netCDF")
    return path


@pytest.mark.parametrize("quotes", ["", '"'])
def test_the_file_of_one_of_several_rasters_is_found(several, tmp_path, quotes):
    "Of which a VRT is made: else its tiles would be kept when that file changes."
    path = tmp_path / "one.vrt"
    one = f"NETCDF:{quotes}{several}{quotes}:Band2"
    rasterio.shutil.copy(one, path, driver="VRT")
    assert find_files(path) == (several, path)


def test_an_archive_by_its_relative_path_is_found(tmp_path, monkeypatch):
    "As gdalbuildvrt writes it: one slash, where two begin an absolute path."
    tif, path = noise(tmp_path / "noise.tif", EPSG), tmp_path / "zipped.vrt"
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.write(tif, tif.name)
    monkeypatch.chdir(tmp_path)
    rasterio.shutil.copy("/vsizip/a.zip/noise.tif", path, driver="VRT")
    assert ">/vsizip/a.zip/" in path.read_text()
    assert find_files(path) == (tmp_path / "a.zip", path)


def hold(path, text):
    """Put the text of a VRT in the place where another one names its ASCII grid."""
    rename(path, "noise.asc", f"\n{text}")


@pytest.mark.parametrize("of_mask", [False, True])
def test_what_a_vrt_is_made_of_as_text_is_found(vrt, of_mask):
    "GDAL lists this text for a file, too long to be the name of one; of a mask nothing."
    grid = vrt.with_name("noise.asc")
    within = vrt.read_text().replace('"1">noise.asc<', f'"0">{grid}<')
    within = within.replace(">", f"><!-- {'remark ' * 50}-->", 1)
    expected = {
        vrt,
        grid,
        grid.with_name("noise.prj"),
        grid.with_name(f"{grid.name}.aux.xml"),
    }
    if of_mask:
        tif = vrt.with_name("noise.tif")
        write_masked_vrt(vrt, tif, grid)
        expected.add(tif)
    hold(vrt, within)
    assert set(find_files(vrt)) == expected
    with rasterio.open(vrt) as src:
        assert src.read(1, masked=True).any()
    grid.write_bytes(grid.read_bytes()[:-2000])
    with pytest.raises(RasterError, match=f"its part {grid}: "):
        find_files(vrt)


def test_a_text_names_its_parts_by_the_vrt_that_holds_it(vrt, tmp_path, monkeypatch):
    "As GDAL finds them, wherever it runs."
    hold(vrt, vrt.read_text())
    monkeypatch.chdir(tmp_path.parent)
    assert vrt.with_name("noise.asc") in find_files(vrt)


def test_a_mask_may_be_a_variable_of_a_netcdf_beside(several):
    "Which GDAL finds behind the name of the driver."
    tif, path = noise(several.parent / "noise.tif", EPSG), several.parent / "m.vrt"
    write_masked_vrt(path, tif, several)
    rename(path, "two.nc", "NETCDF:two.nc:Band2", is_relative=True)
    assert several in find_files(path)
    several.unlink()
    with pytest.raises(RasterError, match=r"its part NETCDF:.*: cannot be read"):
        find_files(path)


def test_a_vrt_need_not_say_its_size(tmp_path):
    "One that processes another file has that one's."
    tif, path = noise(tmp_path / "noise.tif", EPSG), tmp_path / "processed.vrt"
    path.write_text(
        '<VRTDataset subClass="VRTProcessedDataset"><Input><SourceFilename '
        'relativeToVRT="1">noise.tif</SourceFilename></Input><ProcessingSteps><Step>'
        "<Algorithm>BandAffineCombination</Algorithm>"
        '<Argument name="coefficients_1">0,1</Argument></Step></ProcessingSteps>'
        "</VRTDataset>"
    )
    assert find_files(path)[-1] == path
    tif.unlink()
    with pytest.raises(RasterError, match=r"noise\.tif: No such file"):
        find_files(path)


def test_a_text_that_is_no_vrt_is_refused(vrt):
    "It cannot be opened either."
    hold(vrt, "<VRTDataset>")
    with pytest.raises(RasterError, match=r"mosaic\.vrt: cannot be read \(Parse error"):
        find_files(vrt)


def test_a_file_of_several_rasters_is_refused(several):
    "By their names, and with the command that takes one out."
    message = (
        r"several rasters: Band1, Band2\. Must be one\..* "
        r"'gdal_translate \"NETCDF:.*two\.nc:Band1\" \".*/Band1\.tif\"'"
    )
    with pytest.raises(RasterError, match=message):
        find_files(several)


def test_one_of_several_rasters_in_an_archive_is_written_beside_it(tmp_path):
    "GDAL reads it there, and cannot write it there."
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr("two.h5", b"")
    path = path_of(f"/vsizip/{tmp_path}/a.zip/two.h5")
    names = [f"hdf5:{path}://{name}" for name in ("vx", "vy")]
    with pytest.raises(RasterError, match=f' "{tmp_path}/vx.tif"'):
        check_is_one(path, SimpleNamespace(count=0, subdatasets=names))


def test_a_vrt_of_an_ascii_grid_that_was_cut_is_refused(vrt, tmp_path):
    "Also by way of another VRT: GDAL would read it until doomsday."
    grid, outer = vrt.with_name("noise.asc"), tmp_path / "outer.vrt"
    rasterio.shutil.copy(vrt, outer, driver="VRT")
    outer.write_text(outer.read_text().replace("noise.asc", "mosaic.vrt"))
    find_files(outer)
    text = grid.read_text()
    grid.write_text(text[: len(text) // 5])
    for path in (vrt, outer):
        message = rf"{path.name}: its part .*noise\.asc: cannot be .*File short"
        with pytest.raises(RasterError, match=message):
            find_files(path)
