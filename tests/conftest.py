"""Fixtures: a made-up region, once built and trained for all tests that only read."""

import logging
import shutil
import subprocess
import tempfile
from pathlib import Path

import hypothesis
import pytest
import torch

from tests.bounded import Bounded
from tests.helpers import Run, copy_of, new_run
from tests.stages import make_stages
from tests.warm import warm_in

# an example may take as long as a busy machine needs
hypothesis.settings.register_profile("tests", deadline=None)
hypothesis.settings.load_profile("tests")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take an option that writes the files of `test_golden` anew."""
    parser.addoption(
        "--renew-golden", action="store_true", help="write tests/golden anew"
    )


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A fresh workspace that a test may change."""
    return new_run(tmp_path)


@pytest.fixture(scope="module")
def ginv():
    """The command line, in a process beside."""
    bounded = Bounded()
    yield bounded
    bounded.close()


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A workspace in which all three commands have run; only read it."""
    made = new_run(tmp_path_factory.mktemp("finished"))
    for command in ("build-dataset", "train", "draw"):
        result = made(command)
        assert result.exit_code == 0, result.output
    return made


@pytest.fixture(scope="session")
def noisy(finished, tmp_path_factory):
    """A workspace whose members say the noise in the data; drawn, with a profile."""
    run = copy_of(finished, tmp_path_factory.mktemp("noisy"))
    for folder in ("models", "drawings"):
        shutil.rmtree(run.root / folder)
    run.raw["losses_name"] = {"thickness": "nan_gaussian_nll"}
    tail = run.raw["model_description"]["outputs"]["thickness"]["operations"][-1]
    tail["filters"] = [16, 2]
    run.raw["drawing_description"]["statistics"] = ["mean", "std", "noise"]
    run.write()
    for command in ("train", "draw"):
        result = run(command)
        assert result.exit_code == 0, result.output
    return run


@pytest.fixture
def without_processes(monkeypatch):
    """Let tasks of other processes be done here; return how many were asked for."""
    asked = []

    def do(work, given, tasks, n_processes):
        asked.append(n_processes)
        return ((task, work(*given, task)) for task in tasks)

    for module in ("shards", "side_by_side"):
        monkeypatch.setattr(f"glacier_inversion.sharing.{module}.each", do)
    # a process is of one command, and opens nothing for two
    monkeypatch.setattr("glacier_inversion.sharing.attempts._Here.opened", {})
    return asked


@pytest.fixture
def linked(tmp_path):
    """A folder of a workspace that is a link to one with files."""
    (tmp_path / "theirs" / "a").mkdir(parents=True)
    (tmp_path / "theirs" / "file").write_text("theirs")
    (tmp_path / "theirs" / "a" / "file").write_text("theirs")
    (tmp_path / "place").mkdir()
    link = tmp_path / "place" / "link"
    link.symlink_to(tmp_path / "theirs", target_is_directory=True)
    return link


@pytest.fixture
def nobodys():
    """A folder that nobody may change, where pytest's own are closed to others."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name).resolve() / "place"


@pytest.fixture(scope="session")
def stages(tmp_path_factory):
    """The workspaces before and after each command that writes."""
    with warm_in(tmp_path_factory.mktemp("streams")) as warm:
        yield make_stages(tmp_path_factory.mktemp("stages"), warm)


@pytest.fixture
def small_disk(tmp_path):
    """Mount a file system of so many kB."""
    mounted = tmp_path / "disk"
    mounted.mkdir()

    def mount(n_kilobytes):
        options = ["-t", "tmpfs", "-o", f"size={n_kilobytes}k", "tmpfs", str(mounted)]
        try:
            done = subprocess.run(["mount", *options], capture_output=True, check=False)
        except OSError:
            pytest.skip("there is no mount")
        if done.returncode != 0:
            pytest.skip("needs the right to mount a file system")
        return mounted

    yield mount
    subprocess.run(["umount", str(mounted)], capture_output=True, check=False)


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """Compute on one thread: small networks crawl where threads share busy cores."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _logging_unconfigured():
    """Undo what the command line configures, so that caplog hears the package."""
    package = logging.getLogger("glacier_inversion")

    def undo():
        package.handlers, package.propagate = [], True
        package.setLevel(logging.NOTSET)

    undo()  # fixtures of the session have run commands
    yield
    undo()
