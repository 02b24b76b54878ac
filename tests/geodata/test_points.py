"""Points that an experiment selects, placed in the CRS of the tiles."""

import geopandas
import numpy as np
import pandas as pd
import pytest
from pyproj import Transformer

from glacier_inversion.errors import RasterError
from glacier_inversion.experiment.rasters import Raster
from glacier_inversion.geodata.points import open_points

EPSG = 32632
# As the Glacier Thickness Database has them in its TTT.csv.
TABLE = pd.DataFrame(
    {
        "GlaThiDa_ID": [1, 1, 1, 2, 2, 2, 2],
        "SURVEY_DATE": [
            20090731,
            20099999,
            None,
            20110401,
            20110401,
            20110401,
            20120101,
        ],
        "POINT_LAT": [46.51, 46.52, 46.53, 46.54, 46.54, 46.56, None],
        "POINT_LON": [8.01, 8.02, 8.03, 8.04, 8.04, 8.06, 8.07],
        "THICKNESS": [100.0, 110.0, 120.0, 130.0, 130.0, None, 150.0],
        "DATA_FLAG": [None, 1, "x", None, None, None, None],
    }
)


def opened(path, table=TABLE, column="THICKNESS", epsg=EPSG, **keys):
    """Write a table and read its points."""
    table.to_csv(path, index=False)
    raster = Raster(name="h", resolution=50.0, file=path.name, column=column, **keys)
    return open_points(path, raster, epsg)


def values(path, **keys):
    """Return the values that a selection leaves."""
    return sorted(opened(path, **keys).value.tolist())


@pytest.fixture
def path(tmp_path):
    return tmp_path / "TTT.csv"


def test_points_are_placed_counted_and_in_metres(path):
    "Those without a value or a place are no points, and the same one counts once."
    points = opened(path)
    assert vars(points.counts) == {
        "rows": 7,
        "not_selected": 0,
        "without_value": 1,
        "without_place": 1,
        "repeated": 1,
    }
    assert (points.unit, points.crs, points.files) == ("m", "EPSG:4326", (path,))
    to_tiles = Transformer.from_crs(4326, EPSG, always_xy=True)
    x, y = to_tiles.transform(TABLE.POINT_LON[:4], TABLE.POINT_LAT[:4])
    np.testing.assert_array_equal(points.x, x)
    np.testing.assert_array_equal(points.y, y)
    assert points.value.tolist() == [100, 110, 120, 130]


def test_northings_and_eastings_are_not_swapped(path):
    "In a CRS with north first."
    points = opened(path, epsg=2193, table=TABLE.assign(POINT_LAT=-43.5, POINT_LON=170))
    assert 1_300_000 < points.x[0] < 1_500_000
    assert 5_000_000 < points.y[0] < 5_300_000


@pytest.mark.parametrize(
    ("where", "left"),
    [
        ({"DATA_FLAG": None}, [100, 130]),
        ({"DATA_FLAG": [None, 1]}, [100, 110, 130]),
        ({"DATA_FLAG": ["x"]}, [120]),
        ({"DATA_FLAG": "x", "GlaThiDa_ID": [1, 2]}, [120]),
        ({"GlaThiDa_ID": 2}, [130]),
        ({"GlaThiDa_ID": 2.0}, [130]),
    ],
)
def test_points_are_selected_by_their_columns(path, where, left):
    assert values(path, where=where) == left


def test_truths_are_selected(path):
    table = TABLE.assign(good=[True, False, True, False, False, False, False])
    assert values(path, table=table, where={"good": True}) == [100, 120]


@pytest.mark.parametrize(
    ("keys", "left"),
    [
        ({"after": "2009-01-01"}, [100, 110, 130]),
        ({"after": "2009-07-01"}, [100, 130]),
        ({"after": "2009-08-01"}, [130]),
        ({"before": "2011-04-01"}, [100, 110]),
        ({"before": "2011-04-02"}, [100, 110, 130]),
        ({"after": "2009-01-01", "before": "2010-01-01"}, [100, 110]),
    ],
)
def test_points_are_selected_by_their_dates(path, keys, left):
    "What is not dated is not known to lie within."
    assert values(path, **keys) == left


def test_dates_may_stand_anywhere(path):
    table = TABLE.rename(columns={"SURVEY_DATE": "acquired"})
    with pytest.raises(
        RasterError, match="no column of dates is known, among GlaThiDa"
    ):
        values(path, table=table, after="2009-01-01")
    found = values(path, table=table, after="2009-08-01", date_column="acquired")
    assert found == [130]


