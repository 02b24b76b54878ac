"""
Commands by processes that need not import anything: torch is warm in their parent.

A parent that has imported all but run nothing is forked for each, hundreds in the time
in which a few would start. They are in all else what ``ginv`` starts.
"""

from __future__ import annotations

import gc
import json
import os
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.helpers import ROOT
from tests.processes import is_listening, session_of, wait_until

LONGEST_S = 120


@dataclass
class Ended:
    """How a command ended: by a signal if the exit code is negative."""

    returncode: int
    stdout: str
    stderr: str


class Warm:
    """A process that forks commands."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.streams: dict[int, list[int]] = {}
        self.parent = subprocess.Popen(
            [sys.executable, "-m", "tests.warm"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def _ask(self, request: dict[str, Any]) -> Any:
        self.parent.stdin.write(json.dumps(request) + "\n")
        self.parent.stdin.flush()
        return json.loads(self.parent.stdout.readline())

    def start(self, *arguments: object, before: str = "") -> int:
        """Start a command, after the code *before*; return its process."""
        words = [str(argument) for argument in arguments]
        names = [str(self.folder / name) for name in ("out", "err")]
        ours = []
        for name in names:  # pipes, which no limit of the size of files ends
            os.mkfifo(name)
            ours.append(os.open(name, os.O_RDWR | os.O_NONBLOCK))
        pid = self._ask({"start": words, "before": before, "streams": names})
        self.streams[pid] = ours
        return pid

    def wait(self, pid: int) -> Ended:
        """Wait for a command's end, and for that of what it has started."""
        code = self._ask({"wait": pid})
        wait_until(lambda: not session_of(pid), 10)
        return Ended(code, *map(_read_all, self.streams.pop(pid)))

    def run(self, *arguments: object, before: str = "") -> Ended:
        """Run a command to its end."""
        return self.wait(self.start(*arguments, before=before))

    def stop(
        self, seconds: float, number: int, *arguments: object, before: str = ""
    ) -> Ended:
        """Start a command, and send a signal after so long, unless it has ended."""
        pid = self.start(*arguments, before=before)
        wait_until(lambda: is_listening(pid) or not session_of(pid))
        time.sleep(seconds)
        os.kill(pid, number)  # a corpse until it is waited for
        return self.wait(pid)

    def close(self) -> None:
        """End the process."""
        self.parent.stdin.close()
        self.parent.wait()
        self.parent.stdout.close()


@contextmanager
def warm_in(folder: Path) -> Iterator[Warm]:
    """Yield a process that forks commands, with their pipes in a folder."""
    warm = Warm(folder)
    try:
        yield warm
    finally:
        warm.close()


def _read_all(stream: int) -> str:
    """Read what is in a pipe, and close it."""
    content = b""
    with suppress(BlockingIOError):
        while part := os.read(stream, 2**16):
            content += part
    os.close(stream)
    return content.decode()


def _command(request: dict[str, Any]) -> None:
    """Be a command."""
    os.setsid()
    signal.alarm(LONGEST_S)
    for number, stream in enumerate(request["streams"], 1):
        os.dup2(stream, number)
    # not the parent's, which remember of what kind its own were
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = os.fdopen(number, "w", encoding="utf-8", closefd=False)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.argv = ["ginv", *request["start"]]
    exec(request["before"], {})
    runpy.run_module("glacier_inversion", run_name="__main__")


def _serve() -> None:
    """Fork a process for each command that is asked for."""
    requests = os.dup(0), os.dup(1)  # not the command's own streams
    with os.fdopen(requests[0]) as asked, os.fdopen(requests[1], "w") as answers:
        for line in asked:
            request = json.loads(line)
            if "wait" in request:
                _, status = os.waitpid(request["wait"], 0)
                answer = os.waitstatus_to_exitcode(status)
            else:
                names = request["streams"]
                request["streams"] = [os.open(name, os.O_WRONLY) for name in names]
                if (answer := os.fork()) == 0:
                    _command(request)
                for name, stream in zip(names, request["streams"], strict=True):
                    os.close(stream)
                    Path(name).unlink()
            answers.write(f"{answer}\n")
            answers.flush()


if __name__ == "__main__":
    for module in ("training.train", "reporting.report", "cli", "evaluation.crossval"):
        __import__(f"glacier_inversion.{module}")
    import torch

    torch.set_num_threads(1)
    gc.collect()
    gc.freeze()  # else each process looks through all of it before it ends: a second
    _serve()
