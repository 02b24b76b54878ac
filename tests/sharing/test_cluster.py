"""The workers of a real Dask scheduler: the same bytes, and one that is killed."""

import importlib
import shutil
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from glacier_inversion.errors import (
    GlacierInversionError,
    PackageError,
    WorkspaceError,
)
from glacier_inversion.locks import Lock, lock_of
from glacier_inversion.sharing.attempts import Place, write_job
from glacier_inversion.sharing.cluster import Cluster, _look
from tests.helpers import new_run, read_all
from tests.sharing.helpers import done

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="flock is Unix's")

JOB = """
import logging, sys
from pathlib import Path
from glacier_inversion.progress import Silent
from glacier_inversion.sharing.cluster import Cluster
from glacier_inversion.sharing.job import working_together
from tests.sharing import helpers
logging.basicConfig(format="%(message)s")
folder, hands = Path({folder!r}), Cluster({address!r})
tasks = {{str(n): n for n in {numbers}}}
with working_together(folder / "here", "drawing into", hands, "key") as job:
    results = job.do(helpers.{work}, folder, tasks, Silent())
print(results)
"""

STOPPED = """
from pathlib import Path
from glacier_inversion.progress import Silent
from glacier_inversion.sharing.cluster import Cluster
from glacier_inversion.sharing.job import working_together
from tests.sharing import helpers

class Stop(Silent):
    def advance(self, note=""):
        raise KeyboardInterrupt

folder, hands = Path({folder!r}), Cluster({address!r})
tasks = {{str(n): n for n in range(40)}}
try:
    with working_together(folder / "here", "drawing into", hands, "key") as job:
        job.do(helpers.slow_square, folder, tasks, Stop())
except KeyboardInterrupt:
    print("stopped")
"""


GONE = """
import distributed, logging, os, signal
from pathlib import Path
from glacier_inversion.progress import Silent
from glacier_inversion.sharing import cluster
from glacier_inversion.sharing.job import working_together
from tests.sharing import helpers

class Kill(Silent):
    def advance(self, note=""):
        os.kill({scheduler}, signal.SIGKILL)

def fail(future):
    os.kill({scheduler}, signal.SIGKILL)
    raise distributed.comm.CommClosedError("reset by peer")

logging.basicConfig(format="%(message)s")
cluster._LONGEST_ANSWER = 2
if {while_it_answers}:
    cluster._outcome = fail
folder, hands = Path({folder!r}), cluster.Cluster({address!r})
tasks = {{str(n): n for n in range(40)}}
try:
    with working_together(folder / "here", "drawing into", hands, "key") as job:
        job.do(helpers.slow_square, folder, tasks, Kill())
except cluster.GlacierInversionError as error:
    print(error)
"""


BEGUN = """
import logging, os, signal
from pathlib import Path
import distributed
from glacier_inversion.progress import Silent
from glacier_inversion.sharing.cluster import Cluster
from glacier_inversion.sharing.job import working_together
from tests.sharing import helpers

def kill():
    os.kill({worker}, signal.SIGKILL)

with distributed.Client({address!r}) as client:
    client.wait_for_workers(2)
original = getattr(distributed.Client, {before!r})

def late(*given, **options):
    kill()
    return original(*given, **options)

setattr(distributed.Client, {before!r}, late)
logging.basicConfig(format="%(message)s")
folder, hands = Path({folder!r}), Cluster({address!r})
tasks = {{str(n): n for n in range(3)}}
with working_together(folder / "here", "drawing into", hands, "key") as job:
    results = job.do(helpers.slow_square, folder, tasks, Silent())
print(results)
"""


ADAPTS = """
from distributed import LocalCluster
with LocalCluster(
    n_workers=0, threads_per_worker=1, processes=False, protocol="tcp",
    dashboard_address=None,
) as cluster:
    cluster.adapt(maximum=1, interval="100ms")
    {job}
"""


