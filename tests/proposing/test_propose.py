"""Experiments proposed for made-up data: accepted by check, and they train."""

import json
import shutil

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
from click.testing import CliRunner

from glacier_inversion.cli import main
from glacier_inversion.experiment.experiment import load_application
from tests import synthetic


def surface_m(x, y):
    """A surface of some 20 degrees."""
    return 2500 + 0.36 * (x - synthetic.LEFT) + 60 * np.sin(y / 300)


def ginv(*words):
    """Run a command; whatever is no error of ours is raised."""
    return CliRunner().invoke(
        main, [str(word) for word in words], catch_exceptions=False
    )


@pytest.fixture
def workspace(tmp_path):
    """The region's data, alone."""
    synthetic.write_region(tmp_path)
    return tmp_path


def propose(workspace, *options):
    """Run new, which succeeds; return what it says, and what it wrote."""
    result = ginv("new", "--workspace", workspace, *options)
    assert result.exit_code == 0, result.output
    path = workspace / "experiment.json"
    assert result.stdout == f"{path}\n"
    return result.stderr, json.loads(path.read_text(encoding="utf-8"))


def check(workspace):
    """Check the proposal, which is accepted without a problem."""
    path = workspace / "experiment.json"
    result = ginv("check", path, "--workspace", workspace)
    assert result.exit_code == 0, result.output


def write_elevation(workspace, name="dem.tif"):
    """Write an elevation, and no slope any more."""
    values = synthetic.sample(surface_m, synthetic.LEFT, synthetic.TOP, 25.0, 130, 140)
    path = workspace / "data" / name
    synthetic.write_raster(path, values, synthetic.LEFT, synthetic.TOP, 25.0)
    (workspace / "data" / "slope.tif").unlink()


def write_components(workspace, epsg=synthetic.EPSG):
    """Write the components of a velocity, and no speed any more."""
    x, y = np.array([synthetic.LEFT]), np.array([synthetic.TOP])
    if epsg != synthetic.EPSG:
        to_other = synthetic.Transformer.from_crs(synthetic.EPSG, epsg, always_xy=True)
        x, y = to_other.transform(x, y)
    left, top = float(x[0]) - 400, float(y[0]) + 400
    values = synthetic.sample(synthetic.speed_m_per_yr, left, top, 50.0, 84, 90, epsg)
    for name, factor in (("vx", 0.6), ("vy", 0.8)):
        path = workspace / "data" / f"ITS_LIVE_velocity_120m_RGI11A_0000_v02_{name}.tif"
        synthetic.write_raster(path, factor * values, left, top, 50.0, epsg)
    (workspace / "data" / "speed.tif").unlink()


def test_a_proposal_is_accepted_and_trains(workspace):
    "Ten lines or so say why; slope and speed are read, thickness is predicted."
    said, content = propose(workspace)
    assert 8 <= len(said.splitlines()) <= 12
    assert "by 'id', a guess: see shapefile_fieldname" in said
    assert [variable["name"] for variable in content["inputs"]] == ["slope", "speed"]
    description = content["dataset_description"]
    assert description["epsg"] == synthetic.EPSG
    assert description["split"] == {"field": "train"}
    assert {raster["resolution"] for raster in description["rasters"]} == {50.0}
    assert content["area_size"] == 800.0
    check(workspace)
    path = workspace / "experiment.json"
    content.update(epochs=1, seeds_number=1)
    synthetic.write_json(path, content)
    for command in ("build-dataset", "train", "draw"):
        assert ginv(command, path, "--workspace", workspace).exit_code == 0
    assert (workspace / "drawings/glaciers/south/ice_thickness_mean.tif").exists()


