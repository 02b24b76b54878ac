"""Locks: one alone, or several together, and never both."""

import sys

import pytest

from glacier_inversion.errors import WorkspaceError
from glacier_inversion.files import write_bytes
from glacier_inversion.locks import (
    Lock,
    is_locked,
    lock_of,
    locked,
    shared_work_of,
    working_in,
)
from tests.processes import run_code

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="flock is Unix's")


def test_a_folder_is_held_by_several_or_by_one_alone(tmp_path):
    "Who holds it alone as other commands do, too."
    folder = tmp_path / "deep" / "model"
    one, two = Lock(lock_of(folder)), Lock(lock_of(folder))
    assert one.try_shared()
    assert two.try_shared()
    assert is_locked(folder)
    assert not one.try_alone()  # and lets go of its share
    with (
        pytest.raises(WorkspaceError, match="model: another command is training it"),
        locked(folder, "training"),
    ):
        pass
    assert two.try_alone()
    assert not one.try_shared()
    two.release()
    with locked(folder, "training"):
        assert not one.try_shared()
        assert not one.try_alone()
    assert one.try_alone()
    assert one.try_shared()
    assert two.try_shared()
    one.release()
    two.release()
    assert not is_locked(folder)


def test_another_process_sees_what_is_held(tmp_path):
    "And holds nothing once it has ended."
    path = tmp_path / "file.lock"
    lock = Lock(path)
    code = (
        "from pathlib import Path; from glacier_inversion.locks import Lock; "
        f"lock = Lock(Path({str(path)!r})); print(lock.try_alone(), lock.try_shared())"
    )
    assert lock.try_alone()
    assert run_code(code).stdout.split() == ["False", "False"]
    assert lock.try_shared()
    assert run_code(code).stdout.split() == ["False", "True"]
    lock.release()
    assert run_code(code).stdout.split() == ["True", "True"]
    assert lock.try_alone()
    lock.release()


def test_nothing_is_held_through_a_link(linked):
    "Neither the file nor the folder that it is in."
    with pytest.raises(WorkspaceError, match="link"):
        Lock(linked / "file.lock").try_alone()
    (linked.parent / "file.lock").symlink_to(linked.parent.parent / "theirs" / "file")
    with pytest.raises(WorkspaceError, match=r"file\.lock: cannot be"):
        Lock(linked.parent / "file.lock").try_shared()


def test_who_works_alone_forgets_what_others_shared(tmp_path):
    "Unless it brings their job to an end."
    mark = shared_work_of(tmp_path / "model") / "job.json"
    write_bytes(mark, b"{}")
    with working_in(tmp_path / "model", "training", of_job=True):
        assert mark.exists()
    with working_in(tmp_path / "model", "training"):
        assert not mark.parent.exists()
