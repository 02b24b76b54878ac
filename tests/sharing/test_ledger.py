"""What a task's file tells, however its writers ended."""

import sys
import threading

import pytest

from glacier_inversion.locks import Lock
from glacier_inversion.sharing.ledger import Entry, Ledger

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="flock is Unix's")


def test_a_task_is_tried_and_done(tmp_path):
    "By who holds it; NaN and text come back as they were."
    ledger = Ledger(tmp_path / "deep" / "task.lock")
    assert not ledger.is_held()
    assert ledger.read() == Entry(0, None)
    assert list(tmp_path.iterdir()) == []
    with ledger.held() as is_ours:
        assert is_ours
        other = Ledger(tmp_path / "deep" / "task.lock")
        assert other.is_held()
        with other.held() as is_others:
            assert not is_others
        ledger.note_begin()
        ledger.note_begin()
        ledger.take_back()
        assert other.read() == Entry(1, None)
        ledger.note_result({"name": "Glacier d'Arolla\n", "area": 0.1})
    assert not ledger.is_held()
    assert ledger.read() == Entry(1, {"name": "Glacier d'Arolla\n", "area": 0.1})


def test_who_only_looks_keeps_nobody_from_a_task(tmp_path):
    "As 'ginv train --status' does; else nobody would do it, or finish."
    path = tmp_path / "task.lock"
    looking = Lock(path)
    assert looking.try_alone()
    threading.Timer(0.01, looking.release).start()
    with Ledger(path).held() as is_ours:
        assert is_ours


@pytest.mark.parametrize("left", [b"tri", b'\nresult {"square": ', b"\nresult"])
def test_a_line_that_its_writer_was_killed_at_is_none(tmp_path, left):
    "And the next one stands by itself."
    path = tmp_path / "task.lock"
    path.write_bytes(b"\ntried\n" + left)
    ledger = Ledger(path)
    assert ledger.read() == Entry(1, None)
    with ledger.held():
        ledger.note_begin()
        ledger.note_result({"square": 9})
    assert ledger.read() == Entry(2, {"square": 9})
