"""Calibrated statistics: from members and calibration.json, drawn and by hand."""

import csv
import json
import shutil
from dataclasses import replace
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import rasterio

from glacier_inversion.drawing.calibrated import CalibratedOutput, find_calibration
from glacier_inversion.training.model.model import read_model
from tests.drawing.helpers import by_patches, calibrate, read
from tests.helpers import copy_of, edit_json, read_all

NAMES = ["uncertainty", "lower68", "upper68", "lower95", "upper95"]


def in_pixels(run, name, values, points):
    """Return what a map of the feature 'south' should hold of values at points."""
    mean, transform = read(run.root / f"drawings/small/south/thickness_{name}.tif")
    rows, cols = np.indices(mean.shape) + 0.5
    x, y = transform * (cols.ravel(), rows.ravel())
    i, j = (index.reshape(mean.shape) for index in points.index(x, y))
    values = values[:, i, j]
    values[:, np.isnan(mean)] = np.nan  # beyond the outline
    return mean, values


def asking(finished, folder, names):
    """Return a copy of the finished workspace in which statistics are to be drawn."""
    run = copy_of(finished, folder)
    run.raw["drawing_description"]["statistics"] = names
    run.write()
    return run


@pytest.fixture(scope="module")
def drawn(finished, tmp_path_factory):
    """The region with all calibrated statistics drawn."""
    run = asking(finished, tmp_path_factory.mktemp("drawn"), ["mean", "std", *NAMES])
    calibrate(run)
    result = run("draw")
    assert result.exit_code == 0, result.output
    return run


def test_maps_follow_from_members_and_the_calibration(drawn):
    "At every pixel, by the file and numpy in float64."
    folder = drawn.root / "drawings/small/south"
    content = json.loads((drawn.root / "models/small/calibration.json").read_text())
    own = content["outputs"]["thickness"]
    points, members = by_patches(drawn, "south")
    maps = {name: read(folder / f"thickness_{name}.tif") for name in ("mean", *NAMES)}
    _, values = in_pixels(drawn, "mean", members, points)
    centre, spread = values.mean(axis=0), values.std(axis=0, ddof=1)
    sigma = np.sqrt(own["a"] ** 2 + (own["b"] * spread) ** 2 + (own["c"] * centre) ** 2)
    expected = {"uncertainty": sigma}
    for level in ("68", "95"):
        half = own["levels"][level]["factor"] * sigma
        expected[f"lower{level}"] = np.maximum(centre - half, 0)
        expected[f"upper{level}"] = centre + half
    assert (expected["lower95"] == 0).any()
    assert (expected["lower68"] > 0).any()
    for name in NAMES:
        # batches reorder float32 sums
        np.testing.assert_allclose(maps[name][0], expected[name], rtol=1e-3, atol=1e-2)


def test_what_is_not_calibrated_stays_as_it_is(drawn, finished):
    "The std is the spread of members, and says so."
    name = "drawings/small/south/thickness_std.tif"
    with (
        rasterio.open(drawn.root / name) as now,
        rasterio.open(finished.root / name) as before,
    ):
        np.testing.assert_array_equal(now.read(), before.read())
        assert now.descriptions == before.descriptions
        assert now.descriptions == ("thickness std (spread of members)",)
        differing = set(now.tags().items()) ^ set(before.tags().items())
    assert {key for key, _ in differing} == {"experiment_sha256"}


def test_maps_say_what_they_are_calibrated_with(drawn):
    "Bounds with the coverage of features that were held out, and no guarantee."
    folder = drawn.root / "drawings/small/south"
    of_map = {}
    for name in NAMES:
        with rasterio.open(folder / f"thickness_{name}.tif") as src:
            assert src.descriptions == (f"thickness {name} (calibrated)",)
            assert src.units == ("m",)
            of_map[name] = src.tags()
    assert {
        (tags["calibration"], tags["calibration_features"]) for tags in of_map.values()
    } == {("crossval", "5")}
    assert "level" not in of_map["uncertainty"]
    for name in NAMES[1:]:
        share = {"68": "0.6770", "95": "0.9470"}[name[-2:]]
        assert of_map[name]["level"] == "nominal"
        assert of_map[name]["coverage_held_out"] == share


