"""Signals at random moments: no process stays, nothing is lost, the bytes are the same."""

import signal
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

from tests.stages import COMMANDS, kept, make_stages

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="forks, and reads /proc"),
]
N_KILLS, N_IN_A_ROW = 24, 6
SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
# whole, but of a moment: of an epoch, and of an evaluation before its calibration
UNDER_WAY = {"best.safetensors", "log.csv", "checkpoint.pt", "training_curves.png"}
UNDER_WAY |= {"metrics.csv", "metrics.json"}


@pytest.fixture(scope="module")
def stages(tmp_path_factory):
    warm, made = make_stages(tmp_path_factory.mktemp("stages"))
    yield made
    warm.close()


def moments(stage, name, n):
    """Return random moments of a command, the last ones after its end."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    return rng.uniform(0, 1.05 * stage.seconds, n)


def check_whole(root, stage, before):
    """Check that each file is that of before, or that of after; data are untouched."""
    now = kept(root)
    for name, content in now.items():
        if Path(name).name not in UNDER_WAY and ".part" not in name:
            assert content in (before.get(name), stage.after.get(name)), name
    data = {name for name in before if name.startswith("data/") or "/" not in name}
    assert {name: now.get(name) for name in data} == {n: before[n] for n in data}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_may_be_killed_at_any_moment(stages, tmp_path, command):
    "SIGKILL, which nobody hears; the next run removes what it left, and goes on."
    stage, root = stages[command], tmp_path / "here"
    stage.restore(root)
    before = kept(root)
    n_killed = 0
    for n, moment in enumerate(moments(stage, command, N_KILLS), 1):
        ended = stage.stop(root, moment, signal.SIGKILL)
        assert ended.returncode in (0, -signal.SIGKILL), ended.stderr
        n_killed += ended.returncode != 0
        check_whole(root, stage, before)
        if n % N_IN_A_ROW == 0:
            stage.check_done(root)
            stage.restore(root)
    assert n_killed > N_KILLS / 4


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_may_be_stopped_at_any_moment(stages, tmp_path, command):
    "With a line, and the signal's exit code; nothing half-written stays."
    stage, root = stages[command], tmp_path / "here"
    stage.restore(root)
    before = kept(root)
    for number, code in SIGNALS.items():
        for moment in moments(stage, f"{command}{number}", 5):
            ended = stage.stop(root, moment, number)
            assert ended.returncode in (0, code), ended.stderr
            assert "Traceback" not in ended.stderr
            assert ("stopped" in ended.stderr) == (ended.returncode == code)
            assert not [name for name in kept(root) if ".part" in name]
            check_whole(root, stage, before)
        stage.check_done(root)
        stage.restore(root)
