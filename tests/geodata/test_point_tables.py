"""Tables of points: their columns, places and CRS, whatever the file."""

import json

import geopandas
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import shapely
from pyarrow import parquet
from pyproj import CRS

from glacier_inversion.errors import RasterError
from glacier_inversion.geodata.point_tables import (
    find_places,
    numbers_of,
    read_head,
    read_table,
)

TABLE = pd.DataFrame(
    {"lon": [8.0, 8.1, 8.2], "lat": [46.5, 46.6, 46.7], "h": [1, 2.5, 3]}
)
EPSG = 32632


def read(path, points_epsg=None, column="h"):
    """Return what a file tells of its points."""
    head = read_head(path)
    places = find_places(path, head, points_epsg, EPSG)
    table, x, y = read_table(path, head, [column], [], places)
    return places, table[column].tolist(), x.tolist(), y.tolist()


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("a.csv", lambda path: TABLE.to_csv(path, index=False)),
        ("b.csv", lambda path: TABLE.to_csv(path, index=False, sep=";")),
        ("c.txt", lambda path: TABLE.to_csv(path, index=False, sep="\t")),
        ("d.CSV", lambda path: TABLE.to_csv(path, index=False, encoding="utf-8-sig")),
        ("e.parquet", TABLE.to_parquet),
    ],
)
def test_tables_of_any_kind_say_the_same(tmp_path, name, write):
    write(tmp_path / name)
    places, values, x, y = read(tmp_path / name)
    assert places.crs == "EPSG:4326"
    assert (values, x, y) == (TABLE.h.tolist(), TABLE.lon.tolist(), TABLE.lat.tolist())


def test_blanks_around_names_of_columns_do_not_count(tmp_path):
    "As people write a header; a name is what is between."
    (tmp_path / "a.csv").write_text("lon, lat , h\n8.0, 46.5, 100\n")
    _, *found = read(tmp_path / "a.csv")
    assert found == [[100], [8.0], [46.5]]


@pytest.mark.parametrize(
    ("header", "column", "found"),
    [
        ("h ,i", "h ", 1),
        ("h ,i", "h", 1),
        ("h,i", " h", 1),
        ("h,h ", "h", 1),
        ("h,h ", "h ", 2),
        ("h , h", "h", "the columns 'h ' and ' h' may be meant by 'h'. Must be one"),
        ("h,h ", " h", "the columns 'h' and 'h ' may be meant by ' h'. Must be one"),
        ("g,i", "h", "has no column 'h'. Known: g, i, lat, lon."),
    ],
)
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_name_is_a_column_so_written_or_one_but_for_blanks(
    tmp_path, header, column, found, ending
):
    path = tmp_path / f"a.{ending}"
    names = ["lon", "lat", *header.split(",")]
    table = pd.DataFrame([[8.0, 46.5, 1, 2]], columns=names)
    table.to_csv(path, index=False) if ending == "csv" else table.to_parquet(path)
    if isinstance(found, int):
        assert read(path, column=column)[1] == [found]
        return
    with pytest.raises(RasterError) as caught:
        read(path, column=column)
    assert str(caught.value).startswith(f"{path}: {found}")


@pytest.mark.parametrize("ending", ["gpkg", "shp", "geojson"])
def test_geometries_are_places(tmp_path, ending):
    "Those that are no single point are nowhere."
    geometry = [shapely.Point(8.0, 46.5), None, shapely.Point(8.2, 46.7)]
    path = tmp_path / f"points.{ending}"
    geopandas.GeoDataFrame({"h": TABLE.h}, geometry=geometry, crs=4326).to_file(path)
    places, values, x, y = read(path)
    assert "4326" in places.crs
    assert values == TABLE.h.tolist()
    np.testing.assert_equal((x, y), ([8.0, np.nan, 8.2], [46.5, np.nan, 46.7]))


