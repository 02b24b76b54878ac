"""Which files have changed since a build: by size and contents, not by their time."""

import json
import os
import shutil

import numpy as np
import pytest
import rasterio

from glacier_inversion.dataset import recorded_sources
from tests.checking.helpers import report_of
from tests.dataset.helpers import tiles
from tests.geodata.helpers import write_masked_vrt
from tests.helpers import Run, new_run, read_all

WARNED = "was built before slope.tif changed. What is in the dataset is used."


def record_of(run):
    """Read the record."""
    path = run.root / "datasets/region/sources.json"
    return json.loads(path.read_text())["rasters"]


@pytest.fixture
def built(run):
    """A region whose dataset is built, one of its rasters by way of a VRT."""
    from rasterio.shutil import copy  # noqa: PLC0415

    data = run.root / "data"
    copy(data / "speed.tif", data / "speed.vrt", driver="VRT")
    run.raw["dataset_description"]["rasters"][1]["file"] = "speed.vrt"
    run.write()
    assert run("build-dataset").exit_code == 0
    return run


def touch(run, *names):
    """Give files of the user's another time."""
    for name in names:
        os.utime(run.root / "data" / name, (1e9, 1e9))


def change(run, name):
    """Change a byte of a file, whose size stays."""
    path = run.root / "data" / name
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def test_a_copied_workspace_is_no_other(built, tmp_path):
    "All files have new times, as 'cp -r' leaves them: no warning, and nothing made anew."
    root = tmp_path / "copied"
    shutil.copytree(built.root, root, copy_function=shutil.copyfile)
    run = Run(root, root / built.file.name, built.raw)
    before, known = tiles(run), record_of(run)
    assert not [w for w in report_of(run)["warnings"] if "other files" in w]
    trained = run("train", "--jobs", "1")
    assert trained.exit_code == 0
    assert "changed" not in trained.stderr
    result = run("build-dataset")
    assert "0 tiles written, 15 kept" in result.stderr
    assert tiles(run) == before
    after = record_of(run)  # of today's times, so that nothing is digested again
    assert after.keys() == known.keys()
    for name, record in after.items():
        for part, old in zip(record["parts"], known[name]["parts"], strict=True):
            assert part["sha256"] == old["sha256"] is not None
            assert part["modified_ns"] > old["modified_ns"]


def test_other_contents_of_the_same_size_are_told(built):
    "The raster's tiles are made anew, and no others."
    change(built, "slope.tif")
    warnings = report_of(built)["warnings"]
    assert [w for w in warnings if "was built from other files of slope. Run" in w]
    assert WARNED in built("train", "--jobs", "1").stderr
    assert "5 tiles written, 10 kept" in built("build-dataset").stderr


def test_a_raster_that_is_new_is_told_from_a_changed_one(built):
    "The dataset was built without it."
    derive = {"name": "smooth", "of": "slope", "sigma": 300.0}
    rasters = built.raw["dataset_description"]["rasters"]
    (slope,) = [raster for raster in rasters if raster["name"] == "slope"]
    new = {"name": "even", "resolution": slope["resolution"], "derive": derive}
    rasters.append(new)
    built.write()
    change(built, "slope.tif")
    said = [w for w in report_of(built)["warnings"] if "was built " in w]
    assert ["was built without even. Run" in w for w in said] == [True, False]
    assert "was built from other files of slope. Run" in said[1]


def test_tiles_of_what_a_mask_hides_are_made_anew(built):
    "Which an earlier version, whose record says nothing of masks, took for data."
    with rasterio.open(built.root / "data" / "slope.tif", "r+") as dst:
        seen = np.full(dst.shape, 255, dtype="u1")
        seen[::2] = 0
        dst.write_mask(seen)
    assert "5 tiles written, 10 kept" in built("build-dataset").stderr
    assert "0 tiles written, 15 kept" in built("build-dataset").stderr
    path = built.root / "datasets/region/sources.json"
    record = json.loads(path.read_text())
    assert record["rasters"]["slope"].pop("masked")
    path.write_text(json.dumps(record))
    warnings = report_of(built)["warnings"]
    said = "was built with what masks or opacity hide in slope, as data. Run 'ginv "
    assert [w for w in warnings if said in w]
    assert not [w for w in warnings if "other files" in w]
    with rasterio.open(built.root / "data" / "slope.tif", "r+") as dst:
        dst.write(dst.read() + 1)
    (other,) = [w for w in report_of(built)["warnings"] if "was built " in w]
    assert "was built from other files of slope. Run" in other
    assert "5 tiles written, 10 kept" in built("build-dataset").stderr


