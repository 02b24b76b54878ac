"""Tasks of one command in processes of its own: none is lost, and nothing that they say."""

import logging
import sys

import pytest

from glacier_inversion.errors import RasterError
from glacier_inversion.sharing import side_by_side
from glacier_inversion.sharing.side_by_side import do_side_by_side
from tests.sharing.helpers import done, killed, n_threads_of, square_beside, unlucky


@pytest.mark.parametrize(
    ("n_tasks", "jobs", "each"), [(5, 2, 4), (2, 16, 4), (9, 9, 1)]
)
def test_each_process_has_its_share_of_the_cores(monkeypatch, n_tasks, jobs, each):
    "As many processes as there are tasks, at most."
    monkeypatch.setattr(side_by_side, "available_cores", lambda: 8)
    asked = []

    def do(work, given, tasks, n_processes):
        asked.append(given[3])
        return (yield from [(task, (work(*given, task)[0], [])) for task in tasks])

    monkeypatch.setattr(side_by_side, "each", do)
    results = dict(do_side_by_side(n_threads_of, None, list(range(n_tasks)), jobs))
    assert set(results.values()) == {each} == set(asked)


def test_results_and_what_is_logged(tmp_path, caplog):
    "At the level of this process."
    caplog.set_level(logging.INFO, "glacier_inversion")
    tasks = [3, 1, 2]
    results = dict(do_side_by_side(square_beside, tmp_path, tasks, 2))
    assert results == {n: {"square": n**2} for n in tasks}
    assert done(tmp_path) == dict.fromkeys(tasks, 1)
    assert sorted(caplog.messages) == ["done: 1", "done: 2", "done: 3"]


def test_what_a_task_raises_is_raised(tmp_path):
    with pytest.raises(RasterError, match="7: is unlucky"):
        list(do_side_by_side(unlucky_beside, tmp_path, [7], 2))


@pytest.mark.skipif(sys.platform == "win32", reason="signals are Unix's")
def test_a_task_whose_process_dies_is_tried_once_more(tmp_path, caplog):
    "Then it is told how the process ended; the others are done."
    results = dict(do_side_by_side(killed_beside, tmp_path, [12, 13, 14, 15], 2))
    lost = results.pop(13)
    assert lost.startswith("each of the 2 processes that worked at it")
    assert {n: own["square"] for n, own in results.items()} == {
        12: 144,
        14: 196,
        15: 225,
    }
    assert done(tmp_path) == {12: 1, 13: 2, 14: 1, 15: 2}
    assert caplog.text.count("13: its process was lost (signal 9)") == 2
    assert caplog.text.count("15: its process was lost (signal 9)") == 1


def unlucky_beside(folder, n_threads, number):
    "Refuse a task."
    return unlucky(folder, number)


def killed_beside(folder, n_threads, number):
    "Do a task, as `killed` does."
    return killed(folder, number)
