"""Tasks of one command in processes of its own: none is lost, and nothing that they say."""

import logging
import sys

import pytest

from glacier_inversion.errors import RasterError
from glacier_inversion.sharing import task_shares
from glacier_inversion.sharing.side_by_side import do_side_by_side
from tests.processes import refuse_processes
from tests.sharing.helpers import done, killed, share_of_eight, square, unlucky


@pytest.mark.parametrize(
    ("n_tasks", "jobs", "cores"),
    [(4, 3, [2, 2, 4, 8]), (2, 16, [4, 8]), (1, 16, [8]), (3, 1, [8, 8, 8])],
)
def test_each_process_has_its_share_of_the_cores(n_tasks, jobs, cores):
    "Of as many as there are tasks, at most: who does the last one has all of them."
    results = dict(do_side_by_side(share_of_eight, None, range(n_tasks), jobs))
    assert [own["cores"] for own in results.values()] == cores


def test_the_share_of_a_process_that_is_missed_goes_to_the_others(monkeypatch, caplog):
    "From the next task on."
    monkeypatch.setattr(task_shares, "_WORTHWHILE", 1e-6)
    refuse_processes(monkeypatch, lambda number: number == 2)
    results = dict(do_side_by_side(share_of_eight, None, range(4), 2))
    assert "work goes on with 1" in caplog.text
    assert [own["cores"] for own in results.values()] == [4, 8, 8, 8]


def test_results_and_what_is_logged(tmp_path, caplog):
    "At the level of this process."
    caplog.set_level(logging.INFO, "glacier_inversion")
    tasks = [3, 1, 2]
    results = dict(do_side_by_side(square, tmp_path, tasks, 2))
    assert results == {n: {"square": n**2} for n in tasks}
    assert done(tmp_path) == dict.fromkeys(tasks, 1)
    assert sorted(caplog.messages) == ["done: 1", "done: 2", "done: 3"]


def test_what_a_task_raises_is_raised(tmp_path):
    with pytest.raises(RasterError, match="7: is unlucky"):
        list(do_side_by_side(unlucky, tmp_path, [7], 2))


@pytest.mark.skipif(sys.platform == "win32", reason="signals are Unix's")
def test_a_task_whose_process_dies_is_tried_once_more(tmp_path, caplog):
    "Then it is told how the process ended; the others are done."
    results = dict(do_side_by_side(killed, tmp_path, [12, 13, 14, 15], 2))
    assert str(results.pop(13)) == "signal 9"
    assert {n: own["square"] for n, own in results.items()} == {
        12: 144,
        14: 196,
        15: 225,
    }
    assert done(tmp_path) == {12: 1, 13: 2, 14: 1, 15: 2}
    assert caplog.text.count("13: its process was lost (signal 9)") == 2
    assert caplog.text.count("15: its process was lost (signal 9)") == 1
