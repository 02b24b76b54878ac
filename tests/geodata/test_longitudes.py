"""Longitudes on one circle, and near its end."""

import numpy as np
import pytest
from pyproj import CRS
from rasterio import crs as rasterio_crs
from rasterio import warp

from glacier_inversion.geodata.longitudes import circle_of, on_one_circle

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
