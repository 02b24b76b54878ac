"""Standard streams that are full, closed, or not heard."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import ginv

needs_full = pytest.mark.skipif(
    not Path("/dev/full").exists(), reason="the system has no device that is full"
)


@needs_full
@pytest.mark.parametrize(
    "command",
    ["--help", "schema", pytest.param("build-dataset", marks=pytest.mark.slow)],
)
def test_results_that_cannot_be_written_are_a_message(run, command):
    "The work is done all the same."
    arguments = [] if command in ("--help", "schema") else [str(run.file), "-q"]
    options = [] if not arguments else ["--workspace", str(run.root)]
    words = shlex.join(
        [sys.executable, "-m", "glacier_inversion", command, *arguments, *options]
    )
    done = subprocess.run(
        ["bash", "-c", f"{words} > /dev/full"], capture_output=True, check=False
    )
    assert done.returncode == 1
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("Error: standard output: cannot be written (No space left")
    made = (run.root / "datasets/region/summary.json").exists()
    assert made == (command == "build-dataset")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stdout", "stderr"),
    [
        ("", "2>&-"),
        (">&-", ""),
        (">&-", "2>&- <&-"),
        pytest.param("", "2>/dev/full", marks=needs_full),
    ],
)
def test_streams_that_nobody_hears_change_nothing(run, stdout, stderr):
    "Exit codes, files, and what the other stream says."
    code, said, noted = ginv(run, "build-dataset", stdout, stderr)
    assert code == 0
    summary = run.root / "datasets/region/summary.json"
    assert summary.exists()
    assert said == ("" if stdout else f"{summary}\n")
    assert bool(noted) == (not stderr)
    run.file.write_text("{")
    code, said, noted = ginv(run, "draw", stdout, stderr)
    assert (code, said) == (2, "")
    assert ("no JSON" in noted) == (not stderr)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device")
@pytest.mark.parametrize("redirected", ["> /dev/full", "| true", "2> /dev/full"])
@pytest.mark.parametrize("arguments", ["schema", "--help"])
def test_output_that_cannot_be_written(arguments, redirected):
    "A message, and no complaint of Python's at its end; a pipe may be cut."
    command = f"{sys.executable} -m glacier_inversion {arguments} {redirected}"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in ((1,) if redirected == "> /dev/full" else (0, 1))
    assert len(done.stderr.splitlines()) <= 1
    if redirected == "> /dev/full":
        assert "standard output: cannot be written (No space left" in done.stderr


def test_streams_that_are_closed(run):
    "Files that are opened do not take the place of the error stream."
    command = (
        f"{sys.executable} -m glacier_inversion build-dataset {run.file} "
        f"--workspace {run.root} -v --jobs 1 <&- >&- 2>&-"
    )
    subprocess.run(["bash", "-c", command], check=True)
    assert (run.root / "datasets/region/summary.json").exists()
