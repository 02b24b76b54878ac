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


def test_cores_are_divided_among_the_processes_of_a_machine(tmp_path, monkeypatch):
    "Those that live; and no more than this process may use."
    monkeypatch.setattr(os, "cpu_count", lambda: 12)
    monkeypatch.setattr(attempts, "available_cores", lambda: 5)
    place = Place(tmp_path / "here", "token", 20)
    attempts.write_job(place.folder, {"key": "", "token": "token", "finished": False})
    folder = shared_work_of(place.folder) / "processes"
    here = socket.gethostname()
    others = [Lock(shared_file(folder, f"{here}.{n}")) for n in (1, 2)]
    others.append(Lock(shared_file(folder, "elsewhere.1")))
    shares = []
    for n_held in (0, 1, 2, 3):
        if n_held:
            assert others[n_held - 1].try_shared()
        with place.present():
            shares.append(share_of_cores())
    for other in others:
        other.release()
    with place.present():
        shares.append(share_of_cores())
    assert shares == [5, 5, 4, 4, 5]  # of 12: for 1, 2 and 3 processes


def test_what_tasks_need_is_opened_once():
    "For those of one job that follow one another."
    opened = []

    def make():
        opened.append(len(opened))
        return opened[-1]

    assert [once(key, make) for key in "aabba"] == [0, 0, 1, 1, 2]