def test_what_is_missing_is_derived(workspace):
    "Slope of the elevation, speed of components that are named as a vector."
    write_elevation(workspace, "Copernicus_DSM_COG_10_N46_00_E007_00_DEM.tif")
    write_components(workspace, synthetic.OTHER_EPSG)
    said, content = propose(workspace)
    assert "slope (input): slope of dem" in said
    assert "speed (input): magnitude of vx and vy" in said
    assert content["dataset_description"]["vectors"] == [["vx", "vy"]]
    check(workspace)


def test_geographic_outlines_get_their_utm_zone(workspace):
    "And a split by chance in which each part has measurements."
    path = workspace / "data" / "glaciers.shp"
    table = geopandas.read_file(path).to_crs(4326).drop(columns="train")
    table.rename(columns={"id": "RGIId"}).to_file(path)
    said, content = propose(workspace)
    assert content["dataset_description"]["epsg"] == 32632
    assert "UTM zone" in said
    assert "by 'RGIId'\n" in said
    assert "of the features with measurements 3 train, 1 validation, 1 test" in said
    check(workspace)


def test_undeclared_nodata_is_named(workspace):
    "And said to be a guess."
    path = workspace / "data" / "slope.tif"
    values = synthetic.sample(
        synthetic.slope_deg, synthetic.LEFT, synthetic.TOP, 25.0, 130, 140
    )
    values[60:64, 70:78] = -9999
    synthetic.write_raster(
        path, values, synthetic.LEFT, synthetic.TOP, 25.0, nodata=None
    )
    assert "nodata [-9999.0]: a guess" in propose(workspace)[0]
    check(workspace)


def test_a_value_of_a_packed_raster_is_not_guessed_to_be_nodata(workspace):
    "As its file declares another number."
    path = workspace / "data" / "slope.tif"
    codes = np.full((130, 140), -9998, dtype="i2")
    codes[60:64, 70:78] = -9999
    synthetic.write_raster(
        path, codes, synthetic.LEFT, synthetic.TOP, 25.0, nodata=-32768
    )
    with rasterio.open(path, "r+") as dst:
        dst.scales, dst.offsets = [0.1], [1010.0]
    assert "-9999" not in propose(workspace)[0]
    check(workspace)


def test_of_several_outlines_those_of_an_inventory_are_taken(workspace):
    "Else they are listed, and one is named."
    data = workspace / "data"
    table = geopandas.read_file(data / "glaciers.shp")
    table.to_file(data / "others.gpkg")
    refused = ginv("new", "--workspace", workspace)
    assert refused.exit_code == 1
    assert "holds several outlines: glaciers.shp, others.gpkg" in refused.stderr
    assert not (workspace / "experiment.json").exists()
    _, content = propose(workspace, "--outlines", "others.gpkg")
    assert content["dataset_description"]["shapefile_file"] == "others.gpkg"
    (workspace / "experiment.json").unlink()
    table.rename(columns={"id": "rgi_id"}).to_file(data / "rgi.gpkg")
    assert "outlines: rgi.gpkg, 5 features by 'rgi_id'\n" in propose(workspace)[0]


def test_outlines_may_lie_elsewhere(workspace, tmp_path_factory):
    "By their whole path, as in the experiment."
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "mine.gpkg"
    geopandas.read_file(workspace / "data" / "glaciers.shp").to_file(elsewhere)
    _, content = propose(workspace, "--outlines", elsewhere)
    assert content["dataset_description"]["shapefile_file"] == str(elsewhere)
    check(workspace)


def test_one_glacier_is_not_split(workspace):
    "It trains, and is drawn; the split says so."
    path = workspace / "data" / "glaciers.shp"
    table = geopandas.read_file(path)[["id", "geometry"]]
    table.iloc[:1].to_file(path)
    said, content = propose(workspace)
    assert "of the features with measurements 1 train\n" in said
    assert content["drawing_description"]["features"] == "all"
    check(workspace)


