"""Tasks of processes: in runs, and as many processes as are worth their start."""

import time

import pytest

from glacier_inversion.sharing.task_shares import Pace, Shares


def test_tasks_are_shared_out_in_runs():
    "Each process goes on where it is; who has done its own has half of another's."
    shares = Shares(range(12))
    taken = {name: [] for name in "abc"}
    for name in "aaabcabcabca":
        taken[name].append(shares.take(name))
    assert taken == {"a": [0, 1, 2, 3, 4, 10], "b": [7, 8, 9], "c": [5, 6, 11]}
    assert not shares


@pytest.mark.parametrize(
    ("n_done", "n_left", "n"),
    # a start takes 2 s, ten seconds of work have been done
    [(100, 1, 1), (100, 79, 1), (100, 80, 2), (100, 400, 10), (0, 1, 2), (1, 2, 5)],
)
def test_as_many_processes_as_are_worth_their_start(monkeypatch, n_done, n_left, n):
    "Each would work for twice as long; of what is not known yet, what it takes so far."
    now = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    pace = Pace()
    assert pace.n_worthwhile(10**6) == 1
    pace.note_start("first", now[0])
    now[0] = 102.0
    pace.note_ready("first")
    now[0] = 112.0
    for _ in range(n_done):
        pace.note_done()
    assert pace.n_worthwhile(n_left) == n


def test_what_is_opened_counts_as_start_and_who_is_lost_no_longer(monkeypatch):
    "Nor is another process worth it before it is known how long that takes."
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    pace = Pace()
    pace.note_start("first", now[0])
    now[0] = 2.0
    pace.note_ready("first")
    pace.note_start("first", now[0])
    now[0] = 20.0
    assert pace.n_worthwhile(10**6) == 1
    pace.note_ready("first")
    pace.note_start("second", now[0])
    now[0] = 25.0
    pace.note_done()
    assert pace.n_worthwhile(8) == 1  # 40 seconds of work, of a start of 20
    assert pace.n_worthwhile(16) == 2
    pace.note_lost("first")
    pace.note_lost("second")
    now[0] = 1000.0
    assert pace.n_worthwhile(16) == 2


def test_who_dies_as_it_begins_tells_nothing(monkeypatch):
    "The next one has to open the same, which takes as long."
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    pace = Pace()
    pace.note_start("first", now[0])
    now[0] = 1.0
    pace.note_ready("first")
    pace.note_start("first", now[0])
    pace.note_lost("first")
    assert pace.n_worthwhile(10**6) == 1
    pace.note_start("second", now[0])
    now[0] = 21.0
    pace.note_ready("second")
    now[0] = 26.0
    pace.note_done()
    assert pace.n_worthwhile(8) == 1  # 40 seconds of work, of a start of 20
