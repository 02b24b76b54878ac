"""The script that measures how errors grow where radar is sparse."""

import importlib.util
import json
import sys

import numpy as np
import pytest
import rasterio
from scipy import ndimage

from tests.evaluation.helpers import small
from tests.helpers import ROOT, new_run

PATH = ROOT / "experiments/aletsch/learning_curve.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("learning_curve", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_tracks_are_connected_pixels_of_one_feature(script):
    "As scipy labels them, feature by feature."
    rng = np.random.default_rng(0)
    known = rng.random((60, 50)) < 0.25
    feature_at = np.repeat([0, 1, 2], 20)[:, None] * np.ones((1, 50), dtype=np.int32)
    tracks = script.find_tracks(known, feature_at.astype(np.int32))
    expected = np.zeros_like(tracks)
    for feature in (1, 2):
        labels, _ = ndimage.label(known & (feature_at == feature), np.ones((3, 3)))
        expected = np.where(labels, labels + expected.max(), expected)
    assert tracks.max() == expected.max() > 50
    pairs = np.unique(np.stack([tracks.ravel(), expected.ravel()]), axis=1)
    assert pairs.shape[1] == tracks.max() + 1  # one to one, and 0 with 0
    assert (pairs[:, 0] == 0).all()


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_whole_tracks_are_drawn_and_no_more_than_the_share(script, share):
    "By the seed; of many small ones nearly all that may be."
    tracks = np.repeat(np.arange(41), np.arange(41))[None]
    drawn = [script.draw_tracks(tracks, share, seed) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert (drawn[0] == drawn[2]).all() == (share == 1)
    for own in drawn:
        assert share * tracks.size - 20 <= own.sum() <= share * tracks.size
        assert set(tracks[own]).isdisjoint(tracks[~own])


def test_values_are_read_as_the_file_and_the_experiment_say(script, tmp_path):
    "The band, its scale and offset, and what is no data, by the file and beside it."
    path = tmp_path / "a.tif"
    where = {"crs": "EPSG:32632", "transform": rasterio.Affine(10, 0, 0, 0, -10, 0)}
    shape = {"count": 2, "height": 1, "width": 4, "dtype": "int16", "nodata": -1}
    with rasterio.open(path, "w", driver="GTiff", **shape, **where) as dst:
        dst.write(np.array([[[9, 9, 9, 9]], [[-1, 0, 7, 20]]], "i2"))
        dst.scales, dst.offsets = (1.0, 0.5), (0.0, 100.0)
    profile, values = script.read_values(path, {"band": 2})
    np.testing.assert_array_equal(values, [[np.nan, 100, 103.5, 110]])
    _, values = script.read_values(path, {"band": 2, "nodata": [0, 7]})
    np.testing.assert_array_equal(values, [[np.nan, np.nan, np.nan, 110]])
    assert {name: profile[name] for name in where} == where
    assert profile["count"] == 1


@pytest.mark.slow
def test_each_feature_is_predicted_from_what_is_left_of_others(
    script, tmp_path, capfd, monkeypatch
):
    "All of its own pixels judge, and none of them trains."
    run = small(new_run(tmp_path))
    run.raw["sampling"] = {"spacing": run.raw["outputs"][0]["resolution"]}
    run.write()
    monkeypatch.setattr(
        sys,
        "argv",
        [
            "x",
            str(run.file),
            "--workspace",
            str(run.root),
            *("--shares", "0.7", "--draws", "1"),
        ],
    )
    script.main()
    row = capfd.readouterr().out.splitlines()[1].split()
    assert row[2] == "nothing"
    assert row[3] == row[4] == row[5]  # of one draw
    name = f"{run.file.stem}_thinned"
    with rasterio.open(run.root / "data" / f"{name}.tif") as src:
        seen = np.isfinite(src.read(1))
    curve = script.Curve(run.file, run.root)
    tracks = curve.tracks
    left = script.draw_tracks(tracks, 0.7, 0)
    assert 0 < left.sum() <= 0.7 * (tracks > 0).sum()
    own = np.unique(tracks[seen & ~left])  # of the last feature
    np.testing.assert_array_equal(seen, (tracks > 0) & (left | np.isin(tracks, own)))
    metrics = json.loads(
        (run.root / "evaluations" / name / "test/metrics.json").read_text()
    )
    assert metrics["features"] == curve.features[-1:]
