"""Signals at random moments: no process stays, nothing is lost, the bytes are the same."""

import signal
import sys

import pytest

from tests.stages import COMMANDS, kept

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="forks, and reads /proc"),
]
N_KILLS, N_IN_A_ROW = 50, 10
SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_may_be_killed_at_any_moment(stages, tmp_path, command):
    "SIGKILL, which nobody hears; the next run removes what it left, and goes on."
    stage, root = stages[command], tmp_path / "here"
    stage.restore(root)
    before = kept(root)
    n_killed = 0
    for n, moment in enumerate(stage.moments(command, N_KILLS), 1):
        ended = stage.stop(root, moment, signal.SIGKILL)
        assert ended.returncode in (0, -signal.SIGKILL), ended.stderr
        n_killed += ended.returncode != 0
        stage.check_whole(root, before)
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
        for moment in stage.moments(f"{command}{number}", 5):
            ended = stage.stop(root, moment, number)
            assert ended.returncode in (0, code), ended.stderr
            assert "Traceback" not in ended.stderr
            assert ("stopped" in ended.stderr) == (ended.returncode == code)
            assert not [name for name in kept(root) if ".part" in name]
            stage.check_whole(root, before)
        stage.check_done(root)
        stage.restore(root)