def test_columns_that_name_nothing_are_refused(workspace):
    "With those that there are."
    path = workspace / "data" / "glaciers.shp"
    table = geopandas.read_file(path)[["train", "geometry"]]
    table.to_file(path)
    refused = ginv("new", "--workspace", workspace)
    assert refused.exit_code == 1
    assert "no column, among train, can name the outlines" in refused.stderr
    table["name"] = ["a/b", "b", "c", "d", "e"]
    table.to_file(path)
    refused = ginv("new", "--workspace", workspace)
    assert "no column, among train, name, can name the outlines" in refused.stderr
    assert "'a/b'" in refused.stderr


def test_outlines_that_cannot_be_read_are_told_of(workspace):
    "Each one; and the one that was named is refused."
    broken = workspace / "data" / "broken.gpkg"
    broken.write_bytes(b"none")
    assert "broken.gpkg: cannot be read" in propose(workspace)[0]
    (workspace / "experiment.json").unlink()
    for name, said in (("broken.gpkg", "cannot be read"), ("no.shp", "does not exist")):
        refused = ginv("new", "--workspace", workspace, "--outlines", name)
        assert refused.exit_code == 1
        assert f"{name}: {said}" in refused.stderr


def test_one_of_several_layers_is_named(workspace):
    "The messages say how, and which one was taken."
    data = workspace / "data"
    table = geopandas.read_file(data / "glaciers.shp")
    for layer in ("now", "then"):
        table.to_file(data / "two.gpkg", layer=layer)
    refused = ginv("new", "--workspace", workspace, "--outlines", "two.gpkg")
    assert "'--layer NAME'" in refused.stderr
    said, content = propose(workspace, "--outlines", "two.gpkg", "--layer", "then")
    assert "two.gpkg (layer then), 5 features" in said
    assert content["dataset_description"]["shapefile_layer"] == "then"
    check(workspace)
    refused = ginv(
        "new", "x.json", "--workspace", workspace, "--outlines", "two.gpkg",
        "--layer", "later",
    )  # fmt: skip
    assert "no polygons in a layer 'later'" in refused.stderr


def test_without_test_features_all_are_drawn(workspace):
    "A column of the split may know none."
    path = workspace / "data" / "glaciers.shp"
    table = geopandas.read_file(path)
    table["train"] = table["train"].clip(upper=1)
    table.to_file(path)
    _, content = propose(workspace)
    assert content["dataset_description"]["split"] == {"field": "train"}
    assert content["drawing_description"]["features"] == "all"


def test_names_are_free(workspace):
    "What is built or trained already is left alone."
    (workspace / "datasets" / "glaciers").mkdir(parents=True)
    (workspace / "models" / "glaciers-2").mkdir(parents=True)
    said, content = propose(workspace)
    assert content["model_name"] == "glaciers-3"
    assert content["dataset_description"]["dataset_name"] == "glaciers-3"
    assert "dataset and model glaciers-3: glaciers is there already" in said


def test_what_is_not_needed_is_told_of(workspace):
    "And which units are a guess."
    shutil.copy(workspace / "data" / "slope.tif", workspace / "data" / "dem.tif")
    said, _ = propose(workspace)
    assert "not needed: dem.tif" in said
    assert "speed (input): speed.tif, unit m/yr: a guess" in said


@pytest.mark.parametrize("with_folder", [True, False])
def test_nothing_at_all_is_refused(tmp_path, with_folder):
    "Nothing is written."
    if with_folder:
        (tmp_path / "data").mkdir()
    refused = ginv("new", "--workspace", tmp_path)
    assert refused.exit_code == 1
    assert "holds no outlines. Must hold a vector file" in refused.stderr
    assert not (tmp_path / "experiment.json").exists()


def test_outlines_alone_are_refused(workspace):
    "Without a slope or speed nothing tells of the thickness."
    for name in ("slope", "speed"):
        (workspace / "data" / f"{name}.tif").unlink()
    refused = ginv("new", "--workspace", workspace)
    assert refused.exit_code == 1
    assert "holds no raster that tells of the thickness" in refused.stderr


