"""Check an experiment before work starts: what is said must be what then happens."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from glacier_inversion.checking.check import check
from glacier_inversion.cli import main
from glacier_inversion.dataset.opened import open_dataset
from glacier_inversion.dataset.splits import find_overlaps
from glacier_inversion.dataset.training_tiles import read_training_tiles
from glacier_inversion.experiment.experiment import load_experiment
from glacier_inversion.training.data import prepare
from glacier_inversion.training.network.network import Network
from glacier_inversion.workspace import Workspace
from tests.checking.helpers import report_of
from tests.helpers import PUBLISHED, copy_of


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
        assert report["splits"][split] == len(dataset.select(split))
    for feature in report["features"]:
        row = dataset.rows[feature["id"]]
        assert feature["split"] == dataset.splits[feature["id"]]
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
    bounds = {feature: row["bounds"] for feature, row in dataset.rows.items()}
    assert report["leaks"]["overlaps"] == find_overlaps(bounds, dataset.splits)
    assert report["network"]["parameters"] == Network(experiment).n_parameters()


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


def test_features_and_models_that_cannot_be_drawn(run):
    "As draw would say."
    run.raw["drawing_description"] |= {"features": ["sout"], "models": ["small", "big"]}
    run.write()
    problems = report_of(run, 1)["problems"]
    assert "drawing_description.features: 'sout' is not in" in problems[0]
    assert "Did you mean 'south'?" in problems[0]
    assert "models/big: is no model." in problems[1]
    assert len(problems) == 2


def test_members_that_are_missing_are_a_warning(finished, tmp_path):
    "In the words of draw."
    run = copy_of(finished, tmp_path)
    shutil.rmtree(run.root / "models/small/seed_001")
    (warning,) = [w for w in report_of(run)["warnings"] if "trained" in w]
    assert warning == "small: only 1 of 2 are trained"
    assert warning in run("draw").stderr
    assert not [w for w in report_of(finished)["warnings"] if "trained" in w]


def test_sources_of_another_model_are_compared(finished, tmp_path):
    "The own one is compared by what its tiles hold."
    run = copy_of(finished, tmp_path)
    shutil.copytree(tmp_path / "models/small", tmp_path / "models/other")
    for raster in run.raw["dataset_description"]["rasters"]:
        if raster["name"] == "speed":
            raster["resampling"] = "nearest"
    run.raw["drawing_description"]["models"] = ["small", "other"]
    run.write()
    warnings = report_of(run)["warnings"]
    told = [w for w in warnings if "differs from training" in w]
    assert told == ["other: differs from training: speed: resampling default → nearest"]


def test_a_model_of_the_same_name_elsewhere_is_another_one(finished, tmp_path):
    "For check as for draw; and the own one is so by its path, too."
    run = copy_of(finished, tmp_path)
    shutil.copytree(tmp_path / "models/small", tmp_path / "elsewhere/small")
    run.raw["dataset_description"]["rasters"][0]["resampling"] = "nearest"
    told = "small: differs from training: slope: resampling default → nearest"
    for place, is_other in (("elsewhere/small", True), ("models/small", False)):
        run.raw["drawing_description"]["models"] = [place]
        run.write()
        # training would be refused: the own one has another input now
        warnings = report_of(run, exit_code=None)["warnings"]
        assert (told in warnings) == is_other, warnings
        assert run("build-dataset").exit_code == 0
        result = run("draw")
        assert result.exit_code == 0, result.output
        assert (told in result.stderr) == is_other
        changed = "small: was trained with other values of: dataset.inputs.slope"
        assert (changed in result.stderr) != is_other


def test_a_small_buffer_is_a_warning(run):
    "In the words of the build."
    run.raw["dataset_description"]["buffer_distance"] = 100.0
    run.write()
    (warning,) = [w for w in report_of(run)["warnings"] if "buffer_distance" in w]
    assert warning in run("build-dataset").stderr


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


def test_measuring_leaves_the_generator_alone(run):
    "Same seed, same weights, whether checked before or not."
    import torch  # noqa: PLC0415

    before = torch.random.get_rng_state()
    check(load_experiment(run.file), Workspace(run.root))
    assert torch.equal(torch.random.get_rng_state(), before)
