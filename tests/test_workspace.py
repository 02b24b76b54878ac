"""Where things live: in the workspace and nowhere else."""

from pathlib import Path

import pytest

from glacier_inversion.errors import WorkspaceError
from glacier_inversion.files import write_bytes
from glacier_inversion.workspace import Workspace


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