def test_an_experiment_is_not_overwritten(workspace):
    "Whatever it holds."
    path = workspace / "experiment.json"
    path.write_text("mine")
    refused = ginv("new", "--workspace", workspace)
    assert refused.exit_code == 1
    assert "exists. Must be a new file" in refused.stderr
    assert path.read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("e.txt", "is no name for an experiment file. Must end in .json. Name it '{}e"),
        ("glaciers", "Must end in .json. Name it '{}glaciers.json'"),
        ("data", "Must end in .json. Name it '{}data/experiment.json'"),
        ("deep/er/e.json", "e.json: the folder {}deep/er is not there. Must be one"),
        ("data/slope.tif/e.json", "the folder {}data/slope.tif is not there."),
    ],
)
def test_a_name_that_a_user_cannot_mean_is_refused(workspace, name, told):
    "Before anything is read; no file and no folder is made."
    before = sorted(workspace.rglob("*"))
    refused = ginv("new", workspace / name, "--workspace", workspace)
    assert refused.exit_code == 1
    assert told.format(f"{workspace}/") in refused.stderr
    assert sorted(workspace.rglob("*")) == before


def test_without_thickness_a_model_is_needed(workspace):
    "The message says how to name one."
    (workspace / "data" / "thickness.tif").unlink()
    refused = ginv("new", "--workspace", workspace)
    assert refused.exit_code == 1
    assert "'--model PATH'" in refused.stderr


def test_a_model_is_applied_where_there_is_no_thickness(finished, workspace):
    "Rasters are named and resolved as it reads them; what is missing is derived."
    (workspace / "data" / "thickness.tif").unlink()
    write_elevation(workspace)
    said, content = propose(workspace, "--model", finished.root / "models" / "small")
    assert content.keys() == {"dataset_description", "drawing_description"}
    rasters = content["dataset_description"]["rasters"]
    resolutions = {raster["name"]: raster["resolution"] for raster in rasters}
    assert resolutions == {"dem": 50.0, "slope": 50.0, "speed": 100.0}
    assert "slope (input): slope of dem" in said
    check(workspace)
    shutil.copytree(finished.root / "models", workspace / "models")
    (workspace / "experiment.json").unlink()
    assert propose(workspace)[1]["drawing_description"]["models"] == ["small"]
    load_application(workspace / "experiment.json")


def trained_on(finished, folder, **changes):
    """Copy a model, and change what its experiment says of its data."""
    shutil.copytree(finished.root / "models" / "small", folder)
    path = folder / "model.json"
    model = json.loads(path.read_text(encoding="utf-8"))
    description = model["experiment"]["dataset_description"]
    for raster in description["rasters"]:
        raster.update(changes.get(raster["name"], {}))
    resolutions = {r["name"]: r["resolution"] for r in description["rasters"]}
    for variable in model["experiment"]["inputs"]:
        variable["resolution"] = resolutions[variable["name"]]
    description["vectors"] = changes.get("vectors", [])
    synthetic.write_json(path, model)
    return folder


def derived_on(finished, folder, surface, **changes):
    """Copy a model, and derive its slope from a raster that is described so."""
    model = trained_on(finished, folder, **changes)
    path = model / "model.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    rasters = content["experiment"]["dataset_description"]["rasters"]
    (slope,) = (raster for raster in rasters if raster["name"] == "slope")
    slope["file"], slope["derive"] = None, {"name": "slope", "of": surface["name"]}
    rasters.append({"file": "dem.tif", "resolution": 50.0} | surface)
    synthetic.write_json(path, content)
    return model


