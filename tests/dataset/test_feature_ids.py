"""Ids of features: found in their column, and names that folders can have."""

import geopandas
import pytest

from glacier_inversion.dataset.feature_ids import find_id_column
from glacier_inversion.dataset.opened import open_dataset
from glacier_inversion.dataset.outlines import (
    read_columns,
    read_outlines,
)
from glacier_inversion.errors import DatasetError, OutlineError
from glacier_inversion.experiment.experiment import check_experiment
from glacier_inversion.workspace import Workspace
from tests import synthetic
from tests.dataset.helpers import some


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


def test_numeric_ids_have_no_decimals(tmp_path):
    "An integer column names features 7 and 12."
    synthetic.write_outlines(tmp_path / "o.gpkg", some(7, 12))
    assert [o.feature for o in read_outlines(tmp_path / "o.gpkg", "id", 32632)] == [
        "7",
        "12",
    ]


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
