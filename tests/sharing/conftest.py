"""A Dask scheduler and two workers, on this machine."""

import json
import os
import subprocess
import sys

import pytest

from tests.helpers import ROOT
from tests.processes import wait_until


class Cluster:
    """Processes of Dask, each started as at a command line."""

    def __init__(self, folder) -> None:
        self.folder = folder
        self.processes: list[subprocess.Popen] = []
        self._dask("scheduler", "--host", "127.0.0.1", "--port", "0")
        wait_until((folder / "scheduler.json").exists)
        self.workers = [self.add_worker() for _ in range(2)]

    @property
    def address(self) -> str:
        """The scheduler's."""
        return json.loads((self.folder / "scheduler.json").read_text())["address"]

    def add_worker(self) -> subprocess.Popen:
        """Start a worker, which nothing replaces when it dies."""
        return self._dask("worker", "--no-nanny", "--nthreads", "1")

    def _dask(self, what, *options) -> subprocess.Popen:
        path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        command = [sys.executable, "-m", "dask", what, "--no-dashboard", *options]
        with (self.folder / f"{len(self.processes)}.log").open("wb") as log:
            process = subprocess.Popen(
                [*command, "--scheduler-file", str(self.folder / "scheduler.json")],
                cwd=self.folder,
                env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
                stdout=log,
                stderr=log,
            )
        self.processes.append(process)
        return process

    def run(self, code: str) -> subprocess.CompletedProcess[str]:
        """Run Python code that uses the cluster."""
        return subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )

    def close(self) -> None:
        """End all of them."""
        for process in reversed(self.processes):
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A scheduler and two workers."""
    pytest.importorskip("distributed")
    made = Cluster(tmp_path_factory.mktemp("dask"))
    yield made
    made.close()


@pytest.fixture
def own_cluster(tmp_path):
    """A scheduler and two workers, for a test that ends them."""
    pytest.importorskip("distributed")
    made = Cluster(tmp_path)
    yield made
    made.close()
