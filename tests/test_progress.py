"""How far work is: bars on a terminal, else a line a minute."""

import logging
import os
import re
import struct
import subprocess
import sys
import time

import pytest

from glacier_inversion import progress
from glacier_inversion.progress import Heartbeat, working


class Clock:
    """Shows the time that it is told."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def heard():
    """What the command line logs."""
    lines = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    progress.logger.addHandler(handler)
    progress.logger.setLevel(logging.INFO)
    yield lines
    progress.logger.removeHandler(handler)
    progress.logger.setLevel(logging.NOTSET)


def test_a_line_a_minute(heard):
    "The stage, how much of it is done, and the time that is left."
    clock = Clock()
    beat = Heartbeat(clock)
    for _ in range(59):  # nothing is said of what does not begin
        clock.now += 2
        beat.beat()
    beat.start("training", 0, "epoch")
    for _ in range(59):  # nor of what has no steps
        clock.now += 2
        beat.beat()
    beat.start("training", 8, "epoch")
    for _ in range(240):
        clock.now += 1
        if clock.now % 50 == 0:
            beat.advance("seed 0")
        beat.beat()
    assert [line for line in heard if "training" not in line] == []
    assert heard[:2] == ["training: 0 of 8, ? left", "training: 1 of 8, 7.1 min left"]
    assert 4 <= len(heard) <= 5


def test_nothing_shorter_than_a_minute_is_told(heard):
    "However many stages and steps there are."
    clock = Clock()
    beat = Heartbeat(clock)
    for stage in ("building", "reading", "training"):
        beat.start(stage, 3, "step")
        for _ in range(3):
            clock.now += 6.6
            beat.advance()
            beat.beat()
    assert heard == []


def test_the_minute_goes_by_while_a_step_takes_longer(heard, monkeypatch):
    "It is looked at by a thread."
    monkeypatch.setattr(progress, "_MINUTE", 0.0)
    with working() as shown:
        shown.start("building", 5, "feature")
        for _ in range(300):
            if heard:
                break
            time.sleep(0.02)
    assert heard[0].startswith("building: 0 of 5")


def test_bars_have_the_name_of_their_stage(run):
    "On a terminal."
    fcntl, pty, termios = map(pytest.importorskip, ("fcntl", "pty", "termios"))
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 24, 100, 0, 0))
    command = [sys.executable, "-m", "glacier_inversion", "build-dataset"]
    process = subprocess.Popen(
        [*command, run.file, "--workspace", run.root, "--jobs", "1"],
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 4096):
            shown += part
    except OSError:  # Linux's word for the end
        pass
    os.close(ours)
    assert process.wait() == 0
    assert re.search(rb"building: +\d+%.*\| \d/5 ", shown)
