"""Files that are whole or not there, in the workspace and nowhere else."""

import errno
import io
import os
import re
import shutil
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from glacier_inversion.errors import WorkspaceError
from glacier_inversion.files import (
    FULL,
    append_bytes,
    is_full,
    is_scratch,
    making_folder,
    move,
    refuse_links,
    remove,
    remove_if_empty,
    replacing,
    replacing_all,
    scratch_of,
    unwritable,
    write_all,
    write_bytes,
)
from glacier_inversion.locks import is_locked, locked, working_in
from glacier_inversion.sharing.executors import each
from glacier_inversion.sharing.lost_processes import ProcessLostError
from tests.helpers import Run, read_all
from tests.processes import (
    AS_NOBODY,
    hand_over,
    killed_in_writing,
    run_code,
    run_command,
)


def test_nothing_is_written_or_removed_through_a_link(linked):
    "However deep below it, and whether the folder is there or not; the link is named."
    before = read_all(linked)
    pattern = rf"^{linked}: is a link to .*/theirs\. Must be in the workspace itself"
    for path in (linked / "file", linked / "a" / "file", linked / "new" / "file"):
        with pytest.raises(WorkspaceError, match=pattern):
            write_bytes(path, b"ours")
        with pytest.raises(WorkspaceError, match=pattern), making_folder(path):
            pass
    for path in (linked, linked / "file", linked / "a"):
        with pytest.raises(WorkspaceError, match=pattern):
            remove(path)
        with pytest.raises(WorkspaceError, match=pattern), locked(path, "reading"):
            pass
    assert read_all(linked) == before
    assert linked.is_symlink()
    assert not (linked / "new").exists()


def test_a_link_in_the_place_of_a_file_is_replaced_not_followed(tmp_path):
    "The file itself, what it is called while it is written, and its lock."
    theirs = tmp_path / "theirs"
    theirs.write_text("theirs")
    path = tmp_path / "place" / "file.txt"
    path.parent.mkdir()
    for name in ("file.txt", ".file.part.txt"):
        (path.parent / name).symlink_to(theirs)
    with replacing(path) as scratch, scratch.open("w") as file:
        file.write("ours")
    assert (path.read_text(), path.is_symlink()) == ("ours", False)
    (path.parent / ".m.lock").symlink_to(theirs)
    with (
        pytest.raises(WorkspaceError, match=r"\.m\.lock: is a link to"),
        locked(path.parent / "m", "reading"),
    ):
        pass
    assert theirs.read_text() == "theirs"
    assert sorted(p.name for p in path.parent.iterdir()) == [".m.lock", "file.txt"]


def test_files_that_belong_together_appear_together(tmp_path):
    "None does if the block fails, or if something is in the way of one of them."
    paths = [tmp_path / "a" / "1.txt", tmp_path / "a" / "2.txt"]
    write_all(dict.fromkeys(paths, b"old"))
    before = read_all(tmp_path)

    def fill_the_disk():
        with replacing_all(paths) as scratches:
            scratches[0].write_bytes(b"new")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(WorkspaceError, match=r"2\.txt: cannot be written .No space"):
        fill_the_disk()
    assert read_all(tmp_path) == before
    paths[1].unlink()
    paths[1].mkdir()
    with (
        pytest.raises(WorkspaceError, match=r"2\.txt: cannot be written .Is a dir"),
        replacing_all(paths),
    ):
        raise AssertionError
    assert read_all(tmp_path) == {"a/1.txt": b"old"}


def test_of_links_in_links_the_first_is_named(linked, tmp_path):
    "And a path that leads elsewhere without one is refused, too."
    inner = tmp_path / "theirs" / "a" / "inner"
    inner.symlink_to(tmp_path / "place", target_is_directory=True)
    with pytest.raises(WorkspaceError, match=f"^{linked}: is a link to"):
        refuse_links(linked / "a" / "inner" / "file")
    with pytest.raises(WorkspaceError, match="Must be in the workspace itself"):
        refuse_links(tmp_path / "place" / ".." / "theirs")
    refuse_links(tmp_path / "theirs" / "new" / "file")


