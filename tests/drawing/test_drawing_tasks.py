"""Features that other processes draw: what those open for it."""

import dataclasses
import shutil
import sys

import pytest

from glacier_inversion import Workspace, draw, load_experiment
from glacier_inversion.drawing import models
from glacier_inversion.training.network.devices import CPU
from tests.helpers import copy_of, read_all

FLOCK = pytest.mark.skipif(sys.platform == "win32", reason="flock is Unix's")


@pytest.mark.usefixtures("without_processes")
@pytest.mark.parametrize(
    "options", [["--jobs", "2"], pytest.param(["--shard", "1/1"], marks=FLOCK)]
)
def test_a_process_opens_the_model_that_it_draws(
    finished, tmp_path, monkeypatch, options
):
    "Once, and no other; a model may lie elsewhere."
    run = copy_of(finished, tmp_path / "here")
    shutil.copytree(run.root / "models/small", tmp_path / "other")
    shutil.rmtree(run.root / "drawings")
    own = {
        "features": ["south", "east"],
        "profiles": [],
        "models": ["small", "../other"],
    }
    run.raw["drawing_description"] |= own
    run.write()
    opened, open_one = [], models.open_ensemble

    def note(experiment, place, *rest):
        opened.append(place)
        return open_one(experiment, place, *rest)

    monkeypatch.setattr(models, "open_ensemble", note)
    assert run("draw").exit_code == 0
    expected = read_all(run.root / "drawings")
    shutil.rmtree(run.root / "drawings")
    opened.clear()
    assert run("draw", *options).exit_code == 0
    assert opened == [*own["models"], *own["models"]]
    made = read_all(run.root / "drawings")
    assert {name: c for name, c in made.items() if ".shared" not in name} == expected


@pytest.mark.usefixtures("without_processes")
@pytest.mark.parametrize("options", [{}, pytest.param({"shard": "1/1"}, marks=FLOCK)])
def test_a_process_draws_on_the_device_that_is_given(
    finished, tmp_path, monkeypatch, options
):
    "With as much at once as it says."
    run = copy_of(finished, tmp_path)
    own = {"features": ["south", "east"], "profiles": []}
    run.raw["drawing_description"] |= own
    run.write()
    devices, open_one = [], models.open_ensemble

    def note(*given):
        devices.append(given[5])
        return open_one(*given)

    monkeypatch.setattr(models, "open_ensemble", note)
    device = dataclasses.replace(CPU, block_px=64, most_bytes=1e6)
    experiment, place = load_experiment(run.file), Workspace(run.root)
    draw(experiment, place, device=device, jobs=2, **options)
    assert devices == [device, device]
