"""Features that several processes of one command draw and evaluate: the same files."""

import shutil
import sys

import pytest

from glacier_inversion import Workspace, draw, evaluate, load_experiment
from glacier_inversion.sharing import executors, task_shares
from glacier_inversion.sharing.processes import start_worker
from tests.helpers import copy_of, read_all
from tests.processes import refuse_processes
from tests.stand_in_gpu import StandInGpu

FLOCK = pytest.mark.skipif(sys.platform == "win32", reason="flock is Unix's")


@pytest.fixture
def begun(monkeypatch):
    """The processes that were started, of which each is taken to be worth it."""
    processes = []

    def note(*given):
        processes.append(start_worker(*given))
        return processes[-1]

    monkeypatch.setattr(executors, "start_worker", note)
    monkeypatch.setattr(task_shares, "_WORTHWHILE", 1e-6)
    return processes


def test_maps_are_the_same_whatever_the_number_of_processes(finished, tmp_path, begun):
    "All that a run writes, as does one that finds a part of the maps."
    run = copy_of(finished, tmp_path)
    run.raw["drawing_description"]["features"] = "all"
    run.write()
    assert run("draw").exit_code == 0
    expected = read_all(run.root / "drawings")
    shutil.rmtree(run.root / "drawings")
    at_once = run("draw", "--jobs", "2", "--verbose")
    assert at_once.exit_code == 0
    assert len(begun) == 2
    assert "pixels drawn" in at_once.stderr  # what the processes log
    assert read_all(run.root / "drawings") == expected
    shutil.rmtree(run.root / "drawings/small/south")
    again = run("draw", "--jobs", "2")
    assert again.stdout == at_once.stdout
    assert "kept the maps of" in again.stderr
    assert read_all(run.root / "drawings") == expected


def test_a_feature_that_fails_costs_the_others_nothing(finished, tmp_path):
    run = copy_of(finished, tmp_path)
    run.raw["drawing_description"] |= {"features": ["south", "east"], "profiles": []}
    run.write()
    (run.root / "datasets/region/south/slope.tif").unlink()
    done = run("draw", "--jobs", "2")
    assert done.exit_code == 3
    assert "south/slope.tif: is missing or damaged" in done.stderr
    assert (run.root / "drawings/small/east/thickness_mean.tif").exists()
    assert "1 features failed: south" in done.stderr


def test_numbers_are_the_same_whatever_the_number_of_processes(
    finished, tmp_path, begun
):
    run = copy_of(finished, tmp_path)
    assert run("evaluate", "--split", "all").exit_code == 0
    expected = read_all(run.root / "evaluations")
    shutil.rmtree(run.root / "evaluations")
    assert run("evaluate", "--split", "all", "--jobs", "2").exit_code == 0
    assert len(begun) == 2
    assert read_all(run.root / "evaluations") == expected


@FLOCK
@pytest.mark.parametrize(
    ("command", "folder"),
    [(["draw"], "drawings"), (["evaluate", "--split", "all"], "evaluations")],
)
def test_a_shard_of_several_processes_makes_the_same(
    finished, tmp_path, begun, command, folder
):
    "Which divide its cores."
    run = copy_of(finished, tmp_path)
    run.raw["drawing_description"]["features"] = "all"
    run.write()
    assert run(*command).exit_code == 0
    expected = read_all(run.root / folder)
    shutil.rmtree(run.root / folder)
    ended = run(*command, "--shard", "1/1", "--jobs", "2")
    assert ended.exit_code == 0, ended.output
    assert len(begun) == 2
    made = read_all(run.root / folder)
    assert {
        name: own for name, own in made.items() if ".shared" not in name
    } == expected


@pytest.mark.parametrize("command", [["draw"], ["evaluate", "--split", "all"]])
def test_a_gpu_is_of_one_process(finished, tmp_path, monkeypatch, command):
    "Which is the command itself, whatever is asked for."
    run = copy_of(finished, tmp_path)
    run.raw["drawing_description"]["features"] = "all"
    run.write()
    refuse_processes(monkeypatch, lambda number: True)
    with StandInGpu() as gpu:
        ended = run(*command, "--jobs", "2", "--device", "cuda")
    assert ended.exit_code == 0, ended.output
    assert gpu.n_made


@FLOCK
@pytest.mark.parametrize("command", [["draw"], ["evaluate", "--split", "all"]])
def test_a_gpu_is_of_one_process_of_a_shard(
    finished, tmp_path, without_processes, command
):
    "The only one that it starts."
    run = copy_of(finished, tmp_path)
    with StandInGpu() as gpu:
        ended = run(*command, "--jobs", "2", "--device", "cuda", "--shard", "1/1")
    assert ended.exit_code == 0, ended.output
    assert without_processes == [1]
    assert gpu.n_made


@pytest.mark.parametrize(
    ("command", "is_kept"), [(["draw"], True), (["evaluate", "--split", "all"], False)]
)
@pytest.mark.parametrize("shard", [[], pytest.param(["--shard", "1/1"], marks=FLOCK)])
def test_a_system_that_lets_no_process_begin_is_a_message(
    finished, tmp_path, monkeypatch, command, is_kept, shard
):
    "Which says what is kept: maps, and what shards have predicted."
    run = copy_of(finished, tmp_path)
    run.raw["drawing_description"]["features"] = "all"
    run.write()
    refuse_processes(monkeypatch, lambda number: True)
    ended = run(*command, "--jobs", "2", *shard)
    assert ended.exit_code == 1
    (message,) = [line for line in ended.stderr.splitlines() if "Error: " in line]
    assert "small" in message
    assert "a process could not begin (Resource temporarily unavailable)" in message
    assert ("What was made is kept." in message) == (is_kept or bool(shard))
    assert message.endswith("use fewer --jobs, and run it again.")


@pytest.mark.parametrize("command", ["draw", "evaluate"])
def test_odd_numbers_of_processes_are_refused(finished, command):
    refused = finished(command, "--jobs", "0")
    assert refused.exit_code == 2
    assert "0 is not in the range" in refused.stderr
    refused = finished(command, "--jobs", "2", "--scheduler", "tcp://x:1")
    assert "--jobs 2: cannot stand beside --scheduler" in refused.stderr
    loaded = load_experiment(finished.file)
    function = {"draw": draw, "evaluate": evaluate}[command]
    with pytest.raises(ValueError, match=r"Invalid jobs 0\. Must be 1 at least"):
        function(loaded, Workspace(finished.root), jobs=0)
