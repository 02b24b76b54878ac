"""Data that are missing or broken: a message each, and the rest is said."""

import json

import numpy as np
import pytest
import rasterio
from click.testing import CliRunner

from glacier_inversion.cli import main
from tests import synthetic
from tests.checking.helpers import report_of


def test_what_is_drawn_is_counted(finished):
    "Pixels of the map, within the outline's edge."
    path = finished.root / "drawings/small/south/thickness_mean.tif"
    with rasterio.open(path) as src:
        n_drawn = int(np.isfinite(src.read(1)).sum())
    draw = report_of(finished)["draw"]
    assert draw["features"] == 1
    assert draw["pixels"] == pytest.approx(n_drawn, rel=0.1)
    assert draw["seconds"] > 0


def test_missing_data_are_problems_and_the_rest_is_said(run, tmp_path):
    "A raster first, then the outlines, then everything; in the commands' words."
    (run.root / "data" / "speed.tif").unlink()
    report = report_of(run, 1)
    built = run("build-dataset")
    assert len(report["problems"]) == 1
    assert built.stderr == f"Error: {report['problems'][0]}\n"
    status = {raster["name"]: raster["status"] for raster in report["rasters"]}
    assert status == {"slope": "found", "speed": "missing", "thickness": "found"}
    assert report["samples"]["train"] > 0
    assert not report["samples"]["exact"]
    assert report["train"]["seconds"] > 0
    (run.root / "data" / "glaciers.shp").unlink()
    report = report_of(run, 1)
    assert (
        "glaciers.shp: does not exist. Must be a vector file" in report["problems"][0]
    )
    assert report["outlines"]["status"] == "missing"
    assert report["samples"]["train"] is None
    alone = tmp_path / "alone"
    alone.mkdir()
    result = CliRunner().invoke(
        main, ["check", str(run.file), "--workspace", str(alone), "-v"]
    )
    assert result.exit_code == 1
    assert "per 1,000 samples" in result.stdout
    assert "Problems: 5" in result.stdout
    assert list(alone.iterdir()) == []


def test_a_missing_target_leaves_the_samples_unknown(run):
    "The inputs are surveyed all the same."
    (run.root / "data" / "thickness.tif").unlink()
    report = report_of(run, 1)
    assert report["samples"]["train"] is None
    assert report["features"][0]["valid"].keys() == {"slope", "speed"}
    assert run("check", "-v").exit_code == 1


@pytest.mark.parametrize("budget", [None, 0])
def test_targets_that_no_network_can_give_are_warned_of(run, monkeypatch, budget):
    "Exactly read or not, as far as they are; training says the same."
    if budget is not None:
        few = 2 * 70 * 65  # of the smallest features, and others are estimated
        monkeypatch.setattr("glacier_inversion.checking.preview._BUDGET", few)
    outputs = run.raw["model_description"]["outputs"]
    outputs["thickness"]["operations"][-1]["last_activation"] = "sigmoid"
    run.write()
    report = report_of(run)
    assert report["samples"]["exact"] == (budget is None)
    told = [w for w in report["warnings"] if "'sigmoid' gives 0 to 1, and" in w]
    assert len(told) == 1
    assert "those of thickness.tif are" in told[0]
    if budget is None:
        assert run("build-dataset").exit_code == 0
        assert told[0] in run("train", "--jobs", "1").stderr


def broken_crs(root):
    slope = np.ones((130, 140), "f4")
    left, top = synthetic.LEFT, synthetic.TOP
    synthetic.write_raster(root / "data/slope.tif", slope, left, top, 25.0, epsg=None)


def broken_file(root):
    (root / "data/slope.tif").write_text("no raster")


def undeclared(root):
    slope = np.full((130, 140), -9999, "f4")
    left, top = synthetic.LEFT, synthetic.TOP
    synthetic.write_raster(root / "data/slope.tif", slope, left, top, 25.0, nodata=None)


def nothing_valid(root):
    slope = np.full((130, 140), synthetic.NODATA, "f4")
    synthetic.write_raster(
        root / "data/slope.tif", slope, synthetic.LEFT, synthetic.TOP, 25.0
    )


def no_features(root):
    import fiona  # noqa: PLC0415

    with fiona.open(
        root / "data/glaciers.shp",
        "w",
        driver="ESRI Shapefile",
        crs=f"EPSG:{synthetic.EPSG}",
        schema={"geometry": "Polygon", "properties": {"id": "str"}},
    ):
        pass


def outlines_without_crs(root):
    synthetic.write_outlines(root / "data/glaciers.shp", synthetic.FEATURES, None)
    (root / "data/glaciers.prj").unlink(missing_ok=True)