def test_a_scratch_file_is_known_by_its_name(tmp_path):
    "It lies beside the file, so that renaming it moves no bytes."
    assert scratch_of(tmp_path / "a.b.tif") == tmp_path / ".a.b.part.tif"
    assert is_scratch(scratch_of(tmp_path / "tile.tif"))
    for name in ("tile.tif", ".tile.tif", "tile.part.tif", ".tile.part"):
        assert not is_scratch(tmp_path / name)


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    "What a killed run left of it goes first; what is in its place stays."
    path = tmp_path / "new" / "a"
    write_bytes(scratch_of(path) / "left", b"")
    with making_folder(path) as scratch:
        assert not path.exists()
        assert list(scratch.iterdir()) == []
        (scratch / "file").write_bytes(b"ours")

    def fail(error):
        with making_folder(path.with_name("b")) as scratch:
            (scratch / "file").write_bytes(b"half")
            raise error

    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with pytest.raises(WorkspaceError, match=r"new/b: cannot be written .No space"):
        fail(full)
    with pytest.raises(WorkspaceError, match=r"^as it says"):
        fail(WorkspaceError("as it says"))
    with pytest.raises(ZeroDivisionError):
        fail(ZeroDivisionError)
    with (
        pytest.raises(WorkspaceError, match=r"a: cannot be written .Dir.* not empty"),
        making_folder(path),
    ):
        pass
    assert [part.name for part in (tmp_path / "new").iterdir()] == ["a"]
    assert read_all(tmp_path) == {"new/a/file": b"ours"}
    with making_folder(tmp_path / "deep" / "er" / "c"):
        pass
    assert (tmp_path / "deep" / "er" / "c").is_dir()


def caused(cause):
    """Return an error as libraries raise it from their own."""
    error = ValueError("failed")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "n_free", "n_bytes", "reason"),
    [
        (OSError(errno.EACCES, "what it says itself"), 0, 0, "Permission denied"),
        (OSError(errno.ENOSPC, ""), 2**30, 0, "No space left on device"),
        ("a library fails", 2**20, 0, "a library fails"),
        ("a library fails", 2**20 - 1, 0, "No space left on device"),
        ("a library fails", 2**20 - 1, 1, "No space left on device"),
        (ValueError("fails"), 2**21, 2**21, "fails"),
        (ValueError("fails"), 2**21 - 1, 2**21, "No space left on device"),
        (caused(ValueError("this is why")), 2**21, 0, "this is why"),
    ],
)
def test_a_library_that_fails_on_a_full_disk_is_not_believed(
    tmp_path, monkeypatch, error, n_free, n_bytes, reason
):
    "Nor is a disk asked where the system has said what is wrong."

    def disk_usage(folder):
        assert folder == tmp_path
        return SimpleNamespace(free=n_free)

    monkeypatch.setattr(shutil, "disk_usage", disk_usage)
    failure = unwritable(tmp_path / "file", error, n_bytes)
    assert str(failure).startswith(f"{tmp_path / 'file'}: cannot be written ({reason})")
    assert is_full(failure) == reason.startswith("No space")


def test_a_file_system_is_full_by_quota_and_limit_too(tmp_path):
    "And the disk of a folder that is not there cannot be asked."
    for number in FULL:
        assert is_full(unwritable(tmp_path / "file", OSError(number, "")))
    failure = unwritable(tmp_path / "no" / "file", "a library fails")
    assert "(a library fails)" in str(failure)
    assert failure.errno is None


def test_a_folder_that_is_gone_is_no_full_disk(tmp_path):
    "It is to be run again; there is no space to be freed."
    error = FileNotFoundError(errno.ENOENT, "")
    said = str(unwritable(tmp_path / "a" / "file", error))
    assert said.startswith(f"{tmp_path / 'a' / 'file'}: cannot be written (No such ")
    assert ". Must be in a folder that is there and stays. Run it again if" in said
    assert said.endswith(" meanwhile, or choose another workspace.")
    assert "space with" not in said
    assert "Free" not in said


