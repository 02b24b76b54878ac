"""Tiles: made again when what they come from changed, and only then."""

import json
import os
import re
import shutil
import signal
import sys

import numpy as np
import pytest
import rasterio

from glacier_inversion.dataset import tiling
from glacier_inversion.dataset.opened import open_dataset
from glacier_inversion.errors import (
    DatasetError,
    RasterError,
)
from glacier_inversion.experiment.experiment import check_experiment
from glacier_inversion.sharing import executors
from glacier_inversion.workspace import Workspace
from tests import synthetic
from tests.dataset.helpers import build, build_until, plan
from tests.helpers import read_all
from tests.processes import refuse_processes


class Fragile:
    """Rasters that end the process which reads one feature, as a library might."""

    def __init__(self, rasters, feature, end):
        self._rasters, self._feature, self._end = rasters, feature, end

    def __getattr__(self, name):
        if name.startswith("_"):  # while it is sent
            raise AttributeError(name)
        return getattr(self._rasters, name)

    def tile(self, name, grid, feature):
        """Return a tile, but of that feature."""
        if feature == self._feature:
            if self._end == "crash":
                os.kill(os.getpid(), signal.SIGSEGV)
            if self._end == "leave":
                os._exit(7)
            executors.LONGEST_READING = 1
            with executors.ending_if_stuck():
                while True:
                    pass
        return self._rasters.tile(name, grid, feature)


