"""Models that earlier versions wrote: read, drawn and gone on with as ever."""

import json
import shutil

import numpy as np
import pytest
import safetensors.torch
import torch

from glacier_inversion.training.model.model import read_member, read_model
from glacier_inversion.training.network.network import Network
from glacier_inversion.workspace import Workspace
from tests.drawing.helpers import read
from tests.helpers import earlier_workspace


@pytest.fixture
def earlier(tmp_path):
    """A workspace of an earlier version, its dataset left out: it has its own tests."""
    run = earlier_workspace(tmp_path)
    shutil.rmtree(run.root / "datasets")
    return run


def test_its_members_are_read(earlier):
    "Their weights are those of the files, the scales those of model.json."
    place = Workspace(earlier.root)
    model = read_model(place.model("small"))
    network = Network(model.experiment)
    for seed in (0, 1):
        path = earlier.root / f"models/small/seed_00{seed}/best.safetensors"
        weights = safetensors.torch.load_file(path)
        read_member(network, place.model("small"), seed, model.identity)
        found = network.state_dict()
        assert found.keys() == weights.keys()
        for name, weight in weights.items():
            assert torch.equal(found[name], weight)
    content = json.loads((earlier.root / "models/small/model.json").read_text())
    for side, scales in content["normalization"].items():
        for name, scale in scales.items():
            assert vars(vars(model.scales)[side][name]) == scale


def test_it_draws_the_same_maps(earlier):
    "Of the same rasters, of which the tiles are built anew."
    paths = sorted((earlier.root / "drawings").rglob("*.tif"))
    assert len(paths) == 4
    before = [read(path) for path in paths]
    for path in paths:
        path.unlink()
    for command in ("build-dataset", "draw"):
        result = earlier(command)
        assert result.exit_code == 0, result.output
    assert "was trained with other values" not in result.output
    for path, (expected, place) in zip(paths, before, strict=True):
        drawn, where = read(path)
        assert where == place
        assert np.isfinite(drawn).any()
        # what float32 sums in another order differ by, of values up to the largest
        atol = 1e-5 * np.nanmax(before[0][0])
        np.testing.assert_allclose(drawn, expected, rtol=0, atol=atol)


def test_its_members_are_kept_and_others_added(earlier):
    "They follow from what the experiment and the rasters are still."
    folder = earlier.root / "models/small"
    before = [(folder / f"seed_00{i}/best.safetensors").read_bytes() for i in (0, 1)]
    earlier.raw["seeds_number"] = 3
    earlier.write()
    assert earlier("build-dataset").exit_code == 0
    assert "2 of 3" in earlier("train", "--status").stdout
    result = earlier("train", "--jobs", "1")
    assert result.exit_code == 0, result.output
    assert "2 members are finished: kept" in result.stderr
    after = [(folder / f"seed_00{i}/best.safetensors").read_bytes() for i in (0, 1)]
    assert after == before
    assert (folder / "seed_002/best.safetensors").exists()