def test_bytes_are_appended_all_or_none(tmp_path, linked):
    "None of them appears later, when there is space again."
    resource = pytest.importorskip("resource")
    path = tmp_path / "new" / "deep" / "log"
    append_bytes(path, b"01234")
    append_bytes(path, b"56789")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (15, hard))
    try:
        with pytest.raises(WorkspaceError, match="log: cannot be written") as error:
            append_bytes(path, b"abcdefghij")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert is_full(error.value)
    assert path.read_bytes() == b"0123456789"
    with pytest.raises(WorkspaceError, match="deep: cannot be written"):
        append_bytes(path.parent, b"")
    with pytest.raises(WorkspaceError, match="is a link to"):
        append_bytes(linked / "file", b"ours")
    assert (linked / "file").read_text() == "theirs"


def test_what_is_appended_may_take_several_writes(tmp_path, monkeypatch):
    "A system writes as many bytes of it as it likes; none is lost in between."

    class Slow(io.FileIO):
        def write(self, content):
            return super().write(bytes(content[:3]))

    def open_slowly(path, mode, buffering):
        assert buffering == 0
        return Slow(path, mode)

    path = tmp_path / "log"
    path.write_bytes(b"01")
    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", open_slowly)
        append_bytes(path, b"23456789")
    assert path.read_bytes() == b"0123456789"


def test_a_file_is_moved_through_no_link(tmp_path, linked):
    "Into folders that are made; what is not there cannot be."
    path, to = tmp_path / "a", tmp_path / "new" / "deep" / "b"
    write_bytes(path, b"ours")
    move(path, to)
    assert to.read_bytes() == b"ours"
    assert not path.exists()
    write_bytes(path, b"next")
    move(path, to.with_name("c"))
    for before, after in ((linked / "file", path), (to, linked / "new")):
        with pytest.raises(WorkspaceError, match="is a link to"):
            move(before, after)
    with pytest.raises(WorkspaceError, match=r"d: cannot be written .No such file"):
        move(path, to.with_name("d"))
    assert (linked / "file").exists()


def test_what_is_removed_is_gone_as_far_as_it_was_there(tmp_path, linked):
    "Files and folders; and folders alone that have nothing in them."
    folder, file = tmp_path / "a", tmp_path / "b"
    write_bytes(folder / "deep" / "file", b"")
    write_bytes(file, b"")
    remove_if_empty(folder)
    assert (folder / "deep" / "file").exists()
    remove(folder, file, tmp_path / "missing", linked / "missing")
    assert not folder.exists()
    assert not file.exists()
    folder.mkdir()
    remove_if_empty(folder)
    assert not folder.exists()


def test_a_folder_is_held_by_one_at_a_time(tmp_path, monkeypatch):
    "Who looks whether it is makes nothing, and is not stopped by what is in the way."
    monkeypatch.setattr("glacier_inversion.locks._LONGEST_LOOK", 0.1)
    folder = tmp_path / "new" / "deep"
    assert not is_locked(folder)
    assert list(tmp_path.iterdir()) == []
    with locked(folder, "building"):
        assert folder.is_dir()
        assert is_locked(folder)
        with (
            pytest.raises(WorkspaceError, match="deep: another command is reading it"),
            locked(folder, "reading"),
        ):
            pass
    assert not is_locked(folder)
    with locked(folder, "reading"):
        assert is_locked(folder)
        (folder.parent / ".link.lock").symlink_to(folder.parent / ".deep.lock")
        assert not is_locked(folder.parent / "link")
    (folder.parent / ".odd.lock").mkdir()
    assert not is_locked(folder.parent / "odd")
    write_bytes(folder / "file", b"")
    with (
        pytest.raises(WorkspaceError, match="file: cannot be written"),
        locked(folder / "file", "reading"),
    ):
        pass


