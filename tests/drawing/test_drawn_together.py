"""Features that other processes draw: what those open for it."""

import shutil

import pytest

from glacier_inversion.drawing import models
from glacier_inversion.sharing import attempts, shards, side_by_side
from tests.helpers import copy_of, read_all


@pytest.fixture
def without_processes(monkeypatch):
    """Let tasks be done in this process, as another one does them."""
    monkeypatch.setattr(attempts, "_opened", {})
    for module in (shards, side_by_side):
        monkeypatch.setattr(
            module,
            "each",
            lambda work, given, tasks, jobs: ((t, work(*given, t)) for t in tasks),
        )


@pytest.mark.usefixtures("without_processes")
@pytest.mark.parametrize("options", [["--jobs", "2"], ["--shard", "1/1"]])
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
