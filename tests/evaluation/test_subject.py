"""A blend through every command: drawn, evaluated, cross-validated and calibrated."""

import copy
import json
import shutil

import numpy as np
import pandas as pd
import pytest
import rasterio

from glacier_inversion.evaluation.subject import find_experiments
from glacier_inversion.experiment.experiment import load_experiment
from glacier_inversion.workspace import Workspace
from tests.helpers import copy_of, edit_json, read_all

OTHER = {"model_name": "other", "area_size": 200.0, "seeds_number": 3}
TWIN = {"name": "twin", "resolution": 50.0, "file": "slope.tif"}  # the other's slope


def write_blend(run, **keys):
    """Let the experiment be that of a blend of its model and another."""
    drawing = run.raw["drawing_description"]
    drawing.update({"models": ["small", "other"], "blend": "both"} | keys)
    run.write()


@pytest.fixture(scope="module")
def blended(finished, tmp_path_factory):
    """A workspace of two models, trained for a moment; only read it."""
    run = copy_of(finished, tmp_path_factory.mktemp("blended"))
    run.raw.update({"epochs": 2, "criterion": "loss"})
    run.raw["dataset_description"]["rasters"].append(TWIN)
    run.write()
    assert run("build-dataset").exit_code == 0
    own = copy.deepcopy(run.raw)
    run.raw.update(OTHER)
    run.raw["inputs"][0]["name"] = "twin"
    network = run.raw["model_description"]["inputs"]
    network["twin"] = network.pop("slope")
    for raw in (copy.deepcopy(run.raw), own):
        run.raw.clear()
        run.raw.update(raw)
        run.write()
        result = run("train", "--overwrite")
        assert result.exit_code == 0, result.output
    return run


def read_map(run, model, name, feature="south"):
    with rasterio.open(
        run.root / f"drawings/{model}/{feature}/thickness_{name}.tif"
    ) as src:
        return src.read(1), src.tags(), src.transform


def test_other_sources_of_a_model_are_named(blended, tmp_path):
    "Of the one that is not the experiment's own, by whatever uses it."
    run = copy_of(blended, tmp_path)
    write_blend(run)

    def change(content):
        rasters = content["experiment"]["dataset_description"]["rasters"]
        (twin,) = (raster for raster in rasters if raster["name"] == "twin")
        twin["resampling"] = "cubic"

    edit_json(run.root / "models/other/model.json", change)
    expected = "other: differs from training: twin: resampling cubic → default"
    for command in ("check", "evaluate", "calibrate", "draw"):
        result = run(command)
        assert result.output.count(expected) == 1, result.output


def test_maps_are_of_the_members_of_both(blended, tmp_path):
    "Their mean, at the points of the larger patch; the tags name the models."
    run = copy_of(blended, tmp_path)
    both = ["small", "other"]
    run.raw["drawing_description"].update(models=both, statistics=["mean"])
    run.raw["seeds_number"] = 2
    run.write()
    run.raw["drawing_description"]["clip_to_outline"] = False
    run.write()
    assert run("draw").exit_code == 0
    alone = [read_map(run, name, "mean") for name in both]
    write_blend(run, statistics=["mean", "std"])
    assert run("check").exit_code == 0
    result = run("draw")
    assert result.exit_code == 0, result.output
    assert "both: 2 members of each of 2 models" in result.stderr
    drawn, tags, transform = read_map(run, "both", "mean")
    assert (tags["model"], tags["models"]) == ("both", "small other")
    assert tags["members"] == "4"
    assert transform == alone[0][2]
    # the other has three members, of which two count: its mean is not that of its map
    assert np.isfinite(drawn).sum() > 100
    assert not np.allclose(drawn, alone[0][0], rtol=1e-3, equal_nan=True)
    volumes = pd.read_csv(run.root / "drawings/both/volumes.csv")
    assert (volumes.volume_km3 > 0).all()
    profile = pd.read_csv(run.root / "drawings/both/profiles/along_thickness.csv")
    assert profile["mean"].notna().any()
    assert profile["target"].notna().any()


def test_a_model_and_its_copy_are_no_blend(blended, tmp_path):
    "Which every command says, `check` before there is a map."
    run = copy_of(blended, tmp_path)
    shutil.copytree(run.root / "models/small", run.root / "models/twin")
    write_blend(run, models=["small", "twin"])
    for command in ("check", "draw", "evaluate"):
        result = run(command)
        assert result.exit_code == 1
        assert "'small' and 'twin' have the same weights" in result.output


