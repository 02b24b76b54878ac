"""Files that are whole or not there, in the workspace and nowhere else."""

import errno
import os
import tempfile
from pathlib import Path

import pytest

from glacier_inversion.errors import WorkspaceError
from glacier_inversion.files import (
    locked,
    making_folder,
    remove,
    replacing,
    replacing_all,
    write_bytes,
)
from glacier_inversion.workspace import Workspace
from tests.children import read_all, run_code


@pytest.fixture
def linked(tmp_path):
    """A folder of a workspace that is a link to one with files."""
    (tmp_path / "theirs" / "a").mkdir(parents=True)
    (tmp_path / "theirs" / "file").write_text("theirs")
    (tmp_path / "theirs" / "a" / "file").write_text("theirs")
    (tmp_path / "place").mkdir()
    link = tmp_path / "place" / "link"
    link.symlink_to(tmp_path / "theirs", target_is_directory=True)
    return link


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
    for path in paths:
        write_bytes(path, b"old")
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


def test_a_path_on_the_way_may_be_a_link(linked):
    "A workspace is where its folder leads to; all that is below it is its own."
    place = Workspace(linked)
    assert place.root == linked.resolve()
    write_bytes(place.model("m") / "model.json", b"ours")
    assert (linked / "models" / "m" / "model.json").read_bytes() == b"ours"
    assert (
        Workspace(linked / ".." / "place").root == (linked / "..").resolve() / "place"
    )


def test_a_workspace_without_links_stays_as_it_was_given(tmp_path, monkeypatch):
    "So that messages name the paths that the user knows."
    monkeypatch.chdir(tmp_path)
    assert Workspace(Path()).root == Path()
    assert Workspace(Path("deep/place")).root == Path("deep/place")


def test_names_cannot_leave_the_workspace(tmp_path):
    "Whatever file says them."
    place = Workspace(tmp_path)
    for make in (
        place.dataset,
        place.model,
        place.drawings,
        place.profile,
        lambda name: place.drawing("m", name, "o", "mean"),
        lambda name: place.drawing("m", "f", name, "mean"),
        lambda name: place.drawn_profile("m", name, "o"),
    ):
        for name in ("../evil", "..", "", "/etc", "a\0b"):
            with pytest.raises(WorkspaceError, match="Must be able to name a file"):
                make(name)


AS_NOBODY = """
import os
if os.getuid() == 0:  # who may do everything
    os.setgid(65534)
    os.setuid(65534)
"""


@pytest.fixture
def nobodys():
    """A folder that nobody may change, where pytest's own are closed to others."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name).resolve() / "place"


def hand_over(folder: Path) -> None:
    """Give a folder to who runs AS_NOBODY."""
    for path in (folder, *folder.rglob("*")) if os.getuid() == 0 else ():
        os.chown(path, 65534, 65534)


@pytest.mark.skipif(os.name == "nt", reason="permissions are others there")
@pytest.mark.parametrize("closed", ["b", "b/deep"])
def test_what_cannot_be_removed_is_found_before_anything_is(nobodys, closed):
    "No part of what was to be removed is gone then."
    for name in "abc":
        write_bytes(nobodys / name / "deep" / "file", b"kept")
    hand_over(nobodys)
    (nobodys / closed).chmod(0o555)
    done = run_code(
        "from pathlib import Path\nfrom glacier_inversion.files import remove\n"
        f"{AS_NOBODY}\nremove(*map(Path, {[str(nobodys / name) for name in 'abc']}))"
    )
    (nobodys / closed).chmod(0o755)
    message = f"{nobodys / closed}: cannot be removed, nor what is in it (Permission"
    assert message in done.stderr
    assert len(read_all(nobodys)) == 3
