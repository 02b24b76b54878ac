"""Outlines: reprojected, repaired, or refused."""

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
from shapely.geometry import MultiPolygon, Polygon

from glacier_inversion.dataset.outlines import (
    read_outlines,
)
from glacier_inversion.dataset.splits import assign_splits
from glacier_inversion.errors import OutlineError
from tests import synthetic
from tests.dataset.helpers import some


def test_outlines_are_reprojected_repaired_and_keep_their_holes(tmp_path):
    "3D and a bow tie are mended, and said."
    x, y = synthetic.LEFT, synthetic.TOP
    corners = [(0, 0), (1000, 1000), (1000, 0), (0, 1000)]
    bow = Polygon([(x + a, y + b, 1) for a, b in corners])
    hole = synthetic.box(0, 0, 900, 900, (300, 300, 500, 500))
    path = tmp_path / "o.gpkg"
    synthetic.write_outlines(
        path, [({"id": "bow"}, bow), ({"id": "hole"}, shapely.force_3d(hole))]
    )
    bow, holed = read_outlines(path, "id", synthetic.OTHER_EPSG)
    assert bow.polygon.is_valid
    assert not bow.polygon.has_z
    assert bow.repairs[0] == "made 2D"
    assert bow.repairs[1].startswith("made valid (Self-intersection")
    # two triangles; the projections differ by some 0.05 % in scale
    assert bow.polygon.area == pytest.approx(500_000, rel=0.01)
    assert len(holed.polygon.interiors) == 1
    back = shapely.transform(
        holed.polygon,
        lambda points: np.column_stack(
            rasterio.warp.transform(
                f"EPSG:{synthetic.OTHER_EPSG}", f"EPSG:{synthetic.EPSG}", *points.T
            )
        ),
    )
    np.testing.assert_allclose(back.area, hole.area, rtol=1e-6)
    np.testing.assert_allclose(back.bounds, hole.bounds, atol=0.01)


def test_axes_of_a_northing_first_crs_are_not_swapped(tmp_path):
    "EPSG:2193: x is the easting."
    square = Polygon(
        [(1370e3, 5169e3), (1371e3, 5169e3), (1371e3, 5170e3), (1370e3, 5170e3)]
    )
    synthetic.write_outlines(tmp_path / "nz.shp", [({"id": "nz"}, square)], 2193)
    (outline,) = read_outlines(tmp_path / "nz.shp", "id", 2193)
    assert outline.polygon.bounds == (1370e3, 5169e3, 1371e3, 5170e3)


@pytest.mark.parametrize(
    ("make", "field", "message"),
    [
        (lambda p: None, "id", "does not exist"),
        (lambda p: p.write_text("no shapefile"), "id", "cannot be read"),
        (lambda p: synthetic.write_outlines(p, some("a")), "idd", "Did you mean 'id'"),
        (lambda p: synthetic.write_outlines(p, some("a"), None), "id", "has no CRS"),
        (lambda p: synthetic.write_outlines(p, some("a", "A")), "id", "'a' and 'A'"),
        (
            lambda p: synthetic.write_outlines(p, some("a", "b", "a ")),
            "id",
            "'a' is the id of 2 features. Must",
        ),
        (lambda p: synthetic.write_outlines(p, some("../a")), "id", "holds '/'"),
        (lambda p: synthetic.write_outlines(p, some("..")), "id", "'..' is dots alone"),
        (lambda p: synthetic.write_outlines(p, some("drawn.json")), "id", "of ours"),
        (lambda p: synthetic.write_outlines(p, some("Metrics.csv")), "id", "of ours"),
        (lambda p: synthetic.write_outlines(p, some("nul")), "id", "on Windows"),
        (
            lambda p: synthetic.write_outlines(p, some("a" * 70, "A" * 70)),
            "id",
            "'a{19}…a{20}' and 'A{19}…A{20}' would",
        ),
        (
            lambda p: synthetic.write_outlines(p, some("a\tb")),
            "id",
            "control character",
        ),
    ],
)
def test_outlines_that_cannot_be_used_are_refused(tmp_path, make, field, message):
    "One message, with the file and what to do."
    path = tmp_path / "o.shp"
    make(path)
    with pytest.raises(OutlineError, match=message):
        read_outlines(path, field, synthetic.EPSG)


def test_a_file_of_several_layers_is_refused(tmp_path):
    "Rather than the first of them taken."
    for layer in ("glaciers", "lakes"):
        geopandas.GeoDataFrame(
            {"id": ["a"]}, geometry=[synthetic.box(0, 0, 9, 9)], crs=synthetic.EPSG
        ).to_file(tmp_path / "o.gpkg", layer=layer)
    with pytest.raises(OutlineError, match="holds the layers glaciers, lakes"):
        read_outlines(tmp_path / "o.gpkg", "id", synthetic.EPSG)


def test_a_ring_that_is_none_fails_its_feature_alone(tmp_path):
    "Two points make no polygon."
    ring = [[420e3, 5150e3], [421e3, 5150e3]]
    good = [[420e3, 5150e3], [421e3, 5150e3], [421e3, 5151e3], [420e3, 5150e3]]
    features = [
        {
            "type": "Feature",
            "properties": {"id": name},
            "geometry": {"type": "Polygon", "coordinates": [points]},
        }
        for name, points in (("bad", ring), ("good", good))
    ]
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32632"}}
    content = {"type": "FeatureCollection", "crs": crs, "features": features}
    path = synthetic.write_json(tmp_path / "o.geojson", content)
    bad, good = read_outlines(path, "id", synthetic.EPSG)
    assert bad.problem
    assert good.polygon.area == 5e5


@pytest.mark.parametrize("name", ["o.shp", "o.shx", "o.dbf", "o.prj", "o.gpkg"])
@pytest.mark.parametrize("seed", range(5))
def test_broken_bytes_of_outlines_are_an_error_of_the_file(tmp_path, capfd, name, seed):
    "Or harmless, with nothing printed, in the column of the splits as well."
    ids = [(columns, polygon) for columns, polygon in synthetic.FEATURES]
    path = tmp_path / ("o.gpkg" if name == "o.gpkg" else "o.shp")
    synthetic.write_outlines(path, ids)
    synthetic.damage(tmp_path / name, np.random.default_rng(seed), 600)
    try:
        outlines = read_outlines(path, "id", synthetic.EPSG)
        assign_splits(path, {o.feature: o.columns for o in outlines}, None)
    except OutlineError as error:
        assert str(error).startswith(f"{path}: ")  # noqa: PT017  it may be read too
    assert capfd.readouterr() == ("", "")


def test_a_file_without_features_is_refused(tmp_path):
    "Whatever its columns."
    content = {"type": "FeatureCollection", "features": []}
    path = synthetic.write_json(tmp_path / "o.geojson", content)
    with pytest.raises(OutlineError, match="holds no feature"):
        read_outlines(path, "id", synthetic.EPSG)


def test_parts_of_a_feature_stay_together(tmp_path):
    "A multi-polygon is one feature."
    parts = MultiPolygon(
        [synthetic.box(0, 0, 100, 100), synthetic.box(300, 0, 400, 100)]
    )
    synthetic.write_outlines(tmp_path / "o.gpkg", [({"id": "a"}, parts)])
    (outline,) = read_outlines(tmp_path / "o.gpkg", "id", synthetic.EPSG)
    assert outline.polygon.area == 20_000
