"""Longitudes on one circle, and near its end."""

import numpy as np
import pytest
from pyproj import CRS
from rasterio import crs as rasterio_crs
from rasterio import warp

from glacier_inversion.geodata.longitudes import circle_of, on_one_circle

DEGREES, GRADS = CRS(4326).to_wkt(), CRS(4807).to_wkt()

_TOWGS84 = (
    'GEOGCS["local",DATUM["local",SPHEROID["Krassovsky 1940",6378245,298.3],'
    "TOWGS84[24,-123,-94,0.02,-0.25,-0.13,1.1]],"
    'PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]]'
)
_HEIGHTS = 'VERT_CS["heights",VERT_DATUM["heights",2005],UNIT["metre",1],AXIS["Up",UP]]'


@pytest.mark.parametrize(
    "crs_wkt",
    [
        CRS(4326).to_wkt(),
        CRS(4979).to_wkt(),  # with heights
        CRS("EPSG:4326+5773").to_wkt(),
        CRS(4200).to_wkt(),  # Pulkovo 1995, as in Chukotka
        _TOWGS84,
        f'COMPD_CS["both",{_TOWGS84},{_HEIGHTS}]',
    ],
)
def test_a_crs_that_is_turned_says_the_same_places(crs_wkt):
    "On both sides of the antimeridian, to a hundredth of a millimetre."
    circle = circle_of(crs_wkt)
    turned, added = on_one_circle(crs_wkt, circle * 0.499, circle * 0.501)
    assert abs(added) == circle / 2
    utm = rasterio_crs.CRS.from_epsg(32601)
    places = [300_000.0, 400_000.0, 500_000.0], [7_000_000.0] * 3
    lon, lat = warp.transform(utm, rasterio_crs.CRS.from_wkt(crs_wkt), *places)
    x, y = warp.transform(utm, rasterio_crs.CRS.from_wkt(turned), *places)
    away = np.array(x) - np.array(lon) - added
    np.testing.assert_allclose(away - circle * np.rint(away / circle), 0, atol=1e-10)
    np.testing.assert_allclose(y, lat, atol=1e-10)


@pytest.mark.parametrize(
    ("crs_wkt", "left", "right", "added", "is_turned"),
    [
        (CRS(2056).to_wkt(), 2_600_000.0, 2_700_000.0, 0.0, False),  # metres
        (DEGREES, 7.0, 9.0, 0.0, False),
        (DEGREES, -9.0, 7.0, 0.0, False),
        (DEGREES, 367.0, 369.0, -360.0, False),
        (DEGREES, 185.0, 190.0, -360.0, False),
        (DEGREES, -730.0, -725.0, 720.0, False),
        (DEGREES, 170.0, 176.3, 0.0, False),
        (DEGREES, 170.0, 176.5, -180.0, True),  # 3.6 degrees from the end
        (DEGREES, -176.3, -170.0, 0.0, False),
        (DEGREES, -176.5, -170.0, 180.0, True),
        (DEGREES, 179.0, 180.5, -180.0, True),
        (DEGREES, 179.5, 181.0, -180.0, True),
        (DEGREES, 538.0, 539.0, -540.0, True),
        (DEGREES, -180.0, 180.0, 0.0, False),  # all around
        (DEGREES, 0.0, 359.0, -180.0, True),
        (GRADS, 190.0, 195.9, 0.0, False),
        (GRADS, 190.0, 196.1, -200.0, True),
    ],
)
def test_longitudes_are_put_between_the_ends_of_a_circle(
    crs_wkt, left, right, added, is_turned
):
    "The CRS is turned where they come within a hundredth of the circle of one end."
    given, more = on_one_circle(crs_wkt, left, right)
    assert more == pytest.approx(added, abs=1e-9)
    assert (given != crs_wkt) == is_turned