def test_nodata_is_no_thickness(path):
    "A usual number that is not declared is refused, as in rasters."
    table = TABLE.assign(THICKNESS=TABLE.THICKNESS.replace(110, -9999))
    with pytest.raises(
        RasterError, match=r'holds -9999, and no number.*"nodata": -9999'
    ):
        values(path, table=table)
    assert values(path, table=table, nodata=-9999) == [100, 120, 130]
    assert values(path, table=table, where={"DATA_FLAG": None}) == [100, 130]


@pytest.mark.parametrize("number", [1e39, -1e308, np.inf])
def test_what_tiles_cannot_hold_is_no_value(path, number):
    "As in rasters; it is counted among the rows without one."
    table = TABLE.assign(THICKNESS=TABLE.THICKNESS.replace(110, number))
    found = opened(path, table=table)
    assert sorted(found.value) == [100, 120, 130]
    assert found.counts.without_value == opened(path).counts.without_value + 1


def test_a_selection_of_nothing_is_refused(path):
    with pytest.raises(RasterError) as caught:
        values(path, where={"DATA_FLAG": "y"})
    assert str(caught.value) == (
        f"{path}: no point is left of 7 rows: 'where' leaves out 7, 'after' and 'before' "
        "0, 0 have no THICKNESS, 0 no place (DATA_FLAG holds null, 1, x). Must leave "
        "some. Change the selection, or name another column."
    )
    with pytest.raises(RasterError, match=r"has no column 'FLAG'. Did you mean 'DATA_"):
        values(path, where={"FLAG": None})
    with pytest.raises(
        RasterError, match=r"CRS EPSG:99 cannot be transformed|no point"
    ):
        values(path, points_epsg=99)


def test_what_belongs_to_a_shapefile_is_on_record(tmp_path):
    points = geopandas.points_from_xy(TABLE.POINT_LON[:4], TABLE.POINT_LAT[:4])
    table = geopandas.GeoDataFrame({"h": [1, 2, 3, 4.0]}, geometry=points, crs=4326)
    table.to_file(tmp_path / "a.shp")
    raster = Raster(name="h", resolution=50.0, file="a.shp", column="h")
    found = open_points(tmp_path / "a.shp", raster, EPSG)
    assert {p.suffix for p in found.files} == {".shp", ".shx", ".dbf", ".prj", ".cpg"}
    assert found.unit is None


def test_near_is_what_a_plain_comparison_finds(path):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"x": rng.uniform(0, 9, 500), "y": rng.uniform(0, 9, 500)})
    points = opened(path, table=table.assign(h=1.0), column="h")
    inside = (points.x >= 2) & (points.x <= 5) & (points.y >= 1) & (points.y <= 7)
    assert points.near((2, 1, 5, 7)).tolist() == np.flatnonzero(inside).tolist()
    y = float(points.y[100])  # the sides belong to it
    assert 100 in points.near((0, y, 9, y))


def test_where_means_what_the_file_says(path):
    "Not what a reader takes it for, which depends on other rows."
    text = "x,y,h,flag\n" + "".join(
        f"{450000 + i},5150000,{i},{flag}\n"
        for i, flag in enumerate(["1", "", "007", "NA", "None", "1.0", "yes"], 1)
    )
    for where, left in (
        ({"flag": "1"}, [1]),
        ({"flag": 1}, [1, 6]),
        ({"flag": ["1", None]}, [1, 2]),
        ({"flag": "007"}, [3]),
        ({"flag": 7}, [3]),
        ({"flag": "NA"}, [4]),
        ({"flag": None}, [2]),
        ({"flag": ["yes", "None"]}, [5, 7]),
    ):
        path.write_text(text)
        raster = Raster(name="h", resolution=50.0, file="a", column="h", where=where)
        assert sorted(open_points(path, raster, EPSG).value.tolist()) == left, where


def test_dates_that_leave_nothing_are_named(path):
    with pytest.raises(RasterError) as caught:
        values(path, after="2016-01-01", where={"GlaThiDa_ID": [1, 2]})
    assert (
        "'where' leaves out 0, 'after' and 'before' 7, 0 have no THICKNESS, 0 no place "
        "(GlaThiDa_ID holds 1, 2; SURVEY_DATE holds null, 20090731.0, "
    ) in str(caught.value)
