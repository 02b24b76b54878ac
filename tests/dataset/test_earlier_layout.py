"""Datasets of earlier versions, which had a folder for each split, are moved."""

import json
import os
import shutil

import pytest

from glacier_inversion.dataset import build as building
from glacier_inversion.dataset.opened import open_dataset
from glacier_inversion.errors import DatasetError, WorkspaceError
from glacier_inversion.experiment.experiment import check_experiment
from glacier_inversion.workspace import Workspace
from tests import synthetic
from tests.dataset.helpers import build, summary, tiles
from tests.helpers import earlier_workspace


@pytest.fixture
def earlier(run):
    """A dataset as an earlier version left it, and its tiles' times as they were."""
    build(run)
    before = tiles(run)
    folder = run.root / "datasets/region"
    content = json.loads((folder / "summary.json").read_text())
    del content["format"], content["sha256"]
    splits = {p["id"]: p["train"] for p, _ in synthetic.FEATURES}
    for row in content["features"]:
        row["split"] = ["train", "validation", "test"][splits[row["feature"]]]
        del row["columns"]
        (folder / row["split"]).mkdir(exist_ok=True)
        (folder / row["feature"]).rename(folder / row["split"] / row["feature"])
    synthetic.write_json(folder / "summary.json", content)
    record = json.loads((folder / "sources.json").read_text())
    synthetic.write_json(folder / "sources.json", record["rasters"])
    return run, before


def test_tiles_are_moved_and_none_is_made_anew(earlier):
    "Every one of them is the very file."
    run, before = earlier
    checked, place = check_experiment(run.raw, "exp"), Workspace(run.root)
    with pytest.raises(
        DatasetError, match=r"earlier version.*Run 'ginv build-dataset'"
    ):
        open_dataset(checked, place)
    report = build(run)
    assert (report.n_written, report.n_kept) == (0, 15)
    assert tiles(run) == before
    assert {path.name for path in (run.root / "datasets/region").iterdir()} == {
        *(p["id"] for p, _ in synthetic.FEATURES),
        *("summary.json", "sources.json", "outlines.gpkg"),
    }
    assert summary(run)["format"] == 2
    assert open_dataset(checked, place).select("validation") == ["east"]


def test_a_dataset_that_an_earlier_version_wrote_is_moved(tmp_path):
    "Its rasters being, as far as can be told, the files that they were."
    run = earlier_workspace(tmp_path)
    folder = run.root / "datasets/region"
    for raster in json.loads((folder / "sources.json").read_text()).values():
        for part in raster["parts"]:
            times = (part["modified_ns"],) * 2
            os.utime(run.root / "data" / part["file"], ns=times)
    made = {path.name + path.parent.name: path for path in folder.rglob("*.tif")}
    before = {name: path.read_bytes() for name, path in made.items()}
    result = run("build-dataset")
    assert result.exit_code == 0
    assert f"0 tiles written, {len(before)} kept" in result.stderr
    made = {path.name + path.parent.name: path for path in folder.glob("*/*.tif")}
    assert {name: path.read_bytes() for name, path in made.items()} == before
    assert run("draw").exit_code == 0


def test_a_move_that_was_killed_is_ended_by_the_next_build(earlier, monkeypatch):
    "Wherever it stopped."
    run, before = earlier
    for n_moves in (4, 7):
        moved = []

        def stop(path, to, moved=moved, n_moves=n_moves):
            if len(moved) == n_moves:
                raise KeyboardInterrupt
            moved.append(path)
            path.parent.mkdir(exist_ok=True)
            to.parent.mkdir(exist_ok=True)
            path.rename(to)

        with monkeypatch.context() as patch:
            patch.setattr(building, "move", stop)
            with pytest.raises(KeyboardInterrupt):
                build(run)
    assert build(run).n_written == 0
    assert tiles(run) == before


def test_the_users_own_files_stay(earlier):
    "Beside the tiles, with their folders; a tile that nobody wants is removed."
    run, _ = earlier
    folder = run.root / "datasets/region"
    (folder / "train/west/notes.txt").write_text("mine")
    shutil.copytree(folder / "test/south", folder / "test/gone")
    (folder / "test/south/.slope.part.tif").write_bytes(b"of a killed build")
    shutil.copy2(run.root / "data/slope.tif", folder / "test/mine.tif")
    build(run)
    assert (folder / "train/west/notes.txt").read_text() == "mine"
    assert [path.name for path in folder.rglob("*") if "gone" in path.parts] == []
    assert (folder / "test/mine.tif").exists()
    assert not (folder / "test/south").exists()


def test_a_dataset_that_is_reached_through_a_link_is_not_moved(earlier):
    "One message, and nothing is lost."
    run, _ = earlier
    folder, elsewhere = run.root / "datasets/region", run.root / "elsewhere"
    (folder / "train").rename(elsewhere)
    (folder / "train").symlink_to(elsewhere)
    there = sorted(elsewhere.rglob("*.tif"))
    with pytest.raises(WorkspaceError, match="is a link to"):
        build(run)
    assert sorted(elsewhere.rglob("*.tif")) == there