def test_a_damaged_tile_is_made_again(run, caplog):
    "Truncated, zeroed, or another's: its pixels are compared with its digest."
    build(run)
    before = read_all(run.root / "datasets")
    folder = run.root / "datasets/region/west"
    whole = (folder / "slope.tif").read_bytes()
    (folder / "slope.tif").write_bytes(whole[: len(whole) // 2])
    with rasterio.open(folder / "speed.tif", "r+") as dst:
        dst.write(np.zeros(dst.shape, "f4"), 1)
    with rasterio.open(folder / "thickness.tif", "r+") as dst:
        dst.write(dst.read(1) + 1, 1)
    with caplog.at_level("INFO"):
        assert build(run).n_written == 3
    assert "west/speed.tif: is damaged: made anew" in caplog.text
    after = read_all(run.root / "datasets")
    tiles = [name for name in before if name.endswith(".tif")]
    assert {name: after[name] for name in tiles} == {n: before[n] for n in tiles}


def test_tiles_do_not_depend_on_the_times_of_the_files(run):
    "Copied data give the same bytes where they are built anew, as without a record."
    build(run)
    before = read_all(run.root / "datasets")
    for path in (run.root / "data").glob("*.tif"):
        os.utime(path, ns=(0, 1_000_000_000))
    (run.root / "datasets/region/sources.json").unlink()
    assert build(run).n_written == 15
    after = read_all(run.root / "datasets")
    for name in before:
        if name.endswith((".tif", "summary.json")):
            assert after[name] == before[name], name
    assert build(run).n_kept == 15


def test_a_killed_build_keeps_what_it_made_of_the_files_that_are_there(run):
    "Of its first build, and of one after a source changed; never of older files."
    build_until(run, "west")
    assert build(run).n_kept == 9
    slope = run.root / "data" / "slope.tif"
    with rasterio.open(slope, "r+") as dst:
        dst.write(dst.read(1) + 1, 1)
    build_until(run, "west")
    assert build(run).n_kept == 9 + 2 * 2  # speed and thickness of the other two
    before = read_all(run.root / "datasets")
    shutil.rmtree(run.root / "datasets")
    build(run)
    after = read_all(run.root / "datasets")
    assert [n for n in before if before[n] != after[n] and n.endswith(".tif")] == []


def test_tiles_of_unknown_files_are_made_again(run):
    "Without a record, or with one that is broken."
    build(run)
    path = run.root / "datasets/region/sources.json"
    for content in ("", "[]", '{"slope": 1}', "[" * 100_000):
        path.write_text(content)
        assert build(run).n_written == 15
    record = json.loads(path.read_text())
    record["rasters"]["slope"]["parts"][0]["bytes"] += 1
    synthetic.write_json(path, record)
    assert build(run).n_written == 5


def test_an_interrupted_build_is_not_complete(run):
    "Without its summary it is refused; the tiles that were made are kept."
    build(run)
    run.raw["dataset_description"]["buffer_distance"] = 400.0
    build_until(run, "west")
    checked = check_experiment(run.raw, "exp")
    with pytest.raises(DatasetError, match=r"no summary\.json.*ginv build-dataset"):
        open_dataset(checked, Workspace(run.root))
    assert build(run).n_kept == 9  # three features were done
    open_dataset(checked, Workspace(run.root))


def test_a_changed_source_of_a_vrt_rebuilds_its_tiles(run):
    "The file that the experiment names is not the only one."
    from rasterio.shutil import copy  # noqa: PLC0415

    slope = run.root / "data" / "slope.tif"
    copy(slope, run.root / "data" / "slope.vrt", driver="VRT")
    run.raw["dataset_description"]["rasters"][0]["file"] = "slope.vrt"
    build(run)
    with rasterio.open(slope, "r+") as dst:
        dst.write(dst.read(1) + 1, 1)
    assert build(run).n_written == 5


@pytest.mark.skipif(sys.platform == "win32", reason="sends signals")
@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize(
    ("end", "how"),
    [("crash", "signal 11"), ("hang", "signal 24"), ("leave", "exit code 7")],
)
def test_a_feature_that_ends_its_process_fails_alone(run, jobs, end, how):
    "By a crash or an endless loop in a library: the others are built, it is named."
    planned = plan(run)
    todo = [
        tiling.PlannedTiles(
            outline, planned.ownership.bounds[outline.feature], planned.folder
        )
        for outline in planned.outlines
    ]
    fragile = Fragile(planned.rasters, "west", end)
    results = dict(tiling.tile_features(fragile, todo, jobs))
    assert len(results) == len(synthetic.FEATURES)
    lost = results.pop("west")
    assert isinstance(lost, RasterError)
    assert re.search(rf"lost \({how}\).*slope\.tif.*fewer --jobs", str(lost))
    assert all(isinstance(r, tiling.TiledFeature) for r in results.values())


def test_a_process_that_cannot_begin_is_a_message(run, monkeypatch):
    "What was made is kept, and so said."
    refuse_processes(monkeypatch, lambda number: True)
    built = run("build-dataset", "--jobs", "2")
    assert built.exit_code == 1
    assert re.search(
        r"datasets/region: a process could not begin \(Resource temporarily "
        r"unavailable\).* is kept\. Close other programs.* fewer --jobs",
        built.stderr,
    )


def test_a_file_elsewhere_of_the_same_size_and_time_is_another(run):
    "Its tiles are made anew."
    build(run)
    data = run.root / "data"
    (data / "other").mkdir()
    time = (data / "slope.tif").stat()
    for name in ("slope.tif", "other/slope.tif"):
        if name != "slope.tif":
            shutil.copy(data / "slope.tif", data / name)
            with rasterio.open(data / name, "r+") as dst:
                dst.write(dst.read(1)[::-1], 1)
            os.utime(data / name, ns=(time.st_atime_ns, time.st_mtime_ns))
    run.raw["dataset_description"]["rasters"][0]["file"] = "other/slope.tif"
    assert build(run).n_written == len(synthetic.FEATURES)
    os.utime(data / "other/slope.tif", ns=(0, 0))  # what is on record is its digest
    assert build(run).n_written == 0


def test_features_near_one_another_follow_one_another(run):
    "Whatever their order in the file: blocks of four by four are done one by one."
    planned = plan(run)
    places = [(col, row) for col in range(8) for row in range(8)]
    todo = [
        tiling.PlannedTiles(
            planned.outlines[0], (100.0 * x, -y, 100.0 * x + 9, 9 - y), "d"
        )
        for x, y in ((col, 100.0 * row) for col, row in places)
    ]
    ordered = [places[todo.index(job)] for job in tiling._by_place(todo)]
    assert sorted(ordered) == places
    blocks = [
        {(c // 4, r // 4) for c, r in ordered[i : i + 16]} for i in (0, 16, 32, 48)
    ]
    assert blocks == [{(0, 0)}, {(1, 0)}, {(0, 1)}, {(1, 1)}]
    assert tiling._by_place([]) == []
    assert tiling._by_place(todo[:1]) == todo[:1]
