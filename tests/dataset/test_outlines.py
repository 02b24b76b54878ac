"""Outlines: reprojected, repaired, or refused."""

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
from shapely.geometry import MultiPolygon, Polygon

from glacier_inversion.dataset.opened import open_dataset
from glacier_inversion.dataset.outlines import (
    find_id_column,
    read_columns,
    read_outlines,
)
from glacier_inversion.dataset.splits import assign_splits
from glacier_inversion.errors import DatasetError, OutlineError
from glacier_inversion.experiment.experiment import check_experiment
from glacier_inversion.workspace import Workspace
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
        (lambda p: synthetic.write_outlines(p, some("../a")), "id", "holds '/'"),
        (lambda p: synthetic.write_outlines(p, some("..")), "id", "'..' is empty"),
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


@pytest.mark.parametrize("ending", ["shp", "gpkg"])
def test_features_without_an_id_are_named_by_their_rows(tmp_path, ending):
    "A NULL, an empty text and blanks are no ids; other problems are told beside them."
    path = tmp_path / f"o.{ending}"
    boxes = [synthetic.box(n, 0, n + 1, 1) for n in range(5)]
    names = ["a", None, "", " ", "../b"]
    rows = [({"id": n}, box) for n, box in zip(names, boxes, strict=True)]
    synthetic.write_outlines(path, rows)
    for read in (
        lambda: read_outlines(path, "id", synthetic.EPSG),
        lambda: read_columns(path, "id"),
    ):
        with pytest.raises(OutlineError) as caught:
            read()
        message = str(caught.value)
        assert "column 'id': rows 2, 3, 4 have no id; '../b' holds '/'." in message


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


def test_numeric_ids_have_no_decimals(tmp_path):
    "An integer column names features 7 and 12."
    synthetic.write_outlines(tmp_path / "o.gpkg", some(7, 12))
    assert [o.feature for o in read_outlines(tmp_path / "o.gpkg", "id", 32632)] == [
        "7",
        "12",
    ]


def test_parts_of_a_feature_stay_together(tmp_path):
    "A multi-polygon is one feature."
    parts = MultiPolygon(
        [synthetic.box(0, 0, 100, 100), synthetic.box(300, 0, 400, 100)]
    )
    synthetic.write_outlines(tmp_path / "o.gpkg", [({"id": "a"}, parts)])
    (outline,) = read_outlines(tmp_path / "o.gpkg", "id", synthetic.EPSG)
    assert outline.polygon.area == 20_000


@pytest.mark.parametrize(
    "name",
    [
        "summary.json",
        "Outlines.gpkg",
        "profiles",
        "overview.png",
        "holes.csv",
        "volumes.csv",
        "Volumes.gpkg",
        "Maps.qlr",
        "a_mean.VRT",
        "total",
    ],
)
def test_ids_that_are_names_of_ours_are_refused(tmp_path, name):
    "A feature's folder would lie in a file's place, or its row be that of the total."
    path = tmp_path / "o.shp"
    synthetic.write_outlines(path, [({"id": name}, synthetic.box(0, 0, 100, 100))])
    with pytest.raises(OutlineError, match="is what a file or a row of ours is called"):
        read_outlines(path, "id", synthetic.EPSG)


@pytest.mark.parametrize("column", ["RGIId", "rgi_id", "RGI_ID", "rgiid", "sgi-id"])
def test_the_columns_of_known_inventories_are_found(tmp_path, column):
    "Whatever the capitals, among columns of other meanings."
    columns = ["GLIMSId", "id", column, "Name"]
    assert find_id_column(tmp_path / "o.shp", columns) == column


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["id", "Name"], r"no column could be the ids .*, among id, Name\. Must be"),
        ([], "no column could be .*, among none"),
        (["RGIId", "rgi_id"], "RGIId and rgi_id could be the ids"),
    ],
)
def test_a_column_that_cannot_be_known_is_asked_for(tmp_path, columns, message):
    "With the columns that there are."
    with pytest.raises(OutlineError, match=message):
        find_id_column(tmp_path / "o.shp", columns)


