"""Where things live: in the workspace and nowhere else."""

import itertools
import os
import unicodedata
from pathlib import Path, PureWindowsPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from glacier_inversion.errors import WorkspaceError
from glacier_inversion.files import scratch_of, write_bytes
from glacier_inversion.workspace import (
    Workspace,
    mosaic_path,
    name_problem,
    same_names,
    tile_path,
)
from tests.processes import AS_NOBODY, hand_over, run_code


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


# what paths are made of, more often than chance has it
names = st.text(max_size=130) | st.text("./\\:~ aA\0é*%$", max_size=5)
PLACE = Workspace(Path("/place"))
PATHS = {
    "tile": lambda a, b: tile_path(PLACE.dataset(a), b, a),
    "map": lambda a, b: PLACE.drawing(a, b, a, "mean"),
    "drawn profile": lambda a, b: PLACE.drawn_profile(a, b, a),
    "profile": lambda a, b: (PLACE.profile(a), PLACE.profile(b))[1],
    "mosaic": lambda a, b: mosaic_path(PLACE.drawings(a), b, "applicability"),
    "member": lambda a, b: (PLACE.member(a, 0), PLACE.member(b, 0))[1],
}


@pytest.mark.parametrize("make", PATHS.values(), ids=PATHS)
@given(names, names)
@example("..", "a")
@example("a", "C:")
@example("~", "$HOME")
def test_a_name_is_refused_or_its_path_lies_in_the_workspace(make, one, other):
    "On this system and on another."
    if name_problem(one) or name_problem(other):
        with pytest.raises(WorkspaceError, match="Must be able to name a file"):
            make(one, other)
        return
    path = make(one, other)
    assert path.is_relative_to(PLACE.root)
    assert os.path.normpath(path) == str(path)
    assert any(other in part for part in path.parts)
    written = (*path.parts, scratch_of(path).name)
    assert all(len(os.fsencode(part)) <= 255 for part in written)
    inner = path.relative_to(PLACE.root).parts
    assert PureWindowsPath("C:/place", *inner).parts == ("C:\\", "place", *inner)


@given(st.lists(names, unique=True, max_size=8), st.randoms(use_true_random=False))
def test_names_that_are_one_on_some_systems_are_found_in_any_order(some, random):
    "Each name in one group at most, with all that differ from it by case alone."
    groups = same_names(some)
    grouped = list(itertools.chain(*groups))
    assert len(grouped) == len(set(grouped))
    assert set(grouped) <= set(some)
    assert all(len(group) > 1 for group in groups)
    shuffled = same_names(random.sample(some, len(some)))
    assert {frozenset(g) for g in groups} == {frozenset(g) for g in shuffled}


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@given(st.text(max_size=8), st.text("abcXYZ", max_size=8))
def test_names_that_differ_by_case_or_accents_of_another_form_are_one(form, one, more):
    "As file systems of macOS and Windows have it."
    name = unicodedata.normalize(form, one) + more
    other = unicodedata.normalize("NFD", one) + more.swapcase()
    if name != other:
        assert same_names([name, "x" * 20, other]) == [[name, other]]


@given(st.lists(st.text("abc-1", max_size=4), unique=True, max_size=12))
def test_names_that_differ_everywhere_are_not_one(some):
    "Plain letters, none of them capital."
    assert same_names(some) == []


@pytest.mark.parametrize("name", ["CON", "nul", "aux.tif", "COM1", "lpt9.a.b", "prn ."])
def test_names_of_devices_are_refused(name):
    "Windows opens a device instead of a file, whatever the ending."
    assert name_problem(name) is not None


def test_names_that_only_begin_like_devices_are_taken():
    "Glaciers may be called so."
    assert [name_problem(n) for n in ("CONCORDIA", "com10", "nul-1", "a.con")] == (
        [None] * 4
    )


def read_only_in(root):
    """Name what somebody without privileges may only read."""
    code = (
        f"from glacier_inversion.workspace import Workspace\n{AS_NOBODY}\n"
        f"place = Workspace({str(root)!r})\n"
        "own = [place.dataset('alps'), place.model('m')]\n"
        "print(*place.find_read_only(own))"
    )
    done = run_code(code)
    assert not done.stderr
    return done.stdout.split()


RESULTS = ["datasets", "models", "drawings", "evaluations", "reports"]


def test_folders_that_may_only_be_read_are_named(nobodys):
    "By somebody without privileges; what is not there lies in the workspace."
    for name in ("datasets/alps", "models"):
        (nobodys / name).mkdir(parents=True)
    hand_over(nobodys)
    found = {}
    for folder in (nobodys / "models", nobodys / "datasets/alps", nobodys):
        assert read_only_in(nobodys) == []
        folder.chmod(0o555)
        found[folder.name] = read_only_in(nobodys)
        folder.chmod(0o755)
    assert found == {
        "models": ["models"],
        "alps": ["datasets/alps"],
        nobodys.name: ["drawings", "evaluations", "reports"],
    }


@pytest.mark.parametrize("mode", [0o444, 0o644, 0o000])
def test_folders_behind_a_closed_one_may_not_be_written(nobodys, mode):
    "Where a system says of none of them whether it is there."
    (nobodys / "datasets/alps").mkdir(parents=True)
    hand_over(nobodys)
    nobodys.chmod(mode)
    found = read_only_in(nobodys)
    nobodys.chmod(0o755)
    assert found == RESULTS


def test_a_workspace_that_is_not_there_can_be_made_in_its_parent(nobodys):
    "Or cannot: nothing is said of folders that will be made."
    nobodys.mkdir()
    hand_over(nobodys)
    assert read_only_in(nobodys / "not" / "there") == []
    nobodys.chmod(0o555)
    assert read_only_in(nobodys / "not" / "there") == RESULTS


@pytest.mark.parametrize(
    "place", ["m", "models/m", "./models/m/", "models/../models/m", "{root}/models/m"]
)
def test_the_path_to_an_own_model_is_taken_for_its_name(tmp_path, monkeypatch, place):
    "However it is written, so that it is told from one of that name elsewhere."
    monkeypatch.chdir(tmp_path)
    workspace, own = Workspace(Path()), Path("models/m")
    assert workspace.model_to_read(place.format(root=tmp_path)) == own
    (tmp_path / "elsewhere").symlink_to(tmp_path / "models")
    assert workspace.model_to_read("elsewhere/m") == own
    for other in ("models/deep/m", f"{tmp_path}/others/m", "models/.."):
        assert workspace.model_to_read(other) == Path(other)