def test_components_that_a_model_reads_are_served_as_such(finished, workspace):
    "By the files that it was trained on, whatever it calls them, and named as a vector."
    (workspace / "data" / "thickness.tif").unlink()
    write_components(workspace, synthetic.OTHER_EPSG)
    model = trained_on(
        finished,
        workspace.parent / "uv",
        slope={"file": "vx.tif", "unit": "m/yr"},
        speed={"file": "v_y.tif", "unit": "m/yr", "resolution": 50.0},
        vectors=[["slope", "speed"]],
    )
    _, content = propose(workspace, "--model", model)
    assert content["dataset_description"]["vectors"] == [["slope", "speed"]]
    files = {r["name"]: r["file"] for r in content["dataset_description"]["rasters"]}
    assert files["slope"].endswith("_vx.tif")
    assert files["speed"].endswith("_vy.tif")
    (workspace / "experiment.json").unlink()
    unknown = trained_on(
        finished,
        workspace.parent / "unknown",
        slope={"file": "a.tif"},
        speed={"resolution": 50.0},
        vectors=[["slope", "speed"]],
    )
    refused = ginv("new", "--workspace", workspace, "--model", unknown)
    assert "reads 'slope', and no raster that covers outlines" in refused.stderr


@pytest.mark.parametrize("are_there", [False, True])
def test_components_that_stand_in_for_a_speed_are_named_as_a_vector(
    finished, workspace, are_there
):
    "As for a training, although the model was trained on a file of the speed."
    (workspace / "data" / "thickness.tif").unlink()
    write_components(workspace, synthetic.OTHER_EPSG)
    model = trained_on(finished, workspace.parent / f"of_{workspace.name}")
    if are_there:  # in the dataset of the model, which does not read them
        path = model / "model.json"
        content = json.loads(path.read_text(encoding="utf-8"))
        content["experiment"]["dataset_description"]["rasters"] += [
            {"name": name, "resolution": 50.0, "file": f"{name}.tif"}
            for name in ("vx", "vy")
        ]
        synthetic.write_json(path, content)
    _, content = propose(workspace, "--model", model)
    assert content["dataset_description"]["vectors"] == [["vx", "vy"]]
    path = workspace / "experiment.json"
    checked = ginv("check", path, "--workspace", workspace)
    assert checked.exit_code == 0, checked.output
    assert "look like the components" not in checked.stdout + checked.stderr


def test_models_that_read_the_same_otherwise_are_refused(finished, workspace):
    "One dataset cannot serve both."
    (workspace / "data" / "thickness.tif").unlink()
    first = finished.root / "models" / "small"
    second = trained_on(finished, workspace.parent / "fine", speed={"resolution": 50.0})
    refused = ginv(
        "new", "--workspace", workspace, "--model", first, "--model", second
    )  # fmt: skip
    assert refused.exit_code == 1
    assert "speed: two of the models read it" in refused.stderr
    assert not (workspace / "experiment.json").exists()


def test_what_a_model_reads_must_be_there(finished, workspace):
    "The message names it and the files that there are."
    (workspace / "data" / "thickness.tif").unlink()
    (workspace / "data" / "speed.tif").unlink()
    model = finished.root / "models" / "small"
    refused = ginv("new", "--workspace", workspace, "--model", model)
    assert refused.exit_code == 1
    assert "reads 'speed', and no raster" in refused.stderr
    assert "slope.tif (slope)" in refused.stderr


def test_radar_points_train(workspace):
    "Where there is no raster of the thickness; check accepts it."
    rng = np.random.default_rng(0)
    x = rng.uniform(synthetic.LEFT, synthetic.LEFT + 3500, 5000)
    y = rng.uniform(synthetic.TOP - 3250, synthetic.TOP, 5000)
    rows = np.column_stack([x, y, synthetic.thickness_m(x, y)])
    header = "x,y,thickness"
    np.savetxt(
        workspace / "data/radar.csv", rows, delimiter=",", header=header, comments=""
    )
    (workspace / "data/thickness.tif").unlink()
    said, content = propose(workspace)
    assert "ice_thickness (output): radar.csv, unit m: a guess" in said
    assert "radar.csv: " in said
    assert "of 5,000 points are used; " in said
    assert content["dataset_description"]["rasters"][-1]["column"] == "thickness"
    check(workspace)