def test_what_killed_processes_left_is_removed(linked, tmp_path):
    "Before and after, by who holds the folder; nothing else, and through no link."
    folder, theirs = linked.parent, tmp_path / "theirs"
    theirs.joinpath(".file.part.tif").touch()
    kept = ["part.tif", ".tile.tif", "f/tile.part.tif", "f/g/.tile.part.tif"]
    kept.append(".v1.part.2/file")  # a folder in the making
    for name in kept:
        write_bytes(folder / name, b"")
    before = read_all(tmp_path)
    left = [folder / ".tile.part.tif", folder / "f" / ".tile.part.tif"]

    def leave():
        for path in left:
            path.touch()

    def fail():
        with working_in(folder, "building"):
            assert read_all(tmp_path) == before
            leave()
            raise ZeroDivisionError

    leave()
    with pytest.raises(ZeroDivisionError):
        fail()
    assert read_all(tmp_path) == before


def test_what_is_removed_at_last_may_fail_all_the_same(tmp_path, monkeypatch):
    "Such as a folder that is a disk of its own."

    def rmtree(path):
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), str(path / "disk"))

    (tmp_path / "a").mkdir()
    monkeypatch.setattr(shutil, "rmtree", rmtree)
    with pytest.raises(WorkspaceError, match=r"a/disk: cannot be removed.*\(Dev.*busy"):
        remove(tmp_path / "a")


def test_what_another_one_removes_meanwhile_is_told_by_the_folder(
    tmp_path, monkeypatch
):
    "Which the system names without where it lies, as it goes through the folder."

    def rmtree(path):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "parts")

    (tmp_path / "a").mkdir()
    monkeypatch.setattr(shutil, "rmtree", rmtree)
    with pytest.raises(WorkspaceError, match=re.escape(f"{tmp_path / 'a'}: cannot be")):
        remove(tmp_path / "a")


@pytest.mark.skipif(os.name == "nt", reason="sends signals")
def test_a_process_that_is_killed_while_it_writes_leaves_nothing(tmp_path):
    "Nothing of its own runs then: who asked for its work puts it away."

    with working_in(tmp_path / "here", "building"):
        results = dict(each(killed_in_writing, (tmp_path / "here",), [1, 2], 2))
    assert isinstance(results[1], ProcessLostError)
    assert str(results[1]) == str(results[2]) == "signal 9"
    assert read_all(tmp_path) == {}


def limited(n_bytes: int) -> str:
    """Return code after which no file can grow beyond a size, as on a full disk."""
    pytest.importorskip("resource")
    limits = f"({n_bytes}, {n_bytes})"
    return f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, {limits})"


