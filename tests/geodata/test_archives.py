"""Files in archives: what is said where a path does not lead to one."""

import copy
import gzip
import pickle
import shutil
import zipfile

import pytest

from glacier_inversion.geodata.archives import archive_problem, path_of
from glacier_inversion.workspace import Workspace
from tests.helpers import Run, new_run


def archives_of(run):
    """Pack the data of a workspace in all the ways."""
    data = run.root / "data"
    for name, pattern in (("r.zip", "*.tif"), ("o.zip", "glaciers.*")):
        with zipfile.ZipFile(data / name, "w") as packed:
            packed.writestr("in/", "")
            for path in sorted(data.glob(pattern)):
                packed.write(path, f"in/{path.name}")
    shutil.make_archive(str(data / "t"), "gztar", data, "profiles")
    (data / "slope.tif.gz").write_bytes(gzip.compress(b"no raster"))
    (data / "p.csv").write_text("x,y,h\n1,2,3\n")
    with zipfile.ZipFile(data / "p.zip", "w") as packed:
        packed.write(data / "p.csv", "p.csv")
    (data / "broken.zip").write_bytes((data / "r.zip").read_bytes()[:500])
    return run


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    return archives_of(new_run(tmp_path_factory.mktemp("packed")))


RASTERS = {
    "r.zip": "r.zip: is an archive. Must be a file, or one in an archive. Write "
    "'/vsizip/' before its name, and the file's behind, as '/vsizip/r.zip/in/slope.tif'.",
    "t.tar.gz": "as '/vsitar/t.tar.gz/profiles/along.shp'.",
    "broken.zip": "as '/vsizip/broken.zip/FILE'.",
    "slope.tif.gz": "before its name, as '/vsigzip/slope.tif.gz'.",
    "/vsizip/r.zip/in/slop.tif": "/vsizip/{data}/r.zip/in/slop.tif: is no file in the "
    "archive. Did you mean 'in/slope.tif'? Known: in/slope.tif, in/speed.tif, "
    "in/thickness.tif. Correct it.",
    "/vsizip/{data}/r.zip/slope.tif": "Did you mean 'in/slope.tif'?",
    "/vsizip/r.zip": "/r.zip: is no file in the archive. Known: in/slope.tif, ",
    "/vsizip/r.zip/in": "/r.zip/in: is no file in the archive. Known: in/slope.tif, ",
    "/vsitar/t.tar.gz/x.tif": "Known: profiles/along.cpg, ",
    "/vsitar/r.zip/in/slope.tif": "r.zip holds no file that '/vsitar/' finds.",
    "/vsizip/slope.tif": "slope.tif holds no file that '/vsizip/' finds.",
    "/vsizip/none.zip/x.tif": "/vsizip/{data}/none.zip/x.tif: does not exist.",
    "/vsigzip/slope.tif.gz": "/vsigzip/{data}/slope.tif.gz: cannot be read",
}


def told(packed, change):
    """Return the first problem of a changed experiment."""
    raw = copy.deepcopy(packed.raw)
    change(raw["dataset_description"])
    run = Run(packed.root, packed.root / "other.json", raw)
    run.write()
    result = run("build-dataset")
    assert result.exit_code == 1
    return result.stderr


@pytest.mark.parametrize("file", RASTERS)
def test_rasters_that_are_not_found_in_archives(packed, file):
    "The path is shown as GDAL has it, both its slashes too."
    data = packed.root / "data"
    message = told(
        packed, lambda d: d["rasters"][0].update(file=file.format(data=data))
    )
    assert RASTERS[file].format(data=data) in message


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("o.zip", "and the file's behind, as '/vsizip/o.zip/in/glaciers.shp'."),
        ("/vsizip/o.zip/in/glacier.shp", "Did you mean 'in/glaciers.shp'?"),
    ],
)
def test_outlines_that_are_not_found_in_archives(packed, file, message):
    assert message in told(packed, lambda d: d.update(shapefile_file=file))


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("p.zip", "/p.zip: is an archive. Must be a file of its own, as a table"),
        ("/vsizip/p.zip/p.csv", "/p.zip/p.csv: lies in an archive. Must be a file of"),
        ("/vsizip/none.zip/p.csv", "none.zip/p.csv: does not exist."),
    ],
)
def test_tables_of_points_are_to_be_unpacked(packed, file, message):
    points = {"file": file, "column": "h"}
    assert message in told(packed, lambda d: d["rasters"][2].update(points))


def test_nothing_is_said_of_what_is_found(packed):
    "Nor of an archive in another, which is not looked into."
    place = Workspace(packed.root)
    for file in ("slope.tif", "none.zip", "/vsizip/r.zip/in/slope.tif"):
        assert archive_problem(place.data(file)) is None
    assert archive_problem(place.data("/vsigzip//vsizip/r.zip/x.gz")) is None


@pytest.mark.parametrize(
    "name",
    ["/vsizip//a/x.zip/y.tif", "/vsizip//vsitar//a/x.tar/x.zip/y.tif", "/a/y.tif"],
)
def test_a_path_is_shown_as_gdal_writes_it(name):
    "However it is come by, in another process too."
    path = path_of(name)
    assert str(path) == f"{path}" == str(pickle.loads(pickle.dumps(path))) == name
    assert str(path.parent / "z.tif") == name.replace("y.tif", "z.tif")