@pytest.fixture
def tiles(run, cluster):
    """A workspace, and one whose tiles one process made."""
    other = new_run(run.root / "other")
    shutil.copytree(run.root / "data", other.root / "data", dirs_exist_ok=True)
    assert other("build-dataset").exit_code == 0
    return run, read_all(other.root / "datasets")


def test_a_worker_is_killed_half_way(tmp_path, cluster):
    "Its task is tried once more by the other one, which does what is left."
    worker = cluster.add_worker()
    code = JOB.format(
        folder=str(tmp_path),
        address=cluster.address,
        numbers=[*range(20, 26), 15],
        work="killed",
    )
    ended = cluster.run(code)
    assert ended.returncode == 0, ended.stderr
    n_done = done(tmp_path)
    assert n_done.pop(15) == 2
    assert set(n_done.values()) == {1}
    assert "'15': {'square': 225}" in ended.stdout
    assert "done: 15" in ended.stderr  # what workers log comes back
    codes = [w.poll() for w in (worker, *cluster.workers)]
    assert sorted(c is None for c in codes) == [False, True, True]


def test_workers_that_are_started_as_they_are_needed(tmp_path, cluster):
    "As by dask-jobqueue: there is none before something is to be done."
    job = JOB.format(
        folder=str(tmp_path), address="X", numbers=[1, 2], work="square"
    ).replace("'X'", "cluster.scheduler_address")
    ended = cluster.run(ADAPTS.format(job=job.replace("\n", "\n    ")))
    assert ended.returncode == 0, ended.stderr
    assert "{'1': {'square': 1}, '2': {'square': 4}}" in ended.stdout


def test_a_scheduler_that_goes_away_before_a_worker_comes(tmp_path, own_cluster):
    "While the command waits for one."
    for worker in own_cluster.workers:
        worker.kill()
    code = "import logging, threading, os; threading.Timer(8, os.kill, (%d, 9)).start()"
    job = JOB.format(
        folder=str(tmp_path / "x"),
        address=own_cluster.address,
        numbers=[1],
        work="square",
    )
    (tmp_path / "x").mkdir()
    ended = own_cluster.run(code % own_cluster.processes[0].pid + job)
    assert "GlacierInversionError: --scheduler tcp" in ended.stderr
    assert "has no worker that works (the scheduler lost it)" in ended.stderr


@pytest.mark.parametrize("before", ["run", "submit", "replicate"])
def test_a_worker_is_killed_as_the_work_begins(tmp_path, own_cluster, before):
    "The other one does all of it, though the scheduler still knows the dead one."
    folder = tmp_path / "work"
    folder.mkdir()
    code = BEGUN.format(
        folder=str(folder),
        address=own_cluster.address,
        worker=own_cluster.workers[0].pid,
        before=before,
    )
    ended = own_cluster.run(code)
    assert ended.returncode == 0, ended.stderr
    assert done(folder) == {0: 1, 1: 1, 2: 1}
    assert "has gone away" not in ended.stderr


def test_who_dies_while_all_are_given_their_part():
    "Is no error of the scheduler's: the others ask for it when they need it."
    pytest.importorskip("distributed")

    def replicate(futures):
        raise KeyError(futures[0])  # the address that is none any more

    client = SimpleNamespace(submit=lambda *_, **__: "future", replicate=replicate)
    assert Cluster("tcp://HOST:1")._give_to_all(client, (None, None, None)) == "future"


def test_what_has_not_begun_is_given_up(tmp_path, cluster):
    "Once the command is stopped; what workers have in hand they bring to its end."
    code = STOPPED.format(folder=str(tmp_path), address=cluster.address)
    ended = cluster.run(code)
    assert ended.stdout == "stopped\n", ended.stderr
    time.sleep(2)
    assert 1 <= len(done(tmp_path)) <= 8


