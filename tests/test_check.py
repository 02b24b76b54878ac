"""Check an experiment before work starts: what is said must be what then happens."""

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from pyproj import Transformer

from glacier_inversion.checking.check import check
from glacier_inversion.cli import main
from glacier_inversion.dataset.opened import open_dataset, read_training_tiles
from glacier_inversion.experiment.experiment import Experiment, load_experiment
from glacier_inversion.geodata import warping
from glacier_inversion.training.cost import measure_cost
from glacier_inversion.training.data import prepare
from glacier_inversion.training.network.network import Network
from glacier_inversion.workspace import Workspace
from tests import synthetic
from tests.test_real_data import PUBLISHED


def report_of(run, exit_code: int = 0) -> dict:
    """Run the command and return what it printed for programs."""
    result = run("check", "--json")
    assert result.exit_code == exit_code, result.output
    return json.loads(result.stdout, parse_constant=pytest.fail)


def files(root: Path) -> dict[Path, int]:
    """Return the files below a folder and when they were written."""
    return {path: path.stat().st_mtime_ns for path in root.rglob("*")}


def test_what_is_said_is_what_is_built_and_trained(finished):
    "Splits, valid shares, samples and points, exactly; and nothing is written."
    before = files(finished.root)
    report = report_of(finished)
    assert files(finished.root) == before
    assert report["problems"] == []
    experiment = load_experiment(finished.file)
    dataset = open_dataset(experiment, Workspace(finished.root))
    for split in ("train", "validation", "test"):
        assert report["splits"][split] == len(dataset.features(split))
    for feature in report["features"]:
        row = dataset.rows[feature["id"]]
        assert feature["split"] == row["split"]
        assert feature["read"] == "exactly"
        for name, share in feature["valid_in_tile"].items():
            assert share == pytest.approx(row["rasters"][name]["valid"], abs=1e-6)
    data = prepare(experiment, read_training_tiles(dataset, experiment))
    samples = report["samples"]
    assert samples["exact"]
    assert samples["train"] == len(data.train)
    assert samples["validation"] == len(data.validation)
    assert samples["points"]["train"] == len(data.train.points)
    assert samples["points"]["validation"] == len(data.validation.points)
    assert samples["steps_per_epoch"] == -(-len(data.train) // experiment.batch_size)
    summary = json.loads((dataset.folder / "summary.json").read_text())
    assert report["leaks"]["overlaps"] == summary["overlaps"]
    assert report["network"]["parameters"] == Network(experiment).n_parameters()


def test_what_is_drawn_is_counted(finished):
    "Pixels of the map, within the outline's edge."
    path = finished.root / "drawings/small/south/thickness_mean.tif"
    with rasterio.open(path) as src:
        n_drawn = int(np.isfinite(src.read(1)).sum())
    draw = report_of(finished)["draw"]
    assert draw["features"] == 1
    assert draw["pixels"] == pytest.approx(n_drawn, rel=0.1)
    assert draw["seconds"] > 0


def test_the_text_is_for_people(run):
    "Sections on stdout, nothing on stderr; each feature with -v."
    result = run("check")
    assert result.exit_code == 0
    assert result.stderr == ""
    for part in (
        "glaciers.shp: 5 features by 'id', EPSG:32632: 3 train, 1 validation, 1 test",
        "EPSG:2056",
        "steps of 32 an epoch",
        "Network (resnet): ",
        "8 x 4 x 4",
        "Problems: none",
        "they share inputs across the split",
    ):
        assert part in result.stdout
    assert "north-2" not in result.stdout.split("Warnings")[0]
    detailed = run("check", "-v").stdout
    assert "north-2" in detailed.split("Network")[0]


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


def test_a_wrong_experiment_is_exit_code_2(run):
    "The usual message, and one entry for each problem in JSON."
    run.raw["epochs"] = "3"
    run.raw["inputs"][0]["name"] = "slop"
    run.write()
    result = run("check")
    assert result.exit_code == 2
    assert 'epochs: "3" is not allowed' in result.stderr
    assert result.stdout == ""
    problems = report_of(run, 2)["problems"]
    assert any('epochs: "3" is not allowed' in problem for problem in problems)
    assert any("inputs[0].name: 'slop'" in problem for problem in problems)
    assert f"Error: {chr(10).join(problems)}\n" == result.stderr
    run.file.write_text("{")
    assert "no JSON" in report_of(run, 2)["problems"][0]


def test_a_network_that_does_not_fit_is_a_problem(run):
    "In the words of train; the data are surveyed all the same."
    del run.raw["model_description"]["inputs"]["slope"]["operations"][1]
    run.write()
    report = report_of(run, 1)
    assert f"{run.file}: model_description.main[0]" in report["problems"][0]
    assert report["network"]["parameters"] is None
    assert report["samples"]["train"] > 0
    text = run("check")
    assert "does not fit, see the problems" in text.stdout
    assert report["problems"][0] in run("train").stderr


def test_ignored_entries_are_warnings_once(run):
    "Not on stderr too."
    run.raw["losses_name"]["bed"] = "nan_mae"
    run.write()
    result = run("check")
    assert result.stderr == ""
    assert result.stdout.count("'bed' is no output: ignored") == 1


@pytest.mark.skipif(not PUBLISHED, reason="the published experiments are not here")
def test_published_experiments_have_their_parameters(tmp_path):
    "Without any data."
    counts = set()
    for path in PUBLISHED:
        result = CliRunner().invoke(
            main, ["check", str(path), "--workspace", str(tmp_path), "--json"]
        )
        assert result.exit_code == 1, result.output
        counts.add(json.loads(result.stdout)["network"]["parameters"])
    assert counts == {322_880, 164_736}


def test_rasters_are_described_in_their_own_crs(run):
    "CRS, size of a pixel in the CRS of the tiles, nodata, resampling."
    rasters = {raster["name"]: raster for raster in report_of(run)["rasters"]}
    speed, slope = rasters["speed"], rasters["slope"]
    assert speed["crs"] == "EPSG:2056"
    assert speed["pixel_size"] == pytest.approx(50, rel=1e-3)
    assert speed["nodata"] == [synthetic.NODATA]
    assert (speed["resampling"], slope["crs"]) == ("average", "EPSG:32632")
    assert speed["not_covered"] == []
    assert (slope["role"], rasters["thickness"]["role"]) == ("input", "output")


@pytest.mark.parametrize("epsg", [synthetic.EPSG, synthetic.OTHER_EPSG])
def test_a_raster_that_ends_within_a_tile(run, epsg):
    "Its share of each tile, in whichever CRS, and of what it holds there."
    left, top = synthetic.LEFT, synthetic.TOP
    if epsg != synthetic.EPSG:
        with rasterio.open(run.root / "data" / "speed.tif") as src:
            left, top = src.transform.c, src.transform.f
    speed = synthetic.sample(synthetic.speed_m_per_yr, left, top, 50.0, 42, 90, epsg)
    synthetic.write_raster(
        run.root / "data" / "speed.tif", speed, left, top, 50.0, epsg
    )
    report = report_of(run)
    (raster,) = [r for r in report["rasters"] if r["name"] == "speed"]
    assert {"west", "east", "south"} <= set(raster["not_covered"])
    assert "does not cover" in run("check").stdout
    run("build-dataset")
    summary = json.loads((run.root / "datasets/region/summary.json").read_text())
    built = {
        row["feature"]: row["rasters"]["speed"]["valid"] for row in summary["features"]
    }
    for feature in report["features"]:
        share = built[feature["id"]]
        assert feature["valid_in_tile"]["speed"] == pytest.approx(share, abs=1e-6)
        # a pixel that is covered in part is valid: up to a row of some 14 of a tile
        assert feature["coverage"]["speed"] == pytest.approx(share, abs=0.1)
        assert feature["coverage"]["speed"] <= share + 0.01


def test_a_raster_elsewhere_covers_nothing(run):
    "A warning of the build, a problem of the training, without samples."
    synthetic.write_raster(
        run.root / "data" / "thickness.tif", np.ones((12, 10), "f4"), 1e6, 1e6, 50.0
    )
    report = report_of(run, 1)
    assert (
        "thickness: no valid pixel in any feature: thickness.tif" in report["warnings"]
    )
    assert "the train features (3) hold no samples" in report["problems"][0]
    assert {f["coverage"]["thickness"] for f in report["features"]} == {0.0}
    assert run("build-dataset").exit_code == 0
    assert report["problems"][0] in run("train").stderr


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
        (nothing_valid, "the train features (3) hold no samples."),
        (no_features, "glaciers.shp: holds no feature. Must hold outlines."),
        (outlines_without_crs, "glaciers.shp: has no CRS. Must say where it is."),
        (wrong_split, "glaciers.shp: column 'train': north-1: 5"),
        (no_split, "region: no feature could be built."),
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


def test_features_and_models_that_cannot_be_drawn(run):
    "As draw would say."
    run.raw["drawing_description"] |= {"features": ["sout"], "models": ["small", "big"]}
    run.write()
    problems = report_of(run, 1)["problems"]
    assert "drawing_description.features: 'sout' is not in" in problems[0]
    assert "Did you mean 'south'?" in problems[0]
    assert "models/big: is no model." in problems[1]
    assert len(problems) == 2


def test_a_small_buffer_is_a_warning(run):
    "In the words of the build."
    run.raw["dataset_description"]["buffer_distance"] = 100.0
    run.write()
    (warning,) = [w for w in report_of(run)["warnings"] if "buffer_distance" in w]
    assert warning in run("build-dataset").stderr


def test_large_regions_are_estimated(run, monkeypatch):
    "With nothing to spend on exact reading, and with a part of the features."
    exact = report_of(run)
    monkeypatch.setattr("glacier_inversion.checking.preview._BUDGET", 0)
    monkeypatch.setattr("glacier_inversion.checking.preview._COARSE_PX", 8)
    coarse = report_of(run)
    assert not coarse["samples"]["exact"]
    assert {feature["read"] for feature in coarse["features"]} == {"coarsely"}
    for split in ("train", "validation"):
        # on the safe side: cells of which the lattice holds a part count whole
        n = exact["samples"][split]
        assert n * 0.7 <= coarse["samples"][split] <= n * 1.5
    for mine, other in zip(coarse["features"], exact["features"], strict=True):
        for name in ("slope", "speed"):
            assert mine["valid"][name] == pytest.approx(other["valid"][name], abs=0.1)
    assert "about" in run("check").stdout
    monkeypatch.undo()
    monkeypatch.setattr("glacier_inversion.checking.preview._MOST_FEATURES", 1)
    part = report_of(run)
    assert part["samples"]["features_read"] == 3
    assert [f["read"] for f in part["features"]].count(None) == 2
    assert part["samples"]["train"] == pytest.approx(exact["samples"]["train"], rel=0.4)
    assert "in the 3 features that were read" in run("check", "-v").stdout


def test_many_rasters_take_no_time(run, monkeypatch):
    "A feature of each split is read, and what turns coordinates is made but once."
    made = []
    original = Transformer.from_crs
    monkeypatch.setattr(
        Transformer,
        "from_crs",
        lambda *args, **keys: made.append(args) or original(*args, **keys),
    )
    monkeypatch.setattr("glacier_inversion.checking.preview._MOST_READS", 30)
    warping._to_file.cache_clear()
    rasters = run.raw["dataset_description"]["rasters"]
    rasters += [rasters[1] | {"name": f"speed_{i}"} for i in range(17)]
    run.write()
    assert report_of(run)["samples"]["features_read"] == 3
    # of the outlines, and of two CRSs to the tiles' and back
    assert len(made) <= 6


def test_multiply_adds_are_those_of_the_formula():
    "k² c_in c_out for each pixel of a convolution, n_in n_out of a dense layer."
    experiment = Experiment.model_validate(synthetic.experiment())
    rows = {row.name: row.multiply_adds for row in Network(experiment).table}
    assert rows == {
        "inputs.slope": 0,
        # 3 x 3 of 1 and of 8 channels, and the 1 x 1 shortcut, at 8 x 8 pixels
        "inputs.slope[0] convolutions": 64 * 8 * (9 * 1 + 9 * 8 + 1),
        "inputs.slope[1] downsample": 0,
        "inputs.speed": 0,
        "inputs.speed[0] convolutions": 16 * 8 * (9 * 1 + 1),
        "main[0] concatenation": 0,
        "main[1] convolutions": 16 * 16 * (9 * 16 + 16),
        "main[2] downsample": 0,
        "outputs.thickness[0] denses": 16 * 2 * 2 * 16 + 16,
    }


def test_the_table_adds_up(run):
    "Parameters and multiply-adds of the operations are those of the network."
    network = report_of(run)["network"]
    for key in ("parameters", "multiply_adds"):
        assert sum(row[key] for row in network["operations"]) == network[key] > 0
    assert network["operations"][0] == {
        "name": "inputs.slope",
        "shape": [1, 8, 8],
        "parameters": 0,
        "multiply_adds": 0,
    }


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop", "adam"])
def test_memory_of_the_optimizer(optimizer):
    "Weights, gradients and best weights, and what the optimizer keeps of each weight."
    raw = synthetic.experiment() | {"optimizer_name": optimizer}
    cost = measure_cost(Experiment.model_validate(raw))
    copies = 3 + {"sgd": 0, "rmsprop": 1, "adam": 2}[optimizer]
    assert cost.state_bytes == copies * 4 * cost.parameters
    # at least every image that a ReLU or a pool needs again, in float32
    assert cost.activation_bytes > 4 * (8 * 64 * 2 + 8 * 16)
    assert cost.train_seconds > cost.predict_seconds / 2 > 0


def test_measuring_leaves_the_generator_alone(run):
    "Same seed, same weights, whether checked before or not."
    import torch  # noqa: PLC0415

    before = torch.random.get_rng_state()
    check(load_experiment(run.file), Workspace(run.root), "exp.json", [])
    assert torch.equal(torch.random.get_rng_state(), before)


def test_words_fit_the_command_that_says_them(run):
    "Before a build there is no summary.json to look into."
    features = [
        (
            {"id": f"g{i}", "train": i % 3},
            synthetic.box(300 * i, 700, 300 * i + 300, 2000),
        )
        for i in range(7)
    ]
    synthetic.write_outlines(run.root / "data" / "glaciers.shp", features)
    run.raw["drawing_description"]["features"] = "all"
    run.raw["area_size"] = 2400.0  # no window fits
    run.write()
    result = run("check")
    assert result.exit_code == 1
    assert "more such overlaps, in the leaks of 'ginv check --json'" in result.stdout
    assert "valid pixels, which 'ginv check -v' shows" in result.stdout
    assert "summary.json" not in result.output
    built = run("build-dataset")
    assert "more such overlaps, in summary.json" in built.stderr


def test_several_numbers_that_mean_no_data_are_shown(run):
    "As the experiment names them, in the report and for programs."
    run.raw["dataset_description"]["rasters"][0]["nodata"] = [synthetic.NODATA, 0, 1, 2]
    run.write()
    result = run("check")
    assert result.exit_code == 0, result.output
    assert f"{synthetic.NODATA:g}, 0, 1, ..." in result.stdout
    rasters = json.loads(run("check", "--json").stdout)["rasters"]
    assert rasters[0]["nodata"] == [synthetic.NODATA, 0, 1, 2]
