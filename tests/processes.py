"""Code and commands in processes of their own, which signals may end."""

from __future__ import annotations

import atexit
import errno
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing.context import SpawnProcess
from pathlib import Path

import pytest

from glacier_inversion.errors import RasterError
from glacier_inversion.files import replacing
from tests.helpers import ROOT, Run

AS_NOBODY = """
import os
if os.getuid() == 0:  # who may do everything
    os.setgid(65534)
    os.setuid(65534)
"""


def run_code(code: str) -> subprocess.CompletedProcess[str]:
    """Run Python code in the root of the project."""
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False
    )


def run_command(
    run: Run, command: str, *options: str, before: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a command on a workspace, after the code *before*."""
    arguments = [command, str(run.file), "--workspace", str(run.root), *options]
    code = f"from glacier_inversion.cli import main\n{before}\nmain({arguments!r})"
    return run_code(code)


def ginv(run, command, stdout="", stderr="", limits="", where=None):
    """Run a command in a shell, with odd streams; return exit code and messages."""
    words = [sys.executable, "-m", "glacier_inversion", command, str(run.file)]
    options = ["--workspace", str(run.root)] if where is None else []
    line = f"{limits} {shlex.join([*words, *options])} {stdout} {stderr}"
    done = subprocess.run(
        ["bash", "-c", line], capture_output=True, check=False, cwd=where
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def hand_over(folder: Path) -> None:
    """Give a folder to who runs AS_NOBODY."""
    for path in (folder, *folder.rglob("*")) if os.getuid() == 0 else ():
        os.chown(path, 65534, 65534)


def start(*arguments: object) -> subprocess.Popen:
    """Start a command in a group of its own, as a shell at a terminal does."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # as shells do to what runs in the background, and it would inherit
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return subprocess.Popen(
        [sys.executable, "-m", "glacier_inversion", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def is_listening(pid: int) -> bool:
    """Tell whether a command hears SIGTERM, as it does from its first line on."""
    status = Path(f"/proc/{pid}/status").read_text()
    (caught,) = (w.split()[1] for w in status.splitlines() if w.startswith("SigCgt"))
    return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)


def wait_until(happens, seconds=60.0):
    """Look again and again."""
    end = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def children_of(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    return [number for number, parent, _ in _processes() if parent == pid]


def workers_of(pid: int) -> list[int]:
    """Return the processes that a command has started, which another waits for."""
    return [worker for command in children_of(pid) for worker in children_of(command)]


def session_of(pid: int) -> list[int]:
    """Return the processes that a command has left, whose parents may be gone."""
    return [number for number, _, session in _processes() if session == pid]


def _processes() -> list[tuple[int, int, int]]:
    """Return number, parent and session of the processes that live."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent, _, session = path.read_text().rpartition(")")[2].split()[:4]
        except OSError:  # it has ended
            continue
        if state != "Z":  # a corpse that nobody has buried
            found.append((int(path.parent.name), int(parent), int(session)))
    return found


def refuse_processes(
    monkeypatch: pytest.MonkeyPatch, is_refused: Callable[[int], bool]
) -> list[SpawnProcess]:
    """Let the system begin no process of some numbers; return those that begin."""
    begun: list[SpawnProcess] = []
    n_asked, begin = [0], SpawnProcess.start

    def ask(process: SpawnProcess) -> None:
        n_asked[0] += 1
        if is_refused(n_asked[0]):
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        begin(process)
        begun.append(process)

    monkeypatch.setattr(SpawnProcess, "start", ask)
    return begun


def square(offset: int, number: int) -> int:
    """Do a task."""
    if number == 13:
        message = "13: is unlucky"
        raise RasterError(message)
    if number == 14:
        message = "a slip"
        raise KeyError(message)
    if number == 15:
        os.kill(os.getpid(), signal.SIGKILL)
    return offset + number**2


def slow(folder: Path, number: int) -> None:
    """Half do a task, for long."""
    scratch = folder / str(number)
    try:
        scratch.touch()
        time.sleep(60)
    finally:
        scratch.unlink()


def killed_in_writing(folder: Path, number: int) -> None:
    """Half do a task, and be killed."""
    with replacing(folder / f"{number}.tif") as scratch:
        scratch.touch()
        os.kill(os.getpid(), signal.SIGKILL)


class _AskedAsItGoes:
    def __del__(self) -> None:
        signal.raise_signal(signal.SIGTERM)


def asked_where_nothing_can_be_raised(number: int) -> int:
    """Do a task; the process is asked to end while an object of it goes."""
    _AskedAsItGoes()
    return number


def end_slowly(number: int) -> int:
    """Do a task; the process takes a second to end, and says that it has."""
    atexit.register(lambda: (time.sleep(1.0), sys.stderr.write("ended\n")))
    return number