def wrong_split(root):
    features = [({**columns, "train": 5}, box) for columns, box in synthetic.FEATURES]
    synthetic.write_outlines(root / "data/glaciers.shp", features)


def no_split(root):
    features = [({**columns, "train": ""}, box) for columns, box in synthetic.FEATURES]
    synthetic.write_outlines(root / "data/glaciers.shp", features)


def no_validation(root):
    features = [({**columns, "train": 0}, box) for columns, box in synthetic.FEATURES]
    synthetic.write_outlines(root / "data/glaciers.shp", features)


def broken_profile(root):
    (root / "data/profiles/along.shp").unlink()


@pytest.mark.parametrize(
    ("breaks", "message"),
    [
        (broken_crs, "slope.tif: has no CRS. Must say where it is."),
        (broken_file, "slope.tif: cannot be read"),
        (undeclared, "slope.tif: holds -9999, and no number is declared as nodata."),
        (nothing_valid, "the training features (3) hold no samples."),
        (no_features, "glaciers.shp: holds no feature. Must hold outlines."),
        (outlines_without_crs, "glaciers.shp: has no CRS. Must say where it is."),
        (wrong_split, "glaciers.shp: column 'train': north-1: 5"),
        (no_split, "the training features (0) hold no samples."),
        (no_validation, "the validation features (0) hold no samples."),
        (broken_profile, "along.shp: does not exist. There is none."),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_broken_data_give_a_message_each(run, breaks, message):
    "Once, no traceback, and the network is told all the same."
    breaks(run.root)
    report = report_of(run, 1)
    assert sum(message in problem for problem in report["problems"]) == 1
    assert report["network"]["parameters"] > 0
    text = run("check", "-v")
    assert text.exit_code == 1
    assert message in text.stdout


def with_derived(run):
    """Derive rasters of the slope, one of them an input."""
    run.raw["dataset_description"]["rasters"] += [
        {"name": "smooth", "resolution": 50.0, "derive": SMOOTH},
        {
            "name": "margin",
            "resolution": 50.0,
            "derive": {"name": "distance_to_margin"},
        },
    ]
    run.raw["inputs"][0]["name"] = "smooth"
    inputs = run.raw["model_description"]["inputs"]
    inputs["smooth"] = inputs.pop("slope")
    run.write()


SMOOTH = {"name": "smooth", "of": ["slope"], "sigma": 100.0, "within": "everywhere"}


def test_derived_rasters_are_surveyed_as_they_will_be_built(run):
    "Of no file; their valid pixels are those that smoothing leaves."
    with_derived(run)
    report = report_of(run)
    rasters = {raster["name"]: raster for raster in report["rasters"]}
    smooth, margin = rasters["smooth"], rasters["margin"]
    assert (smooth["file"], smooth["band"], smooth["status"]) == (None, None, "found")
    assert (smooth["derive"], smooth["role"]) == (SMOOTH, "input")
    assert (smooth["valid_min"], margin["unit"]) == (1, "m")
    assert rasters["slope"]["valid_min"] < 1  # the hole that is filled
    assert report["features"][0]["coverage"].keys() == {"slope", "speed", "thickness"}
    assert report["samples"]["exact"]
    assert run("build-dataset").exit_code == 0
    rows = json.loads((run.root / "datasets/region/summary.json").read_text())
    for feature, row in zip(report["features"], rows["features"], strict=True):
        for name, share in feature["valid_in_tile"].items():
            assert share == pytest.approx(row["rasters"][name]["valid"], abs=1e-6)


def test_derived_rasters_are_estimated_in_coarse_steps(run, monkeypatch):
    "Where all would take too long."
    with_derived(run)
    exact = report_of(run)
    monkeypatch.setattr("glacier_inversion.checking.preview._BUDGET", 0)
    monkeypatch.setattr("glacier_inversion.checking.preview._COARSE_PX", 8)
    coarse = report_of(run)
    for mine, other in zip(coarse["features"], exact["features"], strict=True):
        for name in ("smooth", "margin"):
            assert mine["valid"][name] == pytest.approx(other["valid"][name], abs=0.1)


def test_what_is_derived_of_a_missing_file_is_missing(run):
    "One problem; what needs no file is told all the same."
    with_derived(run)
    (run.root / "data/slope.tif").unlink()
    report = report_of(run, 1)
    assert len(report["problems"]) == 1
    status = {raster["name"]: raster["status"] for raster in report["rasters"]}
    assert (status["slope"], status["smooth"], status["margin"]) == (
        *("missing", "missing", "found"),
    )
    assert report["features"][0]["valid"].keys() == {"speed", "thickness", "margin"}
