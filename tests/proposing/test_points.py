"""Tables of measured points that are found in the data folder."""

import logging

import geopandas
import numpy as np
import pandas as pd
import pytest
import shapely
from pyproj import Transformer

from glacier_inversion.dataset.outlines import read_outlines
from glacier_inversion.proposing.points import find_points
from tests import synthetic


def radar(n=3000):
    """Return points in the synthetic region, as the Glacier Thickness Database."""
    rng = np.random.default_rng(0)
    x = rng.uniform(synthetic.LEFT, synthetic.LEFT + 3500, n)
    y = rng.uniform(synthetic.TOP - 3250, synthetic.TOP, n)
    lon, lat = Transformer.from_crs(synthetic.EPSG, 4326, always_xy=True).transform(
        x, y
    )
    return pd.DataFrame(
        {
            "GlaThiDa_ID": 1,
            "POINT_LAT": lat,
            "POINT_LON": lon,
            "THICKNESS": synthetic.thickness_m(x, y),
            "THICKNESS_UNCERTAINTY": 5.0,
            "DATA_FLAG": np.where(rng.random(n) < 0.1, 1, np.nan),
        }
    )


@pytest.fixture
def data(tmp_path):
    """A data folder with outlines alone."""
    synthetic.write_region(tmp_path)
    for path in (tmp_path / "data").glob("*.tif"):
        path.unlink()
    return tmp_path / "data"


def find(data):
    outlines = read_outlines(data / "glaciers.shp", "id", synthetic.EPSG)
    return find_points(data, outlines, synthetic.EPSG, "ice_thickness")


def test_a_table_is_found_by_its_column(data):
    "Points that are flagged as doubtful are left out, the unit is known."
    table = radar()
    table.to_csv(data / "TTT.csv", index=False)
    found = find(data)
    assert found.entry("h", 50.0) == {
        "name": "h",
        "resolution": 50.0,
        "file": "TTT.csv",
        "column": "THICKNESS",
        "where": {"DATA_FLAG": None},
    }
    assert found.counts["not_selected"] == table.DATA_FLAG.notna().sum()
    assert found.describe().startswith("TTT.csv: where DATA_FLAG is empty: ")
    assert found.describe().endswith(" outside every outline")


def test_points_that_are_all_flagged_are_taken(data, caplog):
    radar().assign(DATA_FLAG=1).to_csv(data / "TTT.csv", index=False)
    assert find(data).keys == {"column": "THICKNESS"}
    assert "TTT.csv: all points are flagged as doubtful in DATA_FLAG: t" in caplog.text


def test_the_table_with_most_points_is_taken(data, caplog):
    "Others are named, and those that are nowhere near are not."
    table = radar()
    points = geopandas.points_from_xy(table.POINT_LON, table.POINT_LAT)
    few = geopandas.GeoDataFrame(
        {"thickness": table.THICKNESS}, geometry=points, crs=4326
    )
    few[:300].to_file(data / "a_radar.gpkg")
    table.to_csv(data / "b.csv", index=False)
    table.assign(POINT_LAT=-46.0).to_csv(data / "c.csv", index=False)
    with caplog.at_level(logging.INFO):
        assert find(data).file == "b.csv"
    assert "a_radar.gpkg: is ice_thickness, too, and b.csv is taken" in caplog.text
    assert (
        "c.csv: left aside: no point lies inside any outline. In the CRS" in caplog.text
    )
    assert "Are the coordinates those of EPSG:4326? Else say points_epsg" in caplog.text
    (data / "b.csv").unlink()
    found = find(data)
    assert found.entry("h", 50.0)["unit"] == "m"  # a guess
    assert found.file == "a_radar.gpkg"


def test_what_is_no_table_of_it_is_left_aside(data, caplog):
    (data / "notes.txt").write_text("Measured in spring.\n")
    (data / "broken.csv").write_bytes(b"\x00\xff")
    table = geopandas.GeoDataFrame(
        {"thickness": [1.0]}, geometry=[shapely.box(0, 0, 1, 1)], crs=4326
    )
    table.to_file(data / "areas.gpkg")
    (data / "bad.csv").write_text("lon,lat,thickness\n8.0,46.5,thick\n")
    with caplog.at_level(logging.WARNING):
        assert find(data) is None
    (line,) = caplog.messages
    assert "bad.csv: thickness is 'thick' in data row 1." in line
