"""What a process knows of the others of its machine."""

import os
import socket
import sys

import pytest

from glacier_inversion.locks import Lock, shared_work_of
from glacier_inversion.sharing import attempts
from glacier_inversion.sharing.attempts import Place, once, share_of_cores
from glacier_inversion.workspace import shared_file

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="flock is Unix's")


@pytest.mark.parametrize(
    ("whose", "expected"),
    # of the 12 cores of the machine, 5 for each that has its own
    [(["b", "c", "d"], [5, 5, 4, 3]), (["a", "b", "a"], [5, 2, 2, 1])],
)
def test_cores_are_divided_among_the_processes_of_a_machine(
    tmp_path, monkeypatch, whose, expected
):
    "Those that live; and those that may use the same divide that."
    monkeypatch.setattr(attempts, "whose_cores", lambda: "a")
    monkeypatch.setattr(os, "cpu_count", lambda: 12)
    monkeypatch.setattr(attempts, "available_cores", lambda: 5)
    place = Place(tmp_path / "here", "token", 20)
    attempts.write_job(place.folder, {"key": "", "token": "token", "finished": False})
    folder = shared_work_of(place.folder) / "processes"
    here = socket.gethostname()
    others = [
        Lock(shared_file(folder, f"{here}.{cores}.{n}"))
        for n, cores in enumerate(whose, 1)
    ]
    elsewhere = Lock(shared_file(folder, "elsewhere.a.1"))
    assert elsewhere.try_shared()
    shares = []
    for other in (None, *others):
        assert other is None or other.try_shared()
        with place.present():
            shares.append(share_of_cores())
    for other in (elsewhere, *others):
        other.release()
    with place.present():
        assert share_of_cores() == 5
    assert shares == expected


@pytest.mark.parametrize("is_one_of_several", [True, False])
def test_to_open_what_tasks_need_is_no_try(tmp_path, monkeypatch, is_one_of_several):
    "But for the workers of a scheduler, which would take it up for ever."
    monkeypatch.setattr(attempts, "is_one_of_several", lambda: is_one_of_several)
    monkeypatch.setattr(attempts._Here, "opened", {})
    place = Place(tmp_path / "here", "token", 20)
    attempts.write_job(place.folder, {"key": "", "token": "token", "finished": False})
    tries = []

    def look():
        tries.append(place.ledger("task").read().n_tried)

    def work(given, what):
        once("key", look)
        look()
        return {}

    def fail(given, what):
        once("another", lambda: 1 // 0)

    with pytest.raises(ZeroDivisionError):
        attempts.attempt(place, fail, None, ("task", None))
    attempts.attempt(place, work, None, ("task", None))
    assert tries == [1 - is_one_of_several, 1]
    assert place.ledger("task").read().result == {}


def test_what_tasks_need_is_opened_once():
    "For those of one job that follow one another."
    opened = []

    def make():
        opened.append(len(opened))
        return opened[-1]

    assert [once(key, make) for key in "aabba"] == [0, 0, 1, 1, 2]