@pytest.mark.parametrize(
    ("columns", "epsg", "found"),
    [
        (["POINT_LON", "POINT_LAT", "THICKNESS"], None, ("POINT_LON", "EPSG:4326")),
        (["longitude", "latitude", "x", "y"], None, ("longitude", "EPSG:4326")),
        (["Easting", "Northing"], None, ("Easting", "EPSG:32632")),
        (["x", "y"], 21781, ("x", "EPSG:21781")),
        (["lon", "lat", "x", "y"], 21781, ("x", "EPSG:21781")),
        (["lon", "lat"], 4258, ("lon", "EPSG:4258")),
    ],
)
def test_places_are_found_by_the_names_of_columns(tmp_path, columns, epsg, found):
    path = tmp_path / "points.csv"
    path.write_text(",".join(columns) + "\n")
    places = find_places(path, read_head(path), epsg, EPSG)
    assert (places.x, places.crs) == found


def shapefile_of_one_name(path):
    "OGR reads the last of two columns of one name as both."
    table = geopandas.GeoDataFrame({"h": [1.0], "i": [2.0]}, geometry=[None], crs=4326)
    table.geometry = [shapely.Point(8.0, 46.5)]
    table.to_file(path)
    columns = path.with_suffix(".dbf")
    columns.write_bytes(columns.read_bytes().replace(b"i\0", b"h\0"))


def parquet_of_one_name(path):
    columns = [pa.array([1.0]), pa.array([2.0])]
    parquet.write_table(pa.table(columns, names=["h", "h"]), path)


@pytest.mark.parametrize(
    ("name", "write", "both"),
    [
        ("a.csv", "lon,lat,h,h\n8,46.5,1,2\n", "columns 3 and 4 are both called 'h'"),
        ("b.csv", "# 1\nh;lon;lat;h\n", "columns 1 and 4 are both called 'h'"),
        ("c.csv", "lon,lat,LON,h\n", "columns 1 and 3 are both called 'LON'"),
        ("d.parquet", parquet_of_one_name, "columns 1 and 2 are both called 'h'"),
        ("e.shp", shapefile_of_one_name, "columns 1 and 2 are both called 'h'"),
    ],
)
def test_columns_of_one_name_are_refused(tmp_path, name, write, both):
    "Whichever was read, the other may have been meant."
    path = tmp_path / name
    if callable(write):
        write(path)
    else:
        path.write_text(write)
    with pytest.raises(RasterError) as caught:
        read(path)
    assert both in str(caught.value)


def test_columns_without_a_name_and_other_capitals_are_no_harm(tmp_path):
    "Spreadsheets end lines with separators; a column of values is told by its name."
    path = tmp_path / "a.csv"
    path.write_text("lon,lat,h,H,,\n8,46.5,1,2,,\n")
    assert read(path)[1] == [1.0]
    assert read(path, column="H")[1] == [2.0]


def test_a_message_names_some_of_many_columns_and_layers(tmp_path):
    "A table may have thousands."
    wide, layered = tmp_path / "a.csv", tmp_path / "a.gpkg"
    wide.write_text(",".join(f"c{i}" for i in range(5000)) + "\n")
    for i in range(25):
        geometry = [shapely.Point(8.0, 46.5)]
        table = geopandas.GeoDataFrame({"h": [1]}, geometry=geometry, crs=4326)
        table.to_file(layered, layer=f"l{i:02}")
    for path, said in (
        (wide, "among c0, c1, .*, c19 and 4,980 more. Must be longitude"),
        (layered, "the layers of points l00, l01, .*, l19 and 5 more. Must hold one"),
    ):
        with pytest.raises(RasterError, match=said):
            read(path)


def box(x, y):
    return shapely.box(x, y, x + 1, y + 1)


def write_layers(path, *names, crs=4326, kind=shapely.Point):
    """Write layers of a point each, or of what *kind* makes of it."""
    for name in names:
        points = geopandas.GeoDataFrame({"h": [1.0]}, geometry=[kind(8, 46)], crs=crs)
        points.to_file(path, layer=name, driver="GPKG")


