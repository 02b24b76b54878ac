"""Ctrl-C, SIGTERM, SIGHUP, at any moment of any command: an exit code and a line."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from glacier_inversion.machine.interrupts import postponing
from tests.processes import is_listening, session_of, start, wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

COMMANDS = {
    "check": ["check"],
    "schema": ["schema"],
    "build": ["build-dataset", "--jobs", "1"],
    "build by two": ["build-dataset", "--jobs", "2"],
    "train": ["train", "--jobs", "1"],
    "train by two": ["train", "--jobs", "2"],
    "draw": ["draw"],
    "demo": ["demo"],
}
SIGNALS = {
    signal.SIGINT: (130, "Ctrl-C"),
    signal.SIGTERM: (143, "SIGTERM"),
    signal.SIGHUP: (129, "SIGHUP"),
}


def prepare(finished, root: Path, name: str) -> list[object]:
    """Make a workspace in which a command has its work before it."""
    first, *options = COMMANDS[name]
    if first == "schema":
        return [first]
    if first == "demo":
        return [first, root / "glacier-demo"]
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(finished.root, root)
    made = {"build-dataset": "datasets", "train": "models", "draw": "drawings"}
    if first in made:
        shutil.rmtree(root / made[first])
    return [first, root / "exp.json", "--workspace", root, *options]


def stop(process: subprocess.Popen, number: signal.Signals) -> None:
    """Send a signal: Ctrl-C and SIGHUP to all, as a terminal does."""
    if number != signal.SIGTERM:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)


def check_end(process: subprocess.Popen, number: signal.Signals) -> int:
    """Check how a command ended that was stopped, or was done before; its code."""
    _, stderr = process.communicate(timeout=60)
    code, name = SIGNALS[number]
    assert process.returncode in (code, 0), stderr
    logged = ("INFO: ", "WARNING: ")
    lines = [line for line in stderr.splitlines() if not line.startswith(logged)]
    if process.returncode:
        (line,) = lines
        assert line.startswith("ginv: ")
        assert f"stopped by {name}." in line or "members finished" in line
    else:
        assert lines == []
    wait_until(lambda: not session_of(process.pid), 10)
    return process.returncode


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_may_be_stopped_before_it_has_begun(finished, tmp_path, name, number):
    "While it imports: at once, with the signal's exit code and a line."
    arguments = prepare(finished, tmp_path / "here", name)
    process = start(*arguments)
    wait_until(lambda: is_listening(process.pid))
    time.sleep(0.1 if number == signal.SIGINT and name != "schema" else 0)
    stop(process, number)
    assert check_end(process, number) != 0


@pytest.mark.parametrize("number", SIGNALS)
def test_a_build_may_be_stopped_in_its_midst(finished, tmp_path, number):
    "What was made stays; nothing half-written does, and no process."
    root = tmp_path / "here"
    process = start(*prepare(finished, root, "build by two"))
    tiles = root / "datasets" / "region"
    wait_until(lambda: any(tiles.rglob("*.tif")) or process.poll() is not None)
    stop(process, number)
    check_end(process, number)
    assert not list(root.rglob(".*.part*"))


SWALLOWING = """
import os, signal, sys
from glacier_inversion.machine import interrupts
interrupts.listen()
class Dying:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        print("swallowed")
try:
    with interrupts.raising():
        Dying()
        {check}
        print("went on")
except BaseException as error:
    print(type(error).__name__, interrupts.was_stopped(), interrupts.exit_code())
"""


@pytest.mark.parametrize(
    ("check", "goes_on"), [("interrupts.check()", False), ("", True)]
)
def test_an_interrupt_that_is_swallowed_is_not_lost(check, goes_on):
    "Raised where nothing can be, it is raised again: at a step, or at the end."
    code = SWALLOWING.format(check=check)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    went_on = ["went on"] if goes_on else []
    assert done.stdout.splitlines() == [*went_on, "KeyboardInterrupt True 143"]
    assert done.stderr == ""


ECHOING = """
import os, signal, time
from glacier_inversion.machine import interrupts
interrupts.listen()
with interrupts.raising():
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except KeyboardInterrupt:
        os.kill(os.getpid(), signal.SIGINT)
        print("put away", flush=True)
    try:
        time.sleep(0.6)
        os.kill(os.getpid(), signal.SIGINT)
        print("deaf")
    except KeyboardInterrupt:
        print("hears again", flush=True)
    interrupts.ignore()
    os.kill(os.getpid(), signal.SIGINT)
    print("is done", flush=True)
    os._exit(0)
