"""Processes of ours: none outlives its parent."""

import multiprocessing
import shutil
import sys

import pytest

from glacier_inversion.sharing import processes
from tests.helpers import copy_of
from tests.processes import session_of, start, wait_until, workers_of


def test_a_process_that_is_ended_before_it_begins_ends():
    "While it imports, and nobody says what it is to do: as after Ctrl-C at its start."
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    with processes._masked():
        process = context.Process(target=processes._begin, args=(theirs,), daemon=True)
        process.start()
    process.terminate()
    process.join(30)
    is_alive = process.is_alive()
    process.kill()
    ours.close()
    assert not is_alive


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("command", "folder"),
    [("build-dataset", "datasets"), ("train", "models"), ("draw", "drawings")],
)
def test_no_process_outlives_a_command_that_is_killed(
    finished, tmp_path, command, folder
):
    "SIGKILL, which nobody hears: its processes see that it is gone."
    run = copy_of(finished, tmp_path)
    run.raw["drawing_description"]["features"] = "all"
    run.write()
    shutil.rmtree(run.root / folder)
    process = start(command, run.file, "--workspace", run.root, "--jobs", 2)
    # with what tracks them; what is short has one process
    n = 3 if command == "train" else 2
    wait_until(lambda: len(workers_of(process.pid)) >= n)
    process.kill()
    process.communicate(timeout=30)
    wait_until(lambda: not session_of(process.pid), 10)