def test_a_blend_is_evaluated_and_calibrated_as_one_model(blended, tmp_path):
    "Its folds are those of its models, and its calibration lies in its own folder."
    run = copy_of(blended, tmp_path)
    write_blend(run, statistics=["mean", "uncertainty"])
    result = run("check")
    assert result.exit_code == 1
    assert "models/both/calibration.json: is not there" in result.output
    result = run("evaluate")
    assert result.exit_code == 0, result.output
    assert "of both, split test" in result.stdout
    metrics = json.loads((run.root / "evaluations/both/test/metrics.json").read_text())
    assert metrics["seeds"] == [0, 1, 2, 3]

    result = run("crossval")
    assert result.exit_code == 0, result.output
    folds = {
        model: sorted(
            p.name for p in (run.root / f"models/{model}/folds").glob("[!.]*")
        )
        for model in ("small", "other")
    }
    assert folds["small"] == folds["other"] == ["east", "north-1", "north-2", "west"]
    table = pd.read_csv(run.root / "evaluations/both/crossval/predictions.csv")
    members = table[[f"seed_{i:03d}" for i in range(4)]]
    np.testing.assert_allclose(table["mean"], members.mean(axis=1), rtol=1e-5)
    calibration = run.root / "models/both/calibration.json"
    assert str(calibration) in result.stdout
    assert json.loads(calibration.read_text())["n_members"] == 4
    assert sorted(p.name for p in calibration.parent.glob("*.json")) == [
        "calibration.json"
    ]

    # by each model alone, whose folds are kept: the same members
    run.raw["drawing_description"]["blend"] = None
    run.raw["drawing_description"]["statistics"] = ["mean"]
    run.write()
    result = run("crossval")
    assert result.exit_code == 0, result.output
    alone = pd.read_csv(run.root / "evaluations/small/crossval/predictions.csv")
    both = table.merge(alone, on=["feature", "x", "y"], suffixes=("", "_alone"))
    assert len(both) > 100
    for of_blend, own in (("seed_000", "seed_000"), ("seed_002", "seed_001")):
        np.testing.assert_allclose(both[of_blend], both[f"{own}_alone"], rtol=1e-5)

    write_blend(run, statistics=["mean", "uncertainty"])
    assert run("check").exit_code == 0
    result = run("draw")
    assert result.exit_code == 0, result.output
    assert np.isfinite(read_map(run, "both", "uncertainty")[0]).any()
    volumes = pd.read_csv(run.root / "drawings/both/volumes.csv")
    assert (volumes.uncertainty_km3 > 0).all()


def test_what_cannot_be_blended_is_said(blended, tmp_path):
    "By check and draw alike; a model that another took the name of, and applicability."
    run = copy_of(blended, tmp_path)
    write_blend(run, statistics=["mean", "applicability"])
    (run.root / "models/both").mkdir()
    (run.root / "models/both/model.json").write_text("{}")
    for command in ("check", "draw"):
        result = run(command)
        assert result.exit_code == 1
        assert "drawing_description.blend: 'both' is a model" in result.output
        assert "'applicability' is not known of a blend" in result.output


def test_what_the_other_model_reads_must_be_built(blended, tmp_path):
    "Not only what the experiment's own does; said before anything is trained."
    run = copy_of(blended, tmp_path)
    run.raw["dataset_description"]["rasters"].remove(TWIN)
    write_blend(run, statistics=["mean"])
    result = run("crossval")
    assert result.exit_code == 1
    assert "the model 'other' reads 'twin' at 50 (not at all)" in result.output
    assert run("build-dataset").exit_code == 0
    run.raw["dataset_description"]["rasters"].append(TWIN)
    run.write()
    for command in ("draw", "evaluate"):
        result = run(command)
        assert result.exit_code == 1
        assert "holds no tiles of twin, which the model 'other' reads" in result.output
    result = run("crossval")
    assert result.exit_code == 1
    assert "rasters: twin is new" in result.output


@pytest.mark.usefixtures("without_processes")
def test_shards_draw_and_evaluate_a_blend(blended, tmp_path):
    "As one command does; they cross-validate its models, and not the blend."
    shared, alone = copy_of(blended, tmp_path / "s"), copy_of(blended, tmp_path / "a")
    for run, options in ((shared, ["--shard", "1/2"]), (alone, [])):
        write_blend(run)
        for command in ("draw", "evaluate"):
            ended = run(command, *options)
            assert ended.exit_code == 0, ended.output
    for folder in ("drawings/both", "evaluations/both"):
        ours, expected = (read_all(run.root / folder) for run in (shared, alone))
        assert {name for name in ours if ".shared" not in name} == expected.keys()
        assert {name: ours[name] for name in expected} == expected
    refused = shared("crossval", "--shard", "1/2")
    assert refused.exit_code == 1
    assert "blend: cannot be cross-validated by several commands" in refused.stderr


def test_a_model_elsewhere_is_not_the_own_one_of_that_name(blended, tmp_path):
    "It follows from what it was trained from there."
    run = copy_of(blended, tmp_path / "here")
    there = copy_of(blended, tmp_path / "there")
    write_blend(run, models=[f"{there.root}/models/small", "other"])
    run.raw["batch_size"] = 8
    run.write()
    place = Workspace(run.root)
    elsewhere, _ = find_experiments(load_experiment(run.file), place).values()
    assert elsewhere.batch_size != 8
    write_blend(run, models=["small", "other"])
    own, _ = find_experiments(load_experiment(run.file), place).values()
    assert own.batch_size == 8


def test_folds_of_a_model_elsewhere_do_not_lie_among_the_own_ones(blended, tmp_path):
    "Where it has the name of a model of this workspace."
    run = copy_of(blended, tmp_path / "here")
    there = copy_of(blended, tmp_path / "there")
    place = f"{there.root}/models/small"
    write_blend(run, models=[place, "other"])
    before = read_all(run.root)
    result = run("crossval", "--folds", "2")
    assert result.exit_code == 1
    assert f"{place!r} has the name of another model" in result.stderr
    assert "Rename its folder." in result.stderr
    assert read_all(run.root) == before