"""


def test_the_echo_of_a_signal_is_not_a_second_one():
    "As some wrappers make one; later signals are, until the work is done."
    done = subprocess.run(
        [sys.executable, "-c", ECHOING], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["put away", "hears again", "is done"]
    assert done.stderr == ""


ECHOING_AT_ONCE = """
import signal, sys
from glacier_inversion.machine import interrupts
def trace(frame, event, argument):
    global n_lines
    if event == "line":
        n_lines += 1
        if n_lines == echo_at:
            signal.raise_signal(signal.SIGINT)
    return trace
interrupts.listen()
echo_at = n_lines = 0
with interrupts.raising():
    while n_lines >= echo_at:
        echo_at, n_lines = echo_at + 1, 0
        with interrupts.heeding_signals() as stop:
            sys.settrace(trace)
            signal.raise_signal(signal.SIGINT)
            sys.settrace(None)
            assert stop.is_set()
    print(echo_at > 10)
    interrupts.ignore()
"""


def test_a_signal_in_the_midst_of_a_signals_handler_is_no_harm():
    "At each of its lines: a flag is set, and nothing waits for the handler itself."
    done = subprocess.run(
        [sys.executable, "-c", ECHOING_AT_ONCE],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout == "True\n"


INTERRUPTED_TEXT = """
import os, signal, click
from glacier_inversion.machine import interrupts
from glacier_inversion.commands.console import FriendlyGroup, run
@click.command(cls=FriendlyGroup, invoke_without_command=True)
def command():
    with interrupts.raising():
        exec("os.kill(os.getpid(), signal.SIGTERM)")
interrupts.listen()
run(command)
"""


def test_the_exit_code_is_that_of_the_signal_wherever_it_comes(tmp_path):
    "In code given as text, too, as templates are: Python would end by SIGINT."
    (tmp_path / "interrupted.py").write_text(INTERRUPTED_TEXT)
    done = subprocess.run(
        [sys.executable, "-m", "interrupted"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 143, done.stderr
    assert done.stderr.startswith("ginv: stopped by SIGTERM.")


@pytest.mark.slow
@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_may_be_stopped_at_any_moment(finished, tmp_path, name, number):
    "From its first line until it is done; nothing half-written stays behind."
    moments = [0.05 * 1.7**n for n in range(14)]  # 29 s
    codes = []
    for moment in moments:
        process = start(*prepare(finished, tmp_path / "here", name))
        wait_until(lambda process=process: is_listening(process.pid))
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            stop(process, number)
        codes.append(check_end(process, number))
        assert not list(tmp_path.rglob("*.part.*"))
        if codes[-1] == 0:
            break
    assert codes[0] == SIGNALS[number][0]


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_while_the_entry_itself_is_imported_is_heard(number):
    "Before a module of ours but the first is there."
    code = (
        "import os, sys\n"
        "class Sending:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'glacier_inversion.machine.interrupts':\n"
        f"            os.kill(os.getpid(), {int(number)})\n"
        "sys.meta_path.insert(0, Sending())\n"
        "from glacier_inversion.__main__ import main\n"
        "main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    exit_code, name = SIGNALS[number]
    assert (done.returncode, done.stdout) == (exit_code, "")
    assert done.stderr == f"ginv: stopped by {name}.\n"


def test_a_signal_that_is_postponed_is_not_lost():
    "Though what was done meanwhile fails."
    heard = []

    def fail():
        with postponing():
            signal.raise_signal(signal.SIGINT)
            assert not heard
            message = "no process"
            raise OSError(message)

    before = signal.signal(signal.SIGINT, lambda *_: heard.append(1))
    try:
        with pytest.raises(OSError, match="no process"):
            fail()
        assert heard == [1]
    finally:
        signal.signal(signal.SIGINT, before)
