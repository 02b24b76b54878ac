"""Processes of ours: none outlives its parent."""

import multiprocessing
import shutil
import sys
import time
from contextlib import contextmanager
from unittest import mock

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


def test_a_process_whose_start_is_interrupted_ends(monkeypatch):
    "It waits to be told its work, which it never is."

    @contextmanager
    def interrupted():
        yield
        raise KeyboardInterrupt

    monkeypatch.setattr(processes, "postponing", interrupted)
    before = set(multiprocessing.active_children())
    with pytest.raises(KeyboardInterrupt) as caught:  # holds what the frames hold
        processes.start_worker(print)
    (process,) = set(multiprocessing.active_children()) - before
    process.join(30)
    is_alive = process.is_alive()
    process.kill()
    assert not is_alive
    del caught


def test_how_processes_ended():
    "Or that they have not, but say no more."
    context = multiprocessing.get_context("spawn")
    ended = context.Process(target=sys.exit, args=(3,))
    lasting = context.Process(target=time.sleep, args=(60,))
    for process in (ended, lasting):
        process.start()
    ended.join()
    assert processes.how_it_ended(processes.Worker(ended, None)) == "exit code 3"
    with mock.patch.object(processes, "_LONGEST_END", 0.1):
        how = processes.how_it_ended(processes.Worker(lasting, None))
    lasting.kill()
    assert how == "it says nothing any more"


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