def test_bounds_are_coloured_as_the_mean_is(drawn):
    "One range for all of them; that of the uncertainty is its own, from 0 on."
    folder = drawn.root / "drawings/small"
    style = {
        name: (folder / f"thickness_{name}.qml").read_bytes()
        for name in ("mean", "std", *NAMES)
    }
    assert {style[name] for name in NAMES[1:]} == {style["mean"]}
    assert len({style["mean"], style["std"], style["uncertainty"]}) == 3
    renderer = ET.fromstring(style["uncertainty"]).find(".//rasterrenderer")
    assert renderer.get("classificationMin") == "0.0"
    sigma = read(folder / "south/thickness_uncertainty.tif")[0]
    assert float(renderer.get("classificationMax")) >= np.nanmax(sigma)


def test_profiles_have_the_numbers_of_the_maps(drawn):
    "A column for each."
    folder = drawn.root / "drawings/small"
    maps = {name: read(folder / f"south/thickness_{name}.tif") for name in NAMES}
    with (folder / "profiles/along_thickness.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["feature"] == "south"]
    assert len(rows) > 10
    for row in rows:
        for name, (values, transform) in maps.items():
            col, i = (int(k) for k in ~transform * (float(row["x"]), float(row["y"])))
            # evaluated in other blocks
            assert float(row[name]) == pytest.approx(values[i, col], rel=1e-3, abs=1e-2)


def test_what_is_drawn_twice_is_the_same(drawn, tmp_path):
    "Bit by bit, elsewhere; mosaics that are not drawn any more are gone."
    run = copy_of(drawn, tmp_path)
    shutil.rmtree(run.root / "drawings")
    assert run("draw").exit_code == 0
    assert read_all(run.root / "drawings") == read_all(drawn.root / "drawings")
    run.raw["drawing_description"]["statistics"] = ["mean"]
    run.write()
    assert run("draw").exit_code == 0
    mosaics = (run.root / "drawings/small").glob("*.vrt")
    assert [path.name for path in mosaics] == ["thickness_mean.vrt"]


def refused(run):
    """Return why nothing is drawn, which is what check says, too."""
    before = read_all(run.root / "drawings")
    result = run("draw")
    assert result.exit_code == 1
    assert read_all(run.root / "drawings") == before
    checked = run("check", "--json")
    (problem,) = json.loads(checked.stdout)["problems"]
    assert problem in result.stderr
    return problem


def test_a_model_without_calibration_is_refused(finished, tmp_path):
    "With the command to run."
    run = asking(finished, tmp_path, ["mean", "upper95", "uncertainty"])
    problem = refused(run)
    assert "models/small/calibration.json: is not there." in problem
    assert "Run 'ginv crossval' with the experiment of the model, or of" in problem
    assert "leave upper95, uncertainty out of drawing_description" in problem


def test_an_output_without_calibration_is_refused(finished, tmp_path):
    run = asking(finished, tmp_path, ["lower68"])
    calibrate(run)
    path = run.root / "models/small/calibration.json"
    edit_json(path, lambda content: content["outputs"].clear())
    assert "holds none of the outputs thickness. Must hold one at least" in refused(run)


def test_one_output_without_calibration_is_drawn_without(run):
    "As a probability is: with a warning; maps, profiles and picture have what there is."
    run.raw["outputs"].append({"name": "slope", "resolution": 50.0, "scalar": True})
    run.raw["losses_name"]["slope"] = "nan_mae"
    described = run.raw["model_description"]["outputs"]
    described["slope"] = described["thickness"]
    run.raw.update(epochs=1, criterion="loss")
    run.raw["drawing_description"] |= {
        "statistics": ["mean", "std", "uncertainty", "upper95"],
        "bed": {"thickness": "thickness", "surface": "slope"},
    }
    run.raw["dataset_description"]["rasters"][0]["unit"] = "m"
    run.write()
    for command in ("build-dataset", "train"):
        result = run(command)
        assert result.exit_code == 0, result.output
    calibrate(run)
    result = run("draw")
    assert result.exit_code == 0, result.output
    assert result.stderr.count("does not hold slope: a probability, or measured") == 1
    assert "Drawn without uncertainty, upper95" in result.stderr
    folder = run.root / "drawings/small"
    of_slope = {path.name for path in folder.glob("south/slope_*.tif")}
    assert of_slope == {"slope_mean.tif", "slope_std.tif"}
    for output in ("thickness", "thickness_bed"):
        assert len([*folder.glob(f"south/{output}_u*.tif")]) == 2
    assert (folder / "overview.png").exists()
    columns = (folder / "profiles/along_slope.csv").read_text().splitlines()[0]
    assert columns == "line,distance,x,y,feature,mean,std,target"
    assert run("check").exit_code == 0


def test_the_calibration_of_another_model_is_refused(finished, tmp_path):
    "As one that was trained anew from another experiment."
    run = asking(finished, tmp_path, ["uncertainty"])
    calibrate(run)
    path = run.root / "models/small/calibration.json"
    edit_json(path, lambda content: content.update(model="0123456789abcdef"))
    assert "is that of another model" in refused(run)


def test_one_member_has_no_spread_to_calibrate(finished, tmp_path):
    "It is drawn where the calibration does without."
    run = asking(finished, tmp_path, ["mean", "uncertainty"])
    shutil.rmtree(run.root / "models/small/seed_001")
    calibrate(run)
    assert "models/small: has one finished member. Must have two" in refused(run)
    calibrate(run, b=0.0)
    assert run("draw").exit_code == 0
    folder = run.root / "drawings/small/south"
    mean, sigma = (
        read(folder / f"thickness_{name}.tif")[0] for name in ("mean", "uncertainty")
    )
    np.testing.assert_allclose(sigma, np.hypot(4, mean / 4), rtol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_a_bed_mirrors_its_thickness_below_the_surface(finished, tmp_path, name):
    "No bound lies above the surface, not even of a thickness below 0; NaN where either."
    run = copy_of(finished, tmp_path)
    calibration = replace(calibrate(run), is_nonnegative=False)
    members = np.array([[90, 1, -80, 50, np.nan], [110, 3, -84, 60, 4]], dtype="f4")
    surface = np.array([2000, 2100, 2200, np.nan, 2300], dtype="f4")
    bed = CalibratedOutput(calibration, members, surface).statistic(name)
    mean, spread = members.mean(axis=0), members.std(axis=0, ddof=1)
    sigma = np.sqrt(16 + 4 * spread**2 + mean**2 / 16)
    half = {"68": 1.25, "95": 3.5}.get(name[-2:], 0) * sigma
    expected = {
        "u": np.minimum(surface, surface - (mean - half)),
        "l": np.minimum(surface, surface - (mean + half)),
    }[name[0]]
    if name == "uncertainty":
        expected = sigma + 0 * surface
    np.testing.assert_allclose(bed, expected, rtol=1e-6)
    assert np.isnan(bed).tolist() == [False, False, False, True, True]


def test_noise_is_drawn_beside_the_spread(noisy):
    "The root of the mean variance that the members say; the std has none of it."
    points, variances = by_patches(noisy, "south", variances=True)
    drawn, variances = in_pixels(noisy, "noise", variances, points)
    assert np.isfinite(drawn).sum() > 200
    # batches reorder float32 sums
    np.testing.assert_allclose(drawn, np.sqrt(variances.mean(axis=0)), rtol=1e-3)
    spread, members = in_pixels(noisy, "std", by_patches(noisy, "south")[1], points)
    np.testing.assert_allclose(spread, members.std(axis=0, ddof=1), rtol=1e-2)
    folder = noisy.root / "drawings/small"
    with rasterio.open(folder / "south/thickness_noise.tif") as src:
        assert src.descriptions == (
            "thickness noise (in the data, as the members say)",
        )
        assert src.units == ("m",)
    styles = {
        name: ET.parse(folder / f"thickness_{name}.qml").find(".//rasterrenderer")
        for name in ("mean", "std", "noise")
    }
    assert styles["noise"].get("classificationMin") == "0.0"
    ramps = {
        name: [item.get("color") for item in style.iter("item")]
        for name, style in styles.items()
    }
    assert ramps["noise"] == ramps["std"] != ramps["mean"]
    with rasterio.open(folder / "thickness_noise.vrt") as mosaic:
        assert np.nanmax(mosaic.read(1)) == np.nanmax(drawn)
    assert ">south thickness noise<" in (folder / "maps.qlr").read_text()


def test_a_profile_has_the_noise_of_the_map(noisy):
    values, transform = read(noisy.root / "drawings/small/south/thickness_noise.tif")
    with (noisy.root / "drawings/small/profiles/along_thickness.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["feature"] == "south"]
    assert len(rows) > 10
    for row in rows:
        col, i = (int(k) for k in ~transform * (float(row["x"]), float(row["y"])))
        assert float(row["noise"]) == pytest.approx(values[i, col], rel=1e-3)


def test_noise_that_no_member_learns_is_refused(finished, noisy, tmp_path):
    "By the loss of the model; before it is trained by that of the experiment."
    run = asking(finished, tmp_path, ["mean", "noise"])
    problem = refused(run)
    assert problem == (
        f"{run.root}/models/small: its loss of the output 'thickness', 'nan_mae', "
        "learns no noise in the data. Must be 'gaussian_nll' or 'nan_gaussian_nll' for "
        "every output that noise shall be drawn of. Train with one of them, or leave "
        "noise out of drawing_description.statistics."
    )
    shutil.rmtree(run.root / "models")
    assert json.loads(run("check", "--json").stdout)["problems"] == [problem]
    assert json.loads(noisy("check", "--json").stdout)["problems"] == []


@pytest.mark.parametrize("counts_noise", [True, False])
def test_noise_is_part_of_the_spread_that_was_calibrated_with_it(
    noisy, tmp_path, counts_noise
):
    "By the law of total variance; not in a calibration of an earlier version."
    run = asking(noisy, tmp_path, ["mean", "uncertainty"])
    calibrate(run, counts_noise=counts_noise)
    path, key = run.root / "models/small/calibration.json", "counts_noise"
    if not counts_noise:
        edit_json(path, lambda content: content["outputs"]["thickness"].pop(key))
    assert run("draw").exit_code == 0
    points, members = by_patches(run, "south")
    sigma, members = in_pixels(run, "uncertainty", members, points)
    variances = by_patches(run, "south", variances=True)[1]
    noise = in_pixels(run, "uncertainty", variances, points)[1].mean(axis=0)
    squared = members.var(axis=0, ddof=1) + counts_noise * noise
    expected = np.sqrt(4.0**2 + 2.0**2 * squared + (members.mean(axis=0) / 4) ** 2)
    np.testing.assert_allclose(sigma, expected, rtol=1e-3)


def test_one_member_that_says_its_noise_has_a_spread(noisy, tmp_path):
    run = asking(noisy, tmp_path, ["noise", "uncertainty"])
    shutil.rmtree(run.root / "models/small/seed_001")
    calibrate(run, c=0.0, counts_noise=True)
    assert run("draw").exit_code == 0
    folder = run.root / "drawings/small/south"
    noise, sigma = (
        read(folder / f"thickness_{name}.tif")[0] for name in ("noise", "uncertainty")
    )
    np.testing.assert_allclose(sigma, np.hypot(4, 2 * noise), rtol=1e-5)
    # and pictures of profiles show it
    model = run.root / "models/small"
    assert find_calibration(model, read_model(model), 1).outputs
    calibrate(run, counts_noise=False)
    assert not find_calibration(model, read_model(model), 1).outputs
