"""Features that other processes predict: what those open for it."""

import dataclasses
import sys

import pytest

from glacier_inversion import Workspace, evaluate, load_experiment
from glacier_inversion.evaluation import prediction_tasks
from glacier_inversion.training.network.devices import CPU
from tests.helpers import copy_of

FLOCK = pytest.mark.skipif(sys.platform == "win32", reason="flock is Unix's")


@pytest.mark.usefixtures("without_processes")
@pytest.mark.parametrize("options", [{}, pytest.param({"shard": "1/1"}, marks=FLOCK)])
def test_a_process_predicts_on_the_device_that_is_given(
    finished, tmp_path, monkeypatch, options
):
    "With as much at once as it says."
    run = copy_of(finished, tmp_path)
    devices, open_one = [], prediction_tasks.open_subject

    def note(*given):
        devices.append(given[4])
        return open_one(*given)

    monkeypatch.setattr(prediction_tasks, "open_subject", note)
    device = dataclasses.replace(CPU, most_bytes=1e6, most_patches=7)
    experiment, place = load_experiment(run.file), Workspace(run.root)
    evaluate(experiment, place, split="all", device=device, jobs=2, **options)
    assert devices == [device]