@pytest.mark.parametrize(
    ("command", "n_bytes", "file"),
    [
        (["build-dataset", "--jobs", "1"], 1500, "slope.tif"),
        (["build-dataset", "--jobs", "2"], 1500, "slope.tif"),
        (["build-dataset", "--jobs", "1"], 8000, "outlines.gpkg"),
        (["train", "--jobs", "1"], 9000, "samples/train/targets"),
        (["train", "--jobs", "1", "--tensorboard"], 50_000, "checkpoint.pt"),
        (["draw"], 1000, "thickness_mean.tif"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else None,
)
def test_a_command_that_cannot_write_ends_with_a_message(
    finished, tmp_path, command, n_bytes, file
):
    "Exit code 1, no traceback; all that was there is there, and nothing half."
    shutil.copytree(finished.root, tmp_path, dirs_exist_ok=True)
    run = Run(tmp_path, tmp_path / "exp.json", finished.raw)
    if command[0] == "build-dataset":
        for path in tmp_path.glob("datasets/region/west/*.tif"):
            path.unlink()
    if command[0] == "train":
        pytest.importorskip("tensorboard")
        for path in tmp_path.glob("models/small/seed_*"):
            shutil.rmtree(path)
    if command[0] == "draw":
        for path in tmp_path.glob("drawings/small/*/drawn.json"):
            path.unlink()
    before = read_all(tmp_path)
    done = run_command(run, *command, before=limited(n_bytes))
    after = read_all(tmp_path)
    assert done.returncode == 1, done.stderr
    assert done.stdout == ""
    assert f"/{file}: cannot be written (" in done.stderr
    assert "Traceback" not in done.stderr
    assert "_tiff" not in done.stderr
    assert done.stderr.count("Lift the limit with 'ulimit -f unlimited'") == 1
    rewritten = {"datasets/region/summary.json", "models/small/status.json"}
    assert {k: after.get(k) for k in before if k not in rewritten} == {
        k: before[k] for k in before if k not in rewritten
    }
    assert not [name for name in after if ".part" in name]
    new = [name for name in after if name not in before]
    assert all(re.search(r"log\.csv|tensorboard/|west/.*\.tif", n) for n in new), new
    assert run_command(run, *command).returncode == 0
    for name, content in read_all(tmp_path).items():
        if name.endswith((".tif", ".safetensors", "log.csv")):
            assert content == (finished.root / name).read_bytes(), name


@pytest.mark.skipif(os.name == "nt", reason="permissions are others there")
@pytest.mark.parametrize(
    ("closed", "mode"),
    [("b", 0o555), ("b/deep", 0o555), ("", 0o555), ("b/deep", 0o333)],
)
def test_what_cannot_be_removed_is_found_before_anything_is(nobodys, closed, mode):
    "No part of what was to be removed is gone then."
    for name in "abc":
        write_bytes(nobodys / name / "deep" / "file", b"kept")
    hand_over(nobodys)
    (nobodys / closed).chmod(mode)
    done = run_code(
        "from pathlib import Path\nfrom glacier_inversion.files import remove\n"
        f"{AS_NOBODY}\nremove(*map(Path, {[str(nobodys / name) for name in 'abc']}))"
    )
    (nobodys / closed).chmod(0o755)
    message = f"{nobodys / closed}: cannot be removed, nor what is in it (Permission"
    assert message in done.stderr
    assert len(read_all(nobodys)) == 3


@pytest.mark.skipif(os.name == "nt", reason="permissions are others there")
def test_a_folder_with_nothing_in_it_need_not_be_ones_own(nobodys):
    "As the system has it."
    write_bytes(nobodys / "a" / "file", b"")
    (nobodys / "a" / "empty").mkdir()
    hand_over(nobodys)
    (nobodys / "a" / "empty").chmod(0o555)
    done = run_code(
        "from pathlib import Path\nfrom glacier_inversion.files import remove\n"
        f"{AS_NOBODY}\nremove(Path({str(nobodys / 'a')!r}))"
    )
    assert done.returncode == 0, done.stderr
    assert list(nobodys.iterdir()) == []


@pytest.mark.slow
def test_a_small_disk_fills_and_is_freed(finished, small_disk):
    "Wherever it fills: whole files or none; with space, the bytes of the other run."
    disk = small_disk(1200)
    for name in ("data", "exp.json"):
        source = finished.root / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, disk / name)
    run = Run(disk, disk / "exp.json", finished.raw)
    filler = disk / "filler"
    steps = (["build-dataset", "--jobs", "2"], ["train", "--jobs", "1"], ["draw"])
    n_failed = 0
    for command in steps:
        for n_free in (8, 20, 60):
            free = shutil.disk_usage(disk).free
            with suppress(OSError):
                filler.write_bytes(b"x" * max(0, free - n_free * 1024))
            before = read_all(disk)
            done = run_command(run, *command)
            after = read_all(disk)
            filler.unlink()
            assert "Traceback" not in done.stderr
            assert "_tiff" not in done.stderr
            assert not [name for name in after if ".part" in name]
            if done.returncode != 0:
                n_failed += 1
                assert done.returncode == 1, done.stderr
                assert done.stderr.count("cannot be written (No space") == 1, (
                    done.stderr
                )
            for name, content in after.items():
                if name.endswith((".tif", ".safetensors")) and name not in before:
                    assert content == (finished.root / name).read_bytes(), name
        assert run_command(run, *command).returncode == 0
    assert n_failed >= 5
    for name, content in read_all(disk).items():
        if name.endswith((".tif", ".safetensors", ".csv")):
            assert content == (finished.root / name).read_bytes(), name