def test_outlines_near_a_pole_have_no_utm_zone(workspace):
    "They are refused with what to do."
    path = workspace / "data" / "glaciers.shp"
    table = geopandas.read_file(path).to_crs(4326)
    table.geometry = table.geometry.translate(yoff=40.0)
    table.to_file(path)
    result = ginv("new", "--workspace", workspace)
    assert result.exit_code == 1
    assert "N, where there is no UTM zone. Must be in a projected CRS" in result.stderr
    assert not (workspace / "experiment.json").exists()


@pytest.mark.parametrize(("east", "epsg"), [(210.0, 32606), (180.0, 32601)])
def test_longitudes_beyond_180_degrees_have_a_utm_zone(tmp_path, east, epsg):
    "From 0 to 360, and on both sides of 180 degrees; the rasters are found, too."
    data = tmp_path / "data"
    data.mkdir()
    left, top = east - 0.05, 61.05
    # at 180 two outlines are written at 179.98 and at -179.96
    boxes = [shapely.box(east + x, 61, east + x + 0.01, 61.01) for x in (-0.02, 0.04)]
    if east == 180:
        boxes[1] = shapely.affinity.translate(boxes[1], -360)
    geopandas.GeoDataFrame({"id": ["a", "b"]}, geometry=boxes, crs=4326).to_file(
        data / "glaciers.shp"
    )
    values = np.random.default_rng(0).uniform(5, 30, (200, 200)).astype("f4")
    for name in ("slope", "velocity", "thickness"):
        synthetic.write_raster(data / f"{name}.tif", values, left, top, 0.0005, 4326)
    _, content = propose(tmp_path)
    assert content["dataset_description"]["epsg"] == epsg
    rasters = [r["file"] for r in content["dataset_description"]["rasters"]]
    assert rasters == ["slope.tif", "velocity.tif", "thickness.tif"]


def test_outlines_without_an_area_are_refused(workspace):
    path = workspace / "data" / "glaciers.shp"
    table = geopandas.read_file(path).to_crs(4326)
    table.geometry = table.geometry.map(lambda outline: shapely.Polygon([(7, 46)] * 4))
    table.to_file(path)
    result = ginv("new", "--workspace", workspace)
    assert result.exit_code == 1
    assert "holds no outline with an area" in result.stderr


def test_rasters_that_are_of_no_use_are_told_of(workspace):
    "One that cannot be read, one beside all outlines, and one that covers less."
    data = workspace / "data"
    (data / "velocity.tif").write_bytes(b"no raster")
    values = np.ones((20, 20), "f4")
    far = synthetic.LEFT + 1e6, synthetic.TOP
    synthetic.write_raster(data / "slope_far.tif", values, *far, 25.0)
    synthetic.write_raster(
        data / "slope_part.tif", values, synthetic.LEFT + 500, synthetic.TOP - 500, 25.0
    )
    said, content = propose(workspace, "-v")
    assert "velocity.tif: cannot be read" in said
    assert "slope_far.tif: left aside, as it covers no outline" in said
    assert "slope_part.tif: is slope, too, and slope.tif is taken" in said
    files = [raster["file"] for raster in content["dataset_description"]["rasters"]]
    assert sorted(files) == ["slope.tif", "speed.tif", "thickness.tif"]


def test_pictures_are_left_aside(workspace):
    "A slope of another file is taken, as if the picture were not there."
    synthetic.write_picture(workspace / "data" / "dem.tif", 4)
    synthetic.write_picture(workspace / "data" / "vx.tif")
    said, content = propose(workspace)
    assert "dem.tif: left aside, as it holds the red of a picture" in said
    assert "vx.tif: left aside, as it holds indices into a colour table" in said
    files = [raster["file"] for raster in content["dataset_description"]["rasters"]]
    assert sorted(files) == ["slope.tif", "speed.tif", "thickness.tif"]


