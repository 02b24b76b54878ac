"""Folders of members: weights that are theirs, in one state."""

import shutil

import pytest
import safetensors.torch
import torch

from glacier_inversion.errors import ModelError
from glacier_inversion.training.model.model import (
    finished_seeds,
    read_member,
    read_model,
)
from glacier_inversion.training.network.network import Network
from glacier_inversion.training.status import read_status
from glacier_inversion.workspace import Workspace
from tests.helpers import read_all
from tests.training.helpers import BROKEN_WEIGHTS, experiment, train_all


@pytest.mark.parametrize(("change", "problem"), BROKEN_WEIGHTS)
def test_weights_that_training_did_not_write_there_are_refused(
    two_models, tmp_path, change, problem
):
    "By train, which would keep them, and by whoever reads them; the file is named."
    shutil.copytree(two_models, tmp_path, dirs_exist_ok=True)
    change(tmp_path / "models")
    before = read_all(tmp_path)
    message = rf"seed_000/best\.safetensors: cannot be loaded \({problem}"
    checked = experiment(epochs=1, seeds_number=3)
    with pytest.raises(ModelError, match=message + ".*train the seed again"):
        train_all(checked, tmp_path)
    after = read_all(tmp_path)
    assert {n: c for n, c in after.items() if "model.json" not in n} == {
        n: c for n, c in before.items() if "model.json" not in n
    }
    place = Workspace(tmp_path)
    model = read_model(place.model("small"))
    with pytest.raises(ModelError, match=message):
        read_member(Network(model.experiment), place.model("small"), 0, model.identity)


def test_weights_of_earlier_versions_are_read(two_models, tmp_path):
    "They say neither whose they are nor hold a digest."
    shutil.copytree(two_models, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "models/small/seed_000/best.safetensors"
    weights = safetensors.torch.load(path.read_bytes())
    path.write_bytes(safetensors.torch.save(weights))
    assert len(train_all(experiment(epochs=1, seeds_number=2), tmp_path)) == 2
    place = Workspace(tmp_path)
    model = read_model(place.model("small"))
    network = Network(model.experiment)
    read_member(network, place.model("small"), 0, model.identity)
    for name, weight in network.state_dict().items():
        assert torch.equal(weight, weights[name])


def test_copies_of_members_are_no_members(two_models, tmp_path):
    "Under whatever name: they would count twice. Nor are they removed."
    shutil.copytree(two_models, tmp_path, dirs_exist_ok=True)
    folder = tmp_path / "models/small"
    for name in ("seed_1", "seed_0001", "seed_001x", "seed_١٢٣"):
        shutil.copytree(folder / "seed_001", folder / name)
    assert finished_seeds(Workspace(tmp_path).model("small")) == [0, 1]
    checked = experiment(epochs=1, seeds_number=2)
    train_all(checked, tmp_path, overwrite=True, seeds=[0])
    assert (folder / "seed_1/best.safetensors").exists()
    assert not (folder / "seed_001").exists()


def test_a_member_is_in_one_state(two_models, tmp_path, caplog):
    "One that failed beside its weights was counted twice, the others -1."
    shutil.copytree(two_models, tmp_path, dirs_exist_ok=True)
    folder = tmp_path / "models/small/seed_001"
    (folder / "failure.txt").write_text("It does not learn.")
    checked = experiment(epochs=1, seeds_number=2)
    assert [f.name for f in train_all(checked, tmp_path)] == ["seed_000"]
    assert "1 of 2 members are no part of the ensemble: seeds [1]" in caplog.text
    assert finished_seeds(Workspace(tmp_path).model("small")) == [0]
    states = [m.state for m in read_status(checked, Workspace(tmp_path)).members]
    assert states == ["finished", "failed"]
