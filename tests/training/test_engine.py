"""Ensembles: members are kept, added, refused, and never lost."""

import json
import os
import shutil

import pytest

from glacier_inversion.errors import ModelError, TrainingError, WorkspaceError
from glacier_inversion.experiment.experiment import check_experiment
from glacier_inversion.locks import locked
from glacier_inversion.training import member as member_module
from glacier_inversion.training.model.model import finished_seeds
from glacier_inversion.workspace import Workspace
from tests import synthetic
from tests.helpers import Run, read_all
from tests.processes import AS_NOBODY, hand_over, run_code
from tests.training.helpers import experiment, some_tiles, train_all


def test_finished_members_are_kept_and_others_added(tmp_path):
    "A re-run trains what is missing; seeds_number may grow."
    train_all(experiment(epochs=1), tmp_path, seeds=[1])
    first = tmp_path / "models/small/seed_001/best.safetensors"
    time = first.stat().st_mtime_ns
    folders = train_all(experiment(epochs=1, seeds_number=3), tmp_path)
    assert [folder.name for folder in folders] == ["seed_000", "seed_001", "seed_002"]
    assert first.stat().st_mtime_ns == time
    assert all((folder / "best.safetensors").exists() for folder in folders)


def test_a_changed_experiment_or_dataset_is_refused_with_its_keys(tmp_path):
    "--overwrite starts anew."
    train_all(experiment(epochs=1), tmp_path, seeds=[0])
    weights = tmp_path / "models/small/seed_000/best.safetensors"
    before = weights.read_bytes()
    changed = experiment(epochs=2, batch_size=16)
    with pytest.raises(ModelError, match="other values of: batch_size, epochs"):
        train_all(changed, tmp_path)
    tiles = some_tiles()
    tiles["train"][1].inputs["slope"][0, 0] += 1
    with pytest.raises(
        ModelError,
        match=r"other values of: dataset\.inputs\.slope, normalization\.inputs\.slope",
    ):
        train_all(experiment(epochs=1), tmp_path, tiles)
    assert weights.read_bytes() == before
    train_all(changed, tmp_path, overwrite=True, seeds=[1])
    assert not weights.exists()
    assert (
        json.loads((tmp_path / "models/small/model.json").read_text())["experiment"][
            "batch_size"
        ]
        == 16
    )


def test_what_does_not_matter_may_change(tmp_path):
    "What is drawn, and losses of outputs that are not there."
    train_all(experiment(epochs=1), tmp_path, seeds=[0])
    raw = synthetic.experiment() | {"epochs": 1}
    raw["drawing_description"]["features"] = "all"
    raw["losses_name"]["other"] = "mae"
    train_all(check_experiment(raw, "exp"), tmp_path, seeds=[0])


def test_members_without_a_model_file_are_refused(tmp_path):
    "Nobody can say what they were trained from."
    train_all(experiment(epochs=1), tmp_path, seeds=[0])
    (tmp_path / "models/small/model.json").unlink()
    with pytest.raises(ModelError, match=r"holds members but no model\.json"):
        train_all(experiment(epochs=1), tmp_path)


@pytest.mark.parametrize("jobs", [1, 2])
def test_members_that_cannot_be_trained_do_not_stop_the_others(tmp_path, caplog, jobs):
    "A file where the folder should be; the same with any number of jobs."
    blocked = tmp_path / "models" / "small" / "seed_000"
    checked = experiment(epochs=1, seeds_number=3)
    train_all(checked, tmp_path, seeds=[1])
    blocked.write_text("")
    with pytest.raises(TrainingError, match="1 of 3 members could not be trained"):
        train_all(checked, tmp_path, jobs=jobs)
    assert "seed_000" in caplog.text
    assert (tmp_path / "models/small/seed_002/best.safetensors").exists()
    blocked.unlink()
    assert len(train_all(checked, tmp_path)) == 3


def test_members_that_do_not_learn_are_kept_out_with_a_warning(
    tmp_path, caplog, monkeypatch
):
    "They are not trained again, and not drawn; the others are the ensemble."
    original = member_module.build_member

    def build(checked, seed, samples, starts):
        network = original(checked, seed, samples, starts)
        if seed == 1:
            for weight in network.parameters():
                weight.data.fill_(float("nan"))
        return network

    monkeypatch.setattr(member_module, "build_member", build)
    checked = experiment(epochs=1, seeds_number=3)
    folders = train_all(checked, tmp_path)
    assert [folder.name for folder in folders] == ["seed_000", "seed_002"]
    assert "1 of 3 members are no part of the ensemble: seeds [1]" in caplog.text
    failed = tmp_path / "models/small/seed_001"
    names = sorted(path.name for path in failed.iterdir())
    assert names == ["failure.txt", "log.csv"]
    monkeypatch.undo()
    caplog.clear()
    train_all(checked, tmp_path)
    assert "seed 1 failed in an earlier run" in caplog.text
    assert "loss nan" in caplog.text
    assert finished_seeds(Workspace(tmp_path).model("small")) == [0, 2]
    assert len(train_all(checked, tmp_path, overwrite=True)) == 3