RGI_7 = {
    "north-1": "RGI2000-v7.0-G-11-01234",
    "north-2": "RGI2000-v7.0-C-11-00012",
    "west": "RGI2000-v7.0-G-11-01235",
    "east": "RGI2000-v7.0-G-11-01236",
    "south": "RGI2000-v7.0-C-11-00013",
}


def write_layers(run, *layers):
    """Write the region's outlines as layers of a GeoPackage, with ids of RGI 7."""
    table = geopandas.read_file(run.root / "data" / "glaciers.shp")
    table["rgi_id"] = table.pop("id").map(RGI_7)
    for layer in layers:
        table.to_file(run.root / "data" / "rgi.gpkg", layer=layer)
    run.raw["dataset_description"]["shapefile_file"] = "rgi.gpkg"
    del run.raw["dataset_description"]["shapefile_fieldname"]
    run.raw["drawing_description"]["features"] = [RGI_7["south"]]
    run.write()


def test_glaciers_and_complexes_of_rgi_7_go_all_the_way(run):
    "Ids with dots and dashes name tiles and maps; the column is found, and said."
    drawn = RGI_7["south"]
    run.raw.update(epochs=1, seeds_number=1)
    write_layers(run, "outlines")
    checked = run("check")
    assert checked.exit_code == 0, checked.output
    assert "5 features by 'rgi_id'" in checked.output
    built = run("build-dataset")
    assert "ids are those of column 'rgi_id'" in built.stderr
    for command in ("train", "draw"):
        assert run(command).exit_code == 0
    assert (run.root / "datasets/region" / drawn / "slope.tif").exists()
    assert (run.root / "drawings/small" / drawn / "thickness_mean.tif").exists()


def test_leaving_out_what_is_found_changes_no_dataset(run):
    "Nor does naming it; another column does."
    write_layers(run, "outlines")
    assert run("build-dataset").exit_code == 0
    described = run.raw["dataset_description"]
    described.update(shapefile_fieldname="rgi_id", shapefile_layer="outlines")
    run.write()
    place = Workspace(run.root)
    assert open_dataset(check_experiment(run.raw, "exp"), place).select("train")
    described["shapefile_fieldname"] = "train"
    with pytest.raises(DatasetError, match="shapefile_fieldname rgi_id → train"):
        open_dataset(check_experiment(run.raw, "exp"), place)


def test_another_column_than_that_of_the_build_is_noticed_where_it_is_found(run):
    "It was named for the build, and is left out now."
    write_layers(run, "outlines")
    described = run.raw["dataset_description"]
    path = run.root / "data" / "rgi.gpkg"
    table = geopandas.read_file(path).assign(name=list("abcde"))
    table.to_file(path, layer="outlines")
    described["shapefile_fieldname"] = "name"
    run.write()
    assert run("build-dataset").exit_code == 0
    del described["shapefile_fieldname"]
    with pytest.raises(DatasetError, match="shapefile_fieldname name → rgi_id"):
        open_dataset(check_experiment(run.raw, "exp"), Workspace(run.root))


def test_of_several_layers_one_must_be_named(run):
    "The message lists them; the one that is named is read."
    write_layers(run, "glaciers", "debris")
    asked = run("check")
    assert asked.exit_code == 1
    assert "holds the layers glaciers, debris" in asked.output
    run.raw["dataset_description"]["shapefile_layer"] = "glacier"
    run.write()
    assert "Did you mean 'glaciers'" in run("check").output
    run.raw["dataset_description"]["shapefile_layer"] = "glaciers"
    run.write()
    assert run("check").exit_code == 0
    assert run("build-dataset").exit_code == 0
    dataset = open_dataset(check_experiment(run.raw, "exp"), Workspace(run.root))
    assert dataset.rows.keys() == set(RGI_7.values())
