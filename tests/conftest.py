"""Fixtures: a made-up region, once built and trained for all tests that only read."""

import logging
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

from glacier_inversion.cli import main
from tests import synthetic


@dataclass(frozen=True)
class Run:
    """A workspace, its experiment file, and the command line on both."""

    root: Path
    file: Path
    raw: dict

    def __call__(self, command: str, *options: str) -> Result:
        """Run a command; whatever is no error of ours is raised."""
        arguments = [command, str(self.file), "--workspace", str(self.root), *options]
        return CliRunner().invoke(main, arguments, catch_exceptions=False)

    def write(self) -> None:
        """Write the experiment, after a change of `raw`."""
        synthetic.write_json(self.file, self.raw)


def new_run(root: Path) -> Run:
    """Write the region's data and experiment."""
    raw = synthetic.write_region(root)
    x, y = synthetic.LEFT + 600, synthetic.TOP - 2900
    line = [(x + 700, y + 350), (x + 1700, y + 500)]
    synthetic.write_lines(root / "data/profiles/along.shp", [line])
    return Run(root, synthetic.write_json(root / "exp.json", raw), raw)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A fresh workspace that a test may change."""
    return new_run(tmp_path)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A workspace in which all three commands have run; only read it."""
    made = new_run(tmp_path_factory.mktemp("finished"))
    for command in ("build-dataset", "train", "draw"):
        result = made(command)
        assert result.exit_code == 0, result.output
    return made


@pytest.fixture
def nobodys():
    """A folder that nobody may change, where pytest's own are closed to others."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name).resolve() / "place"


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """Compute on one thread: small networks crawl where threads share busy cores."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _logging_as_found():
    """Undo what the command line configures, so that caplog hears the package."""
    package = logging.getLogger("glacier_inversion")
    before = package.handlers[:], package.propagate, package.level
    yield
    package.handlers, package.propagate = before[0], before[1]
    package.setLevel(before[2])