def test_an_ensemble_that_does_not_learn_is_an_error(tmp_path):
    "There is nothing to draw with."
    checked = experiment(epochs=3, learning_rate=1e8, optimizer_name="sgd")
    with pytest.raises(
        TrainingError, match=r"none of the members learns: seeds \[0, 1"
    ):
        train_all(checked, tmp_path)


def test_two_trainings_of_one_model_do_not_mix(tmp_path):
    "The second says so and ends."
    with (
        locked(tmp_path / "models" / "small", "training"),
        pytest.raises(WorkspaceError, match="another command is training it"),
    ):
        train_all(experiment(epochs=1), tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="permissions are others there")
def test_overwriting_finds_what_it_may_not_remove_before_it_removes(
    two_models, nobodys
):
    "All members are still there, and training says which folder it is."
    shutil.copytree(two_models, nobodys)
    hand_over(nobodys)
    closed = nobodys / "models/small/seed_001"
    before = read_all(nobodys)
    done = run_code(
        f"""
from pathlib import Path
from tests.training.helpers import experiment, train_all
checked = experiment(epochs=1, seeds_number=2)
train_all(checked, Path({str(nobodys.parent / "other")!r}))  # imports all it needs
{AS_NOBODY}
Path({str(closed)!r}).chmod(0o555)
train_all(checked, Path({str(nobodys)!r}), overwrite=True)
"""
    )
    closed.chmod(0o755)
    message = f"{closed}: cannot be removed, nor what is in it (Permission denied)"
    assert message in done.stderr
    assert read_all(nobodys) == before


@pytest.mark.parametrize("linked", ["models/small", "models/small/seed_001"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_members_are_not_trained_through_a_link(tmp_path, linked, overwrite):
    "Nor removed; the members of another model stay."
    checked = experiment(epochs=1, seeds_number=2)
    train_all(checked, tmp_path / "theirs")
    train_all(checked, tmp_path, seeds=[0])
    theirs, path = tmp_path / "theirs" / linked, tmp_path / linked
    shutil.rmtree(path, ignore_errors=True)
    (theirs / "seed_001/best.safetensors").unlink(missing_ok=True)
    (theirs / "best.safetensors").unlink(missing_ok=True)
    path.symlink_to(theirs, target_is_directory=True)
    before = read_all(tmp_path)
    with pytest.raises(
        (WorkspaceError, TrainingError), match=r"is a link|could not be"
    ):
        train_all(checked, tmp_path, overwrite=overwrite)
    after = read_all(tmp_path)
    keys = before.keys() if overwrite else [k for k in before if "theirs" in k]
    assert {key: after[key] for key in keys} == {key: before[key] for key in keys}


def test_a_changed_split_is_named_and_nothing_that_follows_from_it(finished, tmp_path):
    "By train as by draw, which goes on; check and draw agree on the features."
    shutil.copytree(finished.root, tmp_path, dirs_exist_ok=True)
    run = Run(tmp_path, tmp_path / "exp.json", json.loads(finished.file.read_text()))
    features = [(dict(p), g) for p, g in synthetic.FEATURES]
    features[0][0]["train"], features[-1][0]["train"] = 2, 0
    synthetic.write_outlines(run.root / "data/glaciers.shp", features)
    run.raw["drawing_description"]["features"] = "test"
    run.write()
    result = run("train")
    assert result.exit_code == 1
    assert "other values of: dataset_description.split (train). Must" in result.stderr
    assert json.loads(run("check", "--json").stdout)["draw"]["features"] == 1
    shutil.rmtree(run.root / "drawings")
    drawn = run("draw")
    assert "other values of: dataset_description.split (train)." in drawn.stderr
    folder = run.root / "drawings/small"
    folders = {path.name for path in folder.iterdir() if path.is_dir()}
    assert folders == {"profiles", "south"}


def test_features_that_a_model_remembers_and_the_dataset_lacks_are_named(
    finished, tmp_path
):
    "They cannot be drawn."
    shutil.copytree(finished.root, tmp_path, dirs_exist_ok=True)
    run = Run(tmp_path, tmp_path / "exp.json", json.loads(finished.file.read_text()))
    synthetic.write_outlines(run.root / "data/glaciers.shp", synthetic.FEATURES[:-1])
    run.raw["drawing_description"] |= {"features": "test", "profiles": []}
    run.write()
    assert run("build-dataset").exit_code == 0
    result = run("draw")
    assert result.exit_code == 0
    assert "1 of the 1 features that it remembers as test are not" in result.stderr
    assert "south" in result.stderr