def test_a_split_that_cannot_be_used_is_left_aside(workspace):
    "Of a column that says of one feature what no split is called."
    path = workspace / "data" / "glaciers.shp"
    table = geopandas.read_file(path)
    table["train"] = ["perhaps", *table["train"].astype(str)[1:]]
    table.to_file(path)
    said, content = propose(workspace, "-v")
    assert "'perhaps'" in said
    assert "field" not in content["dataset_description"]["split"]
    check(workspace)


def test_what_a_model_derived_is_derived_again(finished, workspace):
    "From the raster that it was derived from, with the same parameters."
    (workspace / "data" / "thickness.tif").unlink()
    write_elevation(workspace)
    model = derived_on(finished, workspace.parent / "derived", {"name": "surface"})
    _, proposed = propose(workspace, "--model", model)
    own = {r["name"]: r for r in proposed["dataset_description"]["rasters"]}
    assert own["slope"]["derive"] == {"name": "slope", "of": "surface"}
    assert own["surface"]["file"] == "dem.tif"
    check(workspace)


@pytest.mark.parametrize("also_there", [False, True])
def test_one_model_may_have_derived_what_another_had_a_file_of(
    finished, workspace, also_there
):
    "One dataset serves both, though the other has an elevation that it does not read."
    (workspace / "data" / "thickness.tif").unlink()
    write_elevation(workspace)
    first, folder = workspace / "trained/first", workspace / "trained/also"
    trained_on(finished, first)
    if also_there:
        content = json.loads((first / "model.json").read_text(encoding="utf-8"))
        rasters = content["experiment"]["dataset_description"]["rasters"]
        rasters.append({"name": "dem", "file": "dem.tif", "resolution": 50.0})
        synthetic.write_json(first / "model.json", content)
    averaged = {"name": "dem", "resampling": "average"}
    second = derived_on(finished, folder, averaged, slope={"unit": "degree"})
    _, proposed = propose(workspace, "--model", first, "--model", second)
    rasters = proposed["dataset_description"]["rasters"]
    assert [r["name"] for r in rasters] == ["dem", "slope", "speed"]
    check(workspace)


def test_a_raster_is_resampled_as_it_was_for_the_model(finished, workspace):
    "What says of training's files how they are to be read says nothing of others."
    (workspace / "data" / "thickness.tif").unlink()
    write_elevation(workspace)
    surface = {"name": "surface", "resampling": "average"}
    of_file = {"nodata": [-1.0], "band": 2, "unit": "ft"}
    model = derived_on(
        finished,
        workspace.parent / "averaged",
        surface | of_file,
        slope={"unit": "deg"},
        speed={"resampling": "cubic"},
    )
    said, proposed = propose(workspace, "--model", model)
    own = {r["name"]: r for r in proposed["dataset_description"]["rasters"]}
    assert own["surface"]["resampling"] == "average"
    assert own["speed"]["resampling"] == "cubic"
    assert not own["surface"].keys() & {"nodata", "band"}
    assert own["surface"]["unit"] == "m"
    assert own["slope"]["unit"] == "deg"
    assert "surface: dem.tif, unit m: a guess, resampling average: as in" in said
    assert "slope (input): slope of surface\n" in said
    check(workspace)


def test_what_a_model_has_no_word_of_is_resampled_as_for_another(finished, workspace):
    "The elevation, where one has a file of the slope and the other derived it."
    (workspace / "data" / "thickness.tif").unlink()
    write_elevation(workspace)
    first, folder = finished.root / "models" / "small", workspace.parent / "second"
    second = derived_on(finished, folder, {"name": "dem", "resampling": "average"})
    _, proposed = propose(workspace, "--model", first, "--model", second)
    own = {r["name"]: r for r in proposed["dataset_description"]["rasters"]}
    assert own["dem"]["resampling"] == "average"