def test_workers_make_the_same_tiles(tiles, cluster):
    "By the command, where it is started; files show nothing of how they came about."
    run, expected = tiles
    code = (
        "import os; from glacier_inversion.cli import main; "
        f"os.chdir({str(run.root)!r}); "
        f"main(['build-dataset', 'exp.json', '--scheduler', {cluster.address!r}])"
    )
    ended = cluster.run(code)
    assert ended.returncode == 0, ended.stderr
    assert "15 tiles written, 0 kept" in ended.stderr
    made = read_all(run.root / "datasets")
    added = {"region/.shared/job.json", "region/.shared/parts/scheduler.txt"}
    assert made.keys() - expected.keys() == added
    assert {name: made[name] for name in expected} == expected


def test_what_a_worker_cannot_do_is_said(tmp_path, cluster):
    "Its error ends the command, in words."
    code = JOB.format(
        folder=str(tmp_path), address=cluster.address, numbers=[13], work="unlucky"
    )
    ended = cluster.run(code)
    assert "RasterError: 13: is unlucky" in ended.stderr
    assert ended.returncode == 1


def test_what_a_worker_must_see(tmp_path):
    "The job, by a lock that holds there too, and the same version."
    place = Place(tmp_path / "here", "token", 20)
    worker = SimpleNamespace(state=SimpleNamespace(nthreads=3))
    with pytest.raises(WorkspaceError, match="does not see this job at"):
        _look(place, worker)
    write_job(place.folder, {"key": "", "token": "token", "finished": False})
    with pytest.raises(WorkspaceError, match="Locks must hold across machines"):
        _look(place, worker)
    lock = Lock(lock_of(place.folder))
    assert lock.try_shared()
    assert _look(place, worker) == 3
    other = Place(tmp_path / "here", "token", 20, version="0.0.1")
    with pytest.raises(PackageError, match=r"Must have 0\.0\.1, as the command"):
        _look(other, worker)
    lock.release()


@pytest.mark.parametrize(
    "refusal", [WorkspaceError("a: does not see this job"), PackageError("a: is old")]
)
def test_a_worker_that_cannot_do_the_work_is_refused(refusal):
    "An error of a workspace is one of the system's, too, but no worker that died."
    pytest.importorskip("distributed")
    said = {"tcp://w1:1": 1, "tcp://w2:1": refusal}
    client = SimpleNamespace(
        scheduler_info=lambda: {"workers": said}, run=lambda *_, **__: dict(said)
    )
    with pytest.raises(GlacierInversionError, match=f"^worker tcp://w2:1: {refusal}"):
        Cluster("tcp://x:1")._check_workers(client, Place(Path("a"), "token", 20))


@pytest.mark.parametrize("while_it_answers", [False, True])
def test_a_scheduler_that_goes_away(tmp_path, own_cluster, while_it_answers):
    "Is said once, in words, whatever is left."
    code = GONE.format(
        folder=str(tmp_path / "work"),
        address=own_cluster.address,
        scheduler=own_cluster.processes[0].pid,
        while_it_answers=while_it_answers,
    )
    (tmp_path / "work").mkdir()
    ended = own_cluster.run(code)
    assert "does not answer" in ended.stdout, ended.stderr
    assert ended.stderr.count("has gone away") == 1
    assert "Traceback" not in ended.stderr
    assert "was lost" not in ended.stderr


def test_a_scheduler_that_is_not_there(run, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("glacier_inversion.sharing.cluster._LONGEST_ANSWER", 1)
    ended = run("build-dataset", "--scheduler", "tcp://127.0.0.1:1")
    assert ended.exit_code == 1
    assert "--scheduler tcp://127.0.0.1:1: does not answer" in ended.stderr


def test_the_extra_may_not_be_installed(run, monkeypatch):
    original = importlib.import_module

    def no_module(name, package=None):
        if name == "distributed":
            raise ModuleNotFoundError(name)
        return original(name, package)

    monkeypatch.setattr("importlib.import_module", no_module)
    ended = run("build-dataset", "--scheduler", "tcp://127.0.0.1:1")
    assert ended.exit_code == 2
    assert "pip install 'glacier-inversion[distributed]'" in ended.stderr
