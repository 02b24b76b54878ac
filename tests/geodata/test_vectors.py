"""Vector files: what cannot be read is named."""

import os
import sqlite3
import zipfile
from contextlib import closing

import geopandas
import pytest
import shapely

from glacier_inversion.dataset.outlines import read_outlines
from glacier_inversion.errors import OutlineError
from glacier_inversion.geodata.archives import path_of
from glacier_inversion.geodata.vectors import (
    check_exists,
    list_layers,
    read_crs,
    read_lines,
)
from tests import synthetic
from tests.dataset.helpers import some


@pytest.mark.parametrize(
    "text",
    [
        b"\xff" * 300,
        b'PROJCS["x"',
        b'GEOGCS["x",DATUM["y",SPHEROID["z",nan,nan]],PRIMEM["",0],UNIT["",0]]',
    ],
)
def test_a_crs_that_cannot_be_read_is_named(tmp_path, capfd, text):
    "Whatever GDAL, or PROJ, or what lies between makes of it."
    path = tmp_path / "o.shp"
    synthetic.write_outlines(path, some("a"))
    path.with_suffix(".prj").write_bytes(text)
    with pytest.raises(OutlineError, match=r"o\.shp: .*CRS"):
        read_outlines(path, "id", synthetic.EPSG)
    with pytest.raises(OutlineError, match=r"o\.shp: .*CRS"):
        read_crs(path)
    assert capfd.readouterr().out == ""


def test_geoparquet_is_to_be_converted(tmp_path):
    "What GDAL lacks to read it is nothing that helps."
    path = tmp_path / "o.parquet"
    synthetic.write_outlines(tmp_path / "o.gpkg", some("a"))
    geopandas.read_file(tmp_path / "o.gpkg").to_parquet(path)
    message = rf"^{path}: GeoParquet is not read but .* Convert it, for example with"
    for read in (
        lambda: read_outlines(path, "id", synthetic.EPSG),
        lambda: list_layers(path),
        lambda: read_lines(path, synthetic.EPSG),
    ):
        with pytest.raises(OutlineError, match=message):
            read()
    path.unlink()
    with pytest.raises(OutlineError, match="does not exist"):
        list_layers(path)


def test_a_crs_of_no_place_on_earth_is_named(tmp_path):
    "Nothing takes it to the tiles'."
    path = tmp_path / "o.shp"
    synthetic.write_outlines(path, some("a"))
    local = 'LOCAL_CS["the hut",UNIT["metre",1],AXIS["x",EAST],AXIS["y",NORTH]]'
    path.with_suffix(".prj").write_text(local)
    with pytest.raises(OutlineError, match=r"o\.shp: its CRS cannot be transformed"):
        read_outlines(path, "id", synthetic.EPSG)


def test_parts_of_a_line_that_meet_are_one(tmp_path):
    "Others stay lines of their own; what has no length is none."
    path = tmp_path / "lines.gpkg"
    parts = shapely.MultiLineString(
        [[(0, 0), (50, 0)], [(50, 0), (100, 0)], [(500, 0), (600, 0)]]
    )
    point = shapely.LineString([(7, 7), (7, 7)])
    table = geopandas.GeoDataFrame(geometry=[parts, point], crs=synthetic.EPSG)
    table.to_file(path)
    lines = read_lines(path, synthetic.EPSG)
    assert [line.length for line in lines] == [100.0, 100.0]


def test_a_path_that_no_system_takes_is_named(tmp_path):
    with pytest.raises(OutlineError, match=r"cannot be read \(File name too long\)"):
        check_exists(tmp_path / ("a" * 300))


def test_a_pipe_is_no_file(tmp_path):
    "Opened, it would be waited for without end."
    os.mkfifo(tmp_path / "o.gpkg")
    with pytest.raises(OutlineError, match=r"o\.gpkg: is no file"):
        check_exists(tmp_path / "o.gpkg")


def test_a_message_of_gdal_that_is_no_text_is_survived(tmp_path):
    "As that of a GeoPackage whose schema has one byte changed: fiona crashed."
    path = tmp_path / "outlines.gpkg"
    synthetic.write_outlines(path, some("a"))
    content = path.read_bytes()
    assert b"BEFORE INSERT" in content
    path.write_bytes(content.replace(b"BEFORE INSERT", b"BEFORE INS\xe6RT"))
    with pytest.raises(OutlineError, match=r"outlines\.gpkg: cannot be read \("):
        read_outlines(path, "id", synthetic.EPSG)


KML = """<?xml version="1.0" encoding="UTF-8"?>
<kml xmlns="http://www.opengis.net/kml/2.2"><Document><Placemark><name>a</name><Polygon>
<outerBoundaryIs><LinearRing><coordinates>8,46 8.1,46 8.1,46.1 8,46</coordinates>
</LinearRing></outerBoundaryIs></Polygon></Placemark></Document></kml>"""


@pytest.mark.parametrize("kind", ["KML", "KML in an archive", "KMZ", "3D of any type"])
def test_what_ogr_reads_and_fiona_does_not_is_to_be_converted(tmp_path, kind):
    "It is not broken: to put it there again would change nothing."
    path = tmp_path / "my o.kml"
    path.write_text(KML)
    if kind == "3D of any type":
        path = tmp_path / "my o.gpkg"
        synthetic.write_outlines(path, some("a"))
        with closing(sqlite3.connect(path)) as database, database:
            database.execute(
                "UPDATE gpkg_geometry_columns SET geometry_type_name = 'GEOMETRY', z = 1"
            )
    elif kind == "KMZ":
        path = tmp_path / "my o.kmz"
        with zipfile.ZipFile(path, "w") as packed:
            packed.writestr("doc.kml", KML)
    elif kind != "KML":
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
            packed.write(path, f"in/{path.name}")
        path = path_of(f"/vsizip/{tmp_path}/a.zip/in/{path.name}")
    command = f"""ogr2ogr -dim XY "{tmp_path}/my o_2d.gpkg" "{path}"'"""
    with pytest.raises(OutlineError, match=f"not read here .* '{command}"):
        read_outlines(path, "id", synthetic.EPSG)
