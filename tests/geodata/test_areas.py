"""Areas on the ellipsoid."""

import numpy as np
import pytest
import shapely
from pyproj import Transformer
from shapely.affinity import translate

from glacier_inversion.geodata.areas import ellipsoidal_area

WITH_HOLE = shapely.Polygon(
    [(0, 0), (7000, 500), (6000, 9000), (500, 4000)],
    [[(2000, 2000), (2000, 4000), (4000, 4000), (4000, 2000)]],
)
PARTS = shapely.MultiPolygon([WITH_HOLE, shapely.box(9000, 0, 9800, 600)])


@pytest.mark.parametrize("outline", [WITH_HOLE, PARTS, shapely.reverse(WITH_HOLE)])
def test_it_is_the_area_of_an_equal_area_projection(outline):
    "That of Europe, where it needs no ellipsoid; its holes are left out."
    there = translate(outline, 4_200_000, 2_600_000)
    assert ellipsoidal_area(there, 3035) == pytest.approx(outline.area, rel=1e-6)


def test_other_projections_do_not_distort_it():
    "The same outline in polar stereographic coordinates, 8 % off scale."
    there = translate(PARTS, 4_200_000, 2_600_000)
    fine = shapely.segmentize(there, 100)
    to_polar = Transformer.from_crs(3035, 3413, always_xy=True)
    polar = shapely.transform(fine, to_polar.transform, interleaved=False)
    assert abs(polar.area / PARTS.area - 1) > 0.1
    assert ellipsoidal_area(polar, 3413) == pytest.approx(PARTS.area, rel=1e-5)


def test_it_is_that_of_a_zone_between_parallels():
    "By the closed formula, on a wide part of the ellipsoid of WGS 84."
    a, b = 6378137.0, 6356752.314245179
    e = np.sqrt(1 - (b / a) ** 2)

    def from_equator(latitude):
        s = np.sin(np.radians(latitude))
        ring = s / (1 - (e * s) ** 2) + np.log((1 + e * s) / (1 - e * s)) / (2 * e)
        return np.pi * b**2 * ring

    zone = (from_equator(46.5) - from_equator(46)) * 0.5 / 360
    latitude = np.linspace(46, 46.5, 400)
    longitude = np.linspace(8.5, 9, 400)
    ring = [
        *[(x, 46.0) for x in longitude],
        *[(9.0, y) for y in latitude],
        *[(x, 46.5) for x in longitude[::-1]],
        *[(8.5, y) for y in latitude[::-1]],
    ]
    to_utm = Transformer.from_crs(4326, 32632, always_xy=True)
    outline = shapely.Polygon(np.column_stack(to_utm.transform(*np.transpose(ring))))
    assert ellipsoidal_area(outline, 32632) == pytest.approx(zone, rel=1e-6)


@pytest.mark.parametrize("hole", [False, True])
def test_it_may_lie_across_180_degrees(hole):
    "As large as at another meridian of a zone, with its holes and its parts."

    def at(easting):
        diamond = shapely.Point(0, 0).buffer(5000, quad_segs=1)
        if hole:
            diamond -= shapely.box(-1000, -500, 1200, 800)
        whole = shapely.union_all([diamond, shapely.box(20_000, -500, 24_000, 7500)])
        return translate(whole, easting, 7_800_000)

    to_utm = Transformer.from_crs(4326, 32601, always_xy=True)
    easting = to_utm.transform(180, 70.3)[0]  # as far from the central meridian
    across, mirrored = (
        at(easting),
        shapely.transform(at(easting), lambda xy: [1_000_000, 0] + xy * [-1, 1]),
    )
    area = ellipsoidal_area(across, 32601)
    assert area == pytest.approx(ellipsoidal_area(mirrored, 32601), rel=1e-9)
    assert area == pytest.approx(across.area, rel=0.01)
