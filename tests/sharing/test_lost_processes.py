"""Processes that are lost: the user is told, and what is left of the work goes on."""

import logging

import pytest

from glacier_inversion.errors import GlacierInversionError
from glacier_inversion.sharing.lost_processes import (
    ProcessLostError,
    go_on_without,
    needing_processes,
    setting_lost_aside,
)

HOW = "a process could not begin (no room)"


@pytest.mark.parametrize("keeps", [True, False])
def test_where_no_process_is_left_there_is_one_message(tmp_path, keeps):
    "It says where, what is allowed, what to do, and what is kept only if that is so."
    with (
        pytest.raises(GlacierInversionError) as raised,
        needing_processes(tmp_path, keeps),
    ):
        raise ProcessLostError(HOW)
    message = str(raised.value)
    assert message.startswith(f"{tmp_path}: {HOW}, perhaps for want of memory. Must ")
    assert message.endswith("Run it again, with fewer --jobs.")
    assert ("What was made is kept. " in message) == keeps


def test_others_go_on_where_there_are_others(caplog):
    go_on_without(ProcessLostError(HOW), 3)
    assert f"{HOW}, perhaps for want of memory: work goes on with 3" in caplog.text
    with pytest.raises(ProcessLostError):
        go_on_without(ProcessLostError(HOW), 0)


def test_tasks_whose_process_was_lost_are_set_aside(caplog):
    "The others are yielded, and what does them is closed with what takes them."
    closed = []

    def do():
        try:
            yield "a", 1
            yield "b", ProcessLostError("signal 9")
            yield "c", 3
        finally:
            closed.append(True)

    caplog.set_level(logging.WARNING)
    lost = []
    doing = setting_lost_aside(do(), lost, str.upper)
    assert [next(doing), next(doing)] == [("a", 1), ("c", 3)]
    doing.close()
    assert lost == ["b"]
    assert closed == [True]
    assert caplog.messages == ["B: its process was lost (signal 9)"]