def test_the_only_layer_of_points_is_taken(tmp_path):
    "Outlines may lie in the same file."
    write_layers(tmp_path / "a.gpkg", "radar")
    write_layers(tmp_path / "a.gpkg", "glaciers", kind=box)
    assert read_head(tmp_path / "a.gpkg").layer == "radar"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read (No columns to parse"),
        (b"a,b\n1,2\n", "no columns tell where the points are, among a, b. Must be"),
        (b"x,y\n1,2\n", "has no column 'h'. "),
        (b"x,y,h\n1,2,3\n1,b,4\n", "y is 'b' in data row 2. Must be a number"),
    ],
)
def test_tables_that_cannot_be_used_are_refused(tmp_path, content, message):
    path = tmp_path / "points.csv"
    with pytest.raises(RasterError, match=r"does not exist. Must be a file of points"):
        read(path)
    path.write_bytes(content)
    with pytest.raises(RasterError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: {message}")


@pytest.mark.parametrize(
    ("layers", "given", "epsg", "message"),
    [
        (["a", "b"], {}, None, "holds the layers of points a, b. Must hold one layer"),
        (["a"], {}, 4258, "has a CRS of its own, and points_epsg is 4258. Must be"),
        (["a"], {"kind": box}, None, "holds no points. Must hold one layer of points."),
    ],
)
def test_layers_that_cannot_be_used_are_refused(tmp_path, layers, given, epsg, message):
    path = tmp_path / "points.gpkg"
    write_layers(path, *layers, **given)
    with pytest.raises(RasterError) as caught:
        read(path, epsg)
    assert str(caught.value).startswith(f"{path}: {message}")


def test_points_without_a_crs_need_one(tmp_path):
    path = tmp_path / "points.shp"
    points = geopandas.points_from_xy(TABLE.lon, TABLE.lat)
    geopandas.GeoDataFrame({"h": TABLE.h}, geometry=points, crs=4326).to_file(path)
    path.with_suffix(".prj").unlink()
    with pytest.raises(RasterError, match=r"has no CRS. Must say where its points are"):
        read(path)
    places, *_ = read(path, 4326)
    assert places.crs == "EPSG:4326"


def test_each_point_of_a_multipoint_has_the_value_of_its_row(tmp_path):
    "Many programs write single points so, too; none at all is nowhere."
    geometry = [
        shapely.MultiPoint([(8.0, 46.5)]),
        shapely.MultiPoint([(8.0, 46.5), (8.1, 46.6), (8.3, 46.8)]),
        shapely.MultiPoint(),
    ]
    path = tmp_path / "points.gpkg"
    geopandas.GeoDataFrame({"h": TABLE.h}, geometry=geometry, crs=4326).to_file(path)
    _, values, x, y = read(path, 4326)  # that of the file may be said once more
    assert values == [1.0, 2.5, 2.5, 2.5, 3.0]
    np.testing.assert_equal(
        (x, y), ([8.0, 8.0, 8.1, 8.3, np.nan], [46.5, 46.5, 46.6, 46.8, np.nan])
    )


def test_collections_and_lines_are_no_points(tmp_path):
    "But a collection of a single point is that point, as ever."
    geometry = [
        shapely.GeometryCollection([shapely.Point(8.0, 46.5)]),
        shapely.GeometryCollection([shapely.Point(1, 2), shapely.Point(3, 4)]),
        shapely.LineString([(8.0, 46.5), (8.1, 46.6)]),
    ]
    path = tmp_path / "points.gpkg"
    geopandas.GeoDataFrame({"h": TABLE.h}, geometry=geometry, crs=4326).to_file(path)
    _, values, x, _ = read(path)
    assert values == TABLE.h.tolist()
    np.testing.assert_equal(x, [8.0, np.nan, np.nan])


@pytest.mark.parametrize("encoding", ["WKB", "geoarrow"])
@pytest.mark.parametrize("crs", [4326, 21781, None])
def test_geometries_of_geoparquet_are_places(tmp_path, crs, encoding):
    "Whatever columns of places stand beside; without a CRS it must be said."
    table = geopandas.GeoDataFrame(
        {"h": TABLE.h, "x": 1.0, "y": 2.0},
        geometry=geopandas.points_from_xy(TABLE.lon, TABLE.lat),
        crs=crs,
    ).rename_geometry("place")
    path = tmp_path / "a.parquet"
    table.to_parquet(path, geometry_encoding=encoding)
    if crs is None:
        with pytest.raises(RasterError, match=r"has no CRS. Must say where its points"):
            read(path)
    places, values, x, y = read(path, crs or 4258)
    assert CRS.from_user_input(places.crs).to_epsg() == (crs or 4258)
    assert (values, x, y) == (TABLE.h.tolist(), TABLE.lon.tolist(), TABLE.lat.tolist())
    with pytest.raises(RasterError, match=r"has no column 'place'. Known: h, x, y."):
        read(path, crs or 4258, column="place")


@pytest.mark.parametrize("kinds", [None, []])
def test_geoparquet_need_not_say_what_it_holds(tmp_path, kinds):
    "Then its columns of places serve."
    outlines = [shapely.box(i, 0, i + 1, 1) for i in range(len(TABLE))]
    path = tmp_path / "a.geoparquet"
    geopandas.GeoDataFrame(TABLE, geometry=outlines, crs=4326).to_parquet(path)
    table = parquet.read_table(path)
    geo = json.loads(table.schema.metadata[b"geo"])
    del geo["columns"]["geometry"]["geometry_types"]
    if kinds is not None:
        geo["columns"]["geometry"]["geometry_types"] = kinds
    said = {b"geo": json.dumps(geo).encode()}
    parquet.write_table(table.replace_schema_metadata(said), path)
    assert read(path)[2] == TABLE.lon.tolist()


def test_outlines_in_geoparquet_are_no_places(tmp_path):
    "Their columns may be."
    table = geopandas.GeoDataFrame(TABLE, geometry=[box(8, 46)] * 3, crs=4326)
    table.to_parquet(tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet")[2] == TABLE.lon.tolist()


@pytest.mark.parametrize("geo", ["5", "{", '{"columns": {}}', "[" * 9999])
def test_geoparquet_that_says_nonsense_is_refused(tmp_path, geo):
    path = tmp_path / "a.parquet"
    table = pa.table({"h": [1.0]}).replace_schema_metadata({"geo": geo})
    parquet.write_table(table, path)
    with pytest.raises(RasterError, match=r"a\.parquet: cannot be read"):
        read(path)


@pytest.mark.parametrize("empty", ["POINT EMPTY", "MULTIPOINT EMPTY", None])
def test_a_geometry_without_a_point_is_nowhere(tmp_path, empty):
    "As programs write rows that have no place."
    nowhere = None if empty is None else shapely.from_wkt(empty)
    geometry = [shapely.Point(8.0, 46.5), nowhere, shapely.Point(8.2, 46.7)]
    path = tmp_path / "points.gpkg"
    geopandas.GeoDataFrame({"h": TABLE.h}, geometry=geometry, crs=4326).to_file(path)
    _, _, x, y = read(path)
    np.testing.assert_equal((x, y), ([8.0, np.nan, 8.2], [46.5, np.nan, 46.7]))


def test_what_is_no_table_is_said_so(tmp_path):
    (tmp_path / "dem.tif").write_bytes(b"")
    for name, message in (
        (".", "is no file"),
        ("dem.tif", "is a raster, and 'column'"),
    ):
        with pytest.raises(RasterError, match=message):
            read(tmp_path / name)


def test_broken_files_are_refused(tmp_path):
    "Of every kind."
    for name in ("a.parquet", "a.gpkg", "a.shp", "a.geojson"):
        (tmp_path / name).write_bytes(b"\x00nothing\xff" * 50)
        with pytest.raises(RasterError, match=f"{name}: cannot be read"):
            read(tmp_path / name)


def test_numbers_may_be_empty_or_text(tmp_path):
    values = pd.Series([" 1.5 ", "", None, "2e1"])
    found = numbers_of(tmp_path, "h", values)
    np.testing.assert_equal(found, [1.5, np.nan, np.nan, 20.0])
    with pytest.raises(
        RasterError, match=r"h is '1,5' in data row 2. Must be a number"
    ):
        numbers_of(tmp_path, "h", pd.Series(["1", "1,5"]))
