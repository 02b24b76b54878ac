"""What the commands have in common: exit codes and messages."""

import errno
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from glacier_inversion.cli import main
from glacier_inversion.commands.console import FriendlyGroup, SeedList, end
from tests.processes import start


@pytest.mark.parametrize(
    ("text", "seeds"), [("0", [0]), ("3,7-9", [3, 7, 8, 9]), ("2,1-2, 0", [0, 1, 2])]
)
def test_seed_lists(text, seeds):
    "Ranges hold both ends."
    assert SeedList().convert(text, None, None) == seeds


def test_the_last_line_names_some_of_many_features_that_failed(caplog):
    "Each has a line of its own before it."

    @click.command()
    @click.pass_context
    def command(ctx):
        end(ctx, {f"RGI60-11.{i:05}": "why" for i in range(4000)})

    assert CliRunner().invoke(command).exit_code == 3
    (line,) = caplog.messages
    assert line.startswith("4000 features failed: RGI60-11.00000, RGI60-11.00001, ")
    assert line.endswith(", RGI60-11.00019 and 3,980 more")


SLIP = """
import sys
from glacier_inversion import cli
from glacier_inversion.commands import console
from glacier_inversion.experiment import experiment
def slip(*_):
    raise {raised}
experiment.load_experiment = experiment.load_application = slip
console.run(cli.main)
"""


def run_with(raised: str, *arguments: object, cwd: Path) -> subprocess.CompletedProcess:
    """Run a command in which something is raised that nothing expects."""
    return subprocess.run(
        [sys.executable, "-c", SLIP.format(raised=raised), *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        check=False,
    )


@pytest.mark.parametrize("with_workspace", [True, False])
def test_what_nobody_foresaw_is_a_line_and_a_file(run, tmp_path, with_workspace):
    "Exit code 70; the traceback lies in the workspace, or in the current folder."
    options = ["--workspace", run.root] if with_workspace else []
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    raised = "KeyError('north-1\\nand more')"
    done = run_with(raised, "build-dataset", run.file, *options, cwd=elsewhere)
    assert done.returncode == 70
    (line,) = done.stderr.splitlines()
    assert line.startswith("ginv: unexpected KeyError: 'north-1")
    file = (run.root if with_workspace else elsewhere) / "ginv-error.txt"
    assert f"the traceback is in {file}. Please report it" in line
    text = file.read_text()
    assert "Traceback" in text
    assert "in slip" in text
    assert "build-dataset" in text


def test_a_traceback_that_cannot_be_written_is_printed(run):
    "It is not lost."
    (run.root / "ginv-error.txt").mkdir()
    done = run_with("KeyError(1)", "build-dataset", run.file, cwd=run.root)
    assert done.returncode == 70
    assert "Traceback" in done.stderr
    assert "ginv: unexpected KeyError: 1. Please report it" in done.stderr


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "the memory does not suffice (MemoryError)"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "the memory does not"),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: 9"),
            "the memory does not suffice ([enforce fail]",
        ),
        (
            RuntimeError("std::bad_alloc"),
            "the memory does not suffice (std::bad_alloc)",
        ),
        (RuntimeError("could not create a primitive"), "the memory does not suffice"),
        (OSError(errno.ENOSPC, "No space left", "here.tif"), "here.tif: cannot be wr"),
        (OSError(errno.EDQUOT, "Quota exceeded", "a"), "a: cannot be written"),
        (OSError(errno.EMFILE, "Too many open files", "a"), "a: cannot be opened"),
        (PermissionError(errno.EACCES, "no", "a.tif"), "a.tif: permission denied"),
        (OSError(errno.EROFS, "Read-only file system", "a"), "a: permission denied"),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), "the output: nobody reads it"),
        (OSError(errno.EIO, "Input/output error", "a.tif"), "a.tif: cannot be used"),
        (OSError("GDAL's own words"), "cannot be used (GDAL's own words)"),
    ],
)
def test_what_the_system_refuses_is_a_message(error, words):
    "Exit code 1, and three sentences."

    @click.group(cls=FriendlyGroup)
    def group() -> None:
        """Do something."""

    @group.command("work")
    def work() -> None:
        """Fail."""
        raise error

    result = CliRunner().invoke(group, ["work"], catch_exceptions=False)
    assert result.exit_code == 1
    assert words in result.stderr
    assert "Must" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_ctrl_c_is_130_wherever_the_command_line_runs(monkeypatch):
    "Also where signals are heard by somebody else, as in a notebook."

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(
        "glacier_inversion.experiment.experiment.json_schema", interrupt
    )
    result = CliRunner().invoke(main, ["schema"])
    assert result.exit_code == 130
    assert result.stderr.startswith("ginv: stopped by Ctrl-C.")


def test_help_is_whole():
    "No summary is cut off, on a narrow terminal either; -h is --help."
    for width in (80, 60):
        text = CliRunner().invoke(main, ["-h"], terminal_width=width).stdout
        assert text.count("...") == 1  # COMMAND [ARGS]...
        words = " ".join(text.split())
        for command in main.commands.values():
            first = command.help.strip().split("\n\n")[0].split(".")[0]
            assert " ".join(first.split()) in words
    assert text == CliRunner().invoke(main, ["--help"], terminal_width=60).stdout
    for name in main.commands:
        assert CliRunner().invoke(main, [name, "-h"]).exit_code == 0


def test_details_of_every_feature_member_and_map(run):
    "With -v, each with its id; without, none."
    built = run("build-dataset", "-v", "--jobs", "2").stderr
    assert re.search(
        r"DEBUG: north-1: bounds [\d. ]+, 3 tiles written, 0 kept, valid: slope 99.\d%, "
        r"speed 100.0%, thickness \d+.\d%; [\d.]+ s",
        built,
    )
    assert "bounds 420300 5148300 421900 5149800" in built
    assert len(re.findall("^DEBUG: .*: bounds", built, re.MULTILINE)) == 5
    trained = run("train", "-v").stderr
    for seed in (0, 1):
        assert re.search(
            rf"DEBUG: seed {seed}: best epoch \d+ of 12, val_loss [\d.]+; [\d.]+ s, "
            r"[\d.]+ s an epoch",
            trained,
        )
    drawn = run("draw", "-v").stderr
    assert re.search(
        r"DEBUG: small: south: \d+ of \d+ pixels drawn in 1 blocks, patch by patch: "
        r".*; [\d.]+ s",
        drawn,
    )
    for command in ("build-dataset", "train", "draw"):
        assert "DEBUG" not in run(command).stderr


def test_the_entry_is_tiny():
    "Signals are heard before anything is imported that takes long."
    code = (
        "import sys, glacier_inversion.__main__\n"
        "print(sorted({'click', 'logging', 'json', 'multiprocessing'} & {*sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout.strip() == b"[]"
    process = start("--version")
    stdout, _ = process.communicate()
    assert stdout.startswith("ginv, version")
