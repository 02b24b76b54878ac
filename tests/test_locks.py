"""Locks: one alone, or several together, and never both."""

import errno
import os
import re
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


@pytest.mark.parametrize("is_held", [True, False])
def test_a_file_of_another_user(tmp_path, monkeypatch, is_held):
    "It is looked at; to wait for it would be to wait for ever."
    folder = tmp_path / "model"
    owner = Lock(lock_of(folder))
    assert owner.try_alone()
    if not is_held:
        owner.release()
    real = os.open

    def refuse(path, flags, *rest):
        if flags & os.O_RDWR:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return real(path, flags, *rest)

    monkeypatch.setattr(os, "open", refuse)
    assert is_locked(folder) == is_held
    for hold in (Lock(lock_of(folder)).try_alone, Lock(lock_of(folder)).try_shared):
        with pytest.raises(
            WorkspaceError, match=r"lock: cannot be written \(Permission"
        ):
            hold()
    owner.release()


def test_a_disk_without_locks(tmp_path, monkeypatch, recwarn):
    "Who works alone does so in silence; several cannot. What is held cannot be told."

    def fail(file, how):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr("fcntl.flock", fail)
    with locked(tmp_path / "model", "training"):
        pass
    assert not recwarn.list
    with pytest.raises(WorkspaceError, match="the file system knows no locks"):
        Lock(lock_of(tmp_path / "model")).try_shared()
    assert not is_locked(tmp_path / "model")


def test_who_works_alone_forgets_what_others_shared(tmp_path):
    "It does all of it."
    mark = shared_work_of(tmp_path / "model") / "job.json"
    write_bytes(mark, b"{}")
    with working_in(tmp_path / "model", "training"):
        assert not mark.parent.exists()


def lowest_unused():
    """Return the number that the next open file gets."""
    file = os.open(os.devnull, os.O_RDONLY)
    os.close(file)
    return file


def test_what_is_not_held_is_not_left_open(tmp_path):
    "Who waits for a long time and looks again and again runs out of files else."
    one, two = Lock(tmp_path / "file.lock"), Lock(tmp_path / "file.lock")
    assert one.try_alone()
    before = lowest_unused()
    assert not two.try_alone()
    assert not two.try_shared()
    assert lowest_unused() == before


@pytest.mark.parametrize("is_made_anew", [False, True])
def test_what_is_removed_meanwhile_is_not_held(tmp_path, monkeypatch, is_made_anew):
    "Else two hold what has one name; whoever tries again holds what is there."
    fcntl = pytest.importorskip("fcntl")
    flock = fcntl.flock
    path = tmp_path / "file.lock"

    def come_late(file, how):
        path.unlink()
        if is_made_anew:
            path.touch()
        flock(file, how)

    lock, before = Lock(path), lowest_unused()
    with monkeypatch.context() as patched:
        patched.setattr(fcntl, "flock", come_late)
        assert lock.try_alone() is False
    assert lowest_unused() == before
    assert lock.try_alone()
    assert not Lock(path).try_alone()
    lock.release()


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.ENOSYS, "the file system knows no locks"),
        (errno.ENOTSUP, "the file system knows no locks"),
        (errno.ENOLCK, "the file system knows no locks"),
        (errno.EIO, "cannot be written"),
    ],
)
def test_a_file_system_that_knows_no_locks_is_said(tmp_path, monkeypatch, number, says):
    "Other errors are not taken for that; nor is either for a lock of somebody else."
    fcntl = pytest.importorskip("fcntl")

    def flock(file, how):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    before = lowest_unused()
    message = rf"file\.lock: {says} \({re.escape(os.strerror(number))}\)"
    with pytest.raises(WorkspaceError, match=message):
        Lock(tmp_path / "file.lock").try_shared()
    assert lowest_unused() == before


def test_what_is_appended_may_take_several_writes(tmp_path, monkeypatch):
    "A system writes as many bytes of it as it likes; none is lost in between."
    lock, write = Lock(tmp_path / "file.lock"), os.write
    lock.path.write_bytes(b"01")
    assert lock.try_alone()
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", lambda file, content: write(file, content[:3]))
        lock.append(b"23456789")
    assert lock.read() == b"0123456789"
    lock.release()


def test_a_folder_in_which_nothing_was_written_does_not_stay(tmp_path):
    "But one that was there before."
    (tmp_path / "old").mkdir()
    for name in ("new", "old"):
        with pytest.raises(ZeroDivisionError), working_in(tmp_path / name, "filling"):
            assert 1 // 0
    assert not (tmp_path / "new").exists()
    assert (tmp_path / "old").exists()
