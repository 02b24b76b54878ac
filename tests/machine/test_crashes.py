"""Commands that a library crashes: one message, that names the file."""

import os
import signal
import subprocess
import sys
import time

import pytest

from glacier_inversion.machine.crashes import describe_end
from tests.helpers import ROOT
from tests.processes import children_of, session_of, start, wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks, reads /proc")

# A library that fails at the file of a name, in the process of the command.
FAILING = """
import os, resource, sys, time
import {library}
from glacier_inversion.sharing import executors
executors.LONGEST_READING = 1
real = {call}
def fail(name, *arguments, **options):
    if {file!r} in str(name):
        {how}
    return real(name, *arguments, **options)
{call} = fail
from glacier_inversion.__main__ import main
sys.argv = ["ginv", *{words!r}]
main()
"""
CRASHES, ABORTS, NEVER_ENDS = "os.kill(os.getpid(), 11)", "os.abort()", "while True: 0"


def run(call: str, file: str, how: str, *words: object) -> subprocess.CompletedProcess:
    """Run a command in which a function of a library fails at a file."""
    library = call.rpartition(".")[0]
    code = FAILING.format(
        library=library, call=call, file=file, how=how, words=[*map(str, words)]
    )
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("call", "file", "how", "command", "words"),
    [
        ("rasterio.open", "slope.tif", CRASHES, "check", "crashed (SIGSEGV)"),
        ("rasterio.open", "slope.tif", ABORTS, "build-dataset", "crashed (SIGABRT)"),
        ("rasterio.open", "slope.tif", NEVER_ENDS, "check", "not come to an end"),
        ("fiona.open", "glaciers.shp", CRASHES, "check", "crashed (SIGSEGV)"),
        ("fiona.open", "glaciers.shp", CRASHES, "draw", "crashed (SIGSEGV)"),
        ("pyogrio.list_layers", "glaciers.shp", NEVER_ENDS, "draw", "not come to an"),
    ],
)
def test_a_file_at_which_a_command_crashes_is_named(
    finished, call, file, how, command, words
):
    "While headers and outlines are read; nothing is written."
    options = [finished.file, "--workspace", finished.root]
    ended = run(call, file, how, command, *options)
    (line,) = ended.stderr.splitlines()
    assert line.startswith("Error: ")
    assert f"/data/{file}: " in line
    assert words in line
    assert (ended.returncode, ended.stdout) == (1, "")


def test_a_command_without_a_crash_ends_as_ever(finished):
    "What it prints, and its exit code."
    command = [sys.executable, "-m", "glacier_inversion"]
    done = subprocess.run(
        [*command, "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("ginv, version")
    done = subprocess.run([*command, "no"], capture_output=True, check=False)
    assert done.returncode == 2


@pytest.mark.parametrize(
    ("number", "path", "words"),
    [
        (9, "", "the command: the process was killed (SIGKILL), as a system does"),
        (9, "x.tif", "x.tif: the process was killed while it was read"),
        (7, "", "the command: a library crashed (SIGBUS)"),
        (40, "x.tif", "x.tif: the library that reads it crashed (signal 40)"),
    ],
)
def test_how_a_command_ended_is_said(number, path, words):
    "With what it may mean."
    assert describe_end(number, path).startswith(words)


def test_a_command_that_is_killed_says_so(tmp_path):
    "As a system does that has no more memory: it takes the largest process."
    process = start("demo", tmp_path / "here", "--no-run")
    wait_until(lambda: children_of(process.pid))
    (child,) = children_of(process.pid)
    os.kill(child, signal.SIGKILL)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 1
    assert stderr.startswith("Error: the command: the process was killed (SIGKILL)")


def test_a_command_that_aborts_as_it_is_stopped_was_stopped():
    "As C++ does at the end, for a thread of a library that is still at work."
    code = """
import os, signal, sys
from glacier_inversion.machine import crashes
for number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, lambda *_: os.abort())
crashes.watch()
print("ready", flush=True)
if "aborts" in sys.argv:
    os.abort()
while True:
    signal.pause()
"""
    for number, said in ((signal.SIGTERM, 143), (signal.SIGHUP, 129), (None, 1)):
        words = [sys.executable, "-c", code, *([] if number else ["aborts"])]
        process = subprocess.Popen(
            words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert process.stdout.readline() == "ready\n"
        if number:
            process.send_signal(number)
        _, stderr = process.communicate(timeout=30)
        assert process.returncode == said
        assert ("a library crashed (SIGABRT)" in stderr) == (number is None)


def test_no_process_outlives_the_one_that_waits(tmp_path):
    "Not for a moment, whatever library it is in."
    process = start("demo", tmp_path / "here")
    wait_until(lambda: children_of(process.pid))
    time.sleep(0.5)
    process.kill()
    process.communicate(timeout=30)
    wait_until(lambda: not session_of(process.pid), 5)
