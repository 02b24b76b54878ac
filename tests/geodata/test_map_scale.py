"""How long a metre of a projection is on the ground."""

import numpy as np
import pytest
import shapely
from pyproj import CRS, Transformer

from glacier_inversion.dataset.plan import find_distortion
from glacier_inversion.geodata.map_scale import worst_scale


@pytest.mark.parametrize(
    ("epsg", "lon", "lat"),
    [(32632, 7.0, 46.5), (3413, -45.0, 61.0), (3857, 8.0, 46.5), (3338, -141.0, 60.0)],
)
def test_scales_are_those_of_lengths_on_the_ellipsoid(epsg, lon, lat):
    "Of a geodesic of 1 m along the meridian or the parallel; PROJ's 3857 is a sphere's."
    crs = CRS.from_epsg(epsg)
    to_map = Transformer.from_crs(crs.geodetic_crs, crs, always_xy=True)
    scales = []
    for azimuth in (0, 90):
        east, north, _ = crs.get_geod().fwd(lon, lat, azimuth, 1)
        x, y = to_map.transform([lon, east], [lat, north])
        scales.append(np.hypot(*np.subtract(*zip(x, y, strict=True))))
    expected = max(abs(np.log(scales)))
    place = shapely.Point(to_map.transform(lon, lat)).buffer(1000)
    worst = worst_scale([place], epsg)  # where areas are true, s is as far as 1 / s
    assert abs(np.log(worst)) == pytest.approx(expected, abs=2e-3)
    assert np.abs(np.log(np.divide(scales, worst))).min() < 2e-3


def test_a_crs_that_distorts_is_warned_of():
    "With how much; none where glaciers are mapped as they should be."
    to_mercator = Transformer.from_crs(4326, 3857, always_xy=True)
    alps = shapely.Point(to_mercator.transform(8, 46.5)).buffer(1000)
    (warning,) = find_distortion(3857, [alps])
    assert "epsg: where the outlines lie 1 m of EPSG:3857 is 0.69 m on the" in warning
    to_utm = Transformer.from_crs(4326, 32632, always_xy=True)
    assert find_distortion(32632, [shapely.Point(to_utm.transform(8, 46.5))]) == []
    assert find_distortion(3857, []) == []
