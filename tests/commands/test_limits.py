"""What the system must allow before a command begins."""

import sys

import pytest

from tests.processes import ginv

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sets limits")


@pytest.mark.parametrize("command", ["check", "draw"])
def test_a_system_that_allows_hardly_any_open_files(finished, command):
    "Said as it is, where libraries would call files missing or the disk full."
    limits = "ulimit -n 14;"
    code, out, err = ginv(finished, command, limits=limits)
    assert (code, out) == (1, "")
    assert err == (
        "Error: the system: allows 14 open files. Must be 32 at least, and more with "
        "several --jobs. Allow more, as 'ulimit -n 1024' does.\n"
    )
