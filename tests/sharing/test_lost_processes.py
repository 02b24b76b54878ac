"""Processes that are lost: the user is told, and what is left of the work goes on."""

import pytest

from glacier_inversion.errors import GlacierInversionError
from glacier_inversion.sharing.lost_processes import (
    ProcessLostError,
    go_on_without,
    needing_processes,
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
    assert message.startswith(f"{tmp_path}: {HOW}. Must have memory for one process ")
    assert message.endswith("or use fewer --jobs, and run it again.")
    assert ("What was made is kept. " in message) == keeps


def test_others_go_on_where_there_are_others(caplog):
    "As it is said; without any, it is an error."
    go_on_without(ProcessLostError(HOW), 3)
    assert f"{HOW}: work goes on with 3" in caplog.text
    with pytest.raises(ProcessLostError):
        go_on_without(ProcessLostError(HOW), 0)