def test_other_contents_of_a_part_are_told(built):
    "Which the VRT alone would not show."
    touch(built, "slope.tif", "speed.vrt")
    change(built, "speed.tif")
    assert "5 tiles written, 10 kept" in built("build-dataset").stderr


def test_other_contents_of_the_mask_of_a_vrt_are_told(built):
    "Which GDAL does not count among its files."
    data = built.root / "data"
    mask = data / "mask.tif"
    shutil.copy(data / "speed.tif", mask)
    write_masked_vrt(data / "speed.vrt", data / "speed.tif", mask)
    assert "5 tiles written, 10 kept" in built("build-dataset").stderr
    assert "0 tiles written, 15 kept" in built("build-dataset").stderr
    change(built, "mask.tif")
    assert "5 tiles written, 10 kept" in built("build-dataset").stderr


def test_large_files_are_known_by_their_time(built, monkeypatch):
    "Without a digest, which would take long; the size of all parts counts."
    n_bytes = sum(part["bytes"] for part in record_of(built)["speed"]["parts"])
    monkeypatch.setattr(recorded_sources, "_MOST_DIGESTED", n_bytes - 1)
    shutil.rmtree(built.root / "datasets")
    assert built("build-dataset").exit_code == 0
    assert {part["sha256"] for part in record_of(built)["speed"]["parts"]} == {None}
    touch(built, "thickness.tif")
    assert "0 tiles written, 15 kept" in built("build-dataset").stderr
    touch(built, "speed.tif")
    assert "5 tiles written, 10 kept" in built("build-dataset").stderr


def test_files_of_their_time_are_not_read_again(built, monkeypatch):
    "Commands open none to know that they are the same."
    monkeypatch.setattr(recorded_sources, "_digest", lambda *_: pytest.fail("read"))
    before = read_all(built.root / "datasets")
    assert built("build-dataset").exit_code == 0
    assert read_all(built.root / "datasets") == before
    assert built("train", "--jobs", "1").exit_code == 0


def test_a_record_without_digests_is_read(built):
    "Those of earlier versions: files of their time are the same, and are digested now."
    path = built.root / "datasets/region/sources.json"
    record, known = json.loads(path.read_text()), record_of(built)
    record.pop("sha256", None)
    for raster in record["rasters"].values():
        for part in raster["parts"]:
            del part["sha256"]
    path.write_text(json.dumps(record))
    assert "0 tiles written, 15 kept" in built("build-dataset").stderr
    assert record_of(built) == known


def test_a_file_that_changes_while_it_is_digested_has_none(tmp_path):
    "Nor one that goes; what is digested otherwise is the file."
    path = tmp_path / "x.tif"
    path.write_bytes(b"abc")
    status = path.stat()
    given = path, status.st_size, status.st_mtime_ns
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert recorded_sources._digest(*given) == digest
    recorded_sources._digest.cache_clear()
    path.write_bytes(b"abd!")
    assert recorded_sources._digest(*given) is None
    path.unlink()
    recorded_sources._digest.cache_clear()
    assert recorded_sources._digest(*given) is None


def test_a_file_of_several_rasters_is_read_once(tmp_path, monkeypatch):
    "Its bands, say."
    run = new_run(tmp_path)
    run.raw["dataset_description"]["rasters"][1]["file"] = "slope.tif"
    run.write()
    recorded_sources._digest.cache_clear()
    assert run("build-dataset").exit_code == 0
    info = recorded_sources._digest.cache_info()
    assert (info.misses, info.hits) == (2, 1)
