"""Maps of how unlike training places are: against patches one by one, and told of."""

import csv
import json
import logging
from dataclasses import replace

import numpy as np
import pytest
import rasterio
import torch

from glacier_inversion.dataset.opened import open_dataset
from glacier_inversion.drawing.applicability import tell_unlike
from glacier_inversion.drawing.holes import Holes
from glacier_inversion.experiment.experiment import check_experiment
from glacier_inversion.patches.lattice import Layout, to_lattice
from glacier_inversion.training.model.applicability import (
    APPLICABILITY,
    read_applicability,
    write_applicability,
)
from glacier_inversion.training.model.model import read_model
from glacier_inversion.workspace import Workspace
from tests.drawing.helpers import forget_records, read
from tests.helpers import copy_of, read_all
from tests.patches.helpers import patches_of

NAME = "thickness_applicability.tif"


@pytest.fixture(scope="module")
def drawn(finished, tmp_path_factory):
    """The region with the map, without clipping, by a threshold that some exceed."""
    run = copy_of(finished, tmp_path_factory.mktemp("applicability"))
    folder = run.root / "models/small"
    identity = read_model(folder).identity
    own = read_applicability(folder, identity, 4)
    write_applicability(replace(own, threshold=own.threshold / 50), folder, identity)
    run.raw["drawing_description"] |= {
        "statistics": ["mean", "applicability"],
        "clip_to_outline": False,
        "features": "all",
    }
    run.write()
    result = run("draw")
    assert result.exit_code == 0, result.output
    return run, result.stderr


def patch_by_patch(run, feature):
    """Find the nearest training point of every point, by patches and brute force."""
    place = Workspace(run.root)
    experiment = check_experiment(run.raw, "exp")
    model = read_model(place.model("small"))
    layout = Layout.of(experiment)
    tiles = open_dataset(experiment, place).read_tiles(experiment, feature)
    part = to_lattice(tiles, layout)
    source = patches_of(part, layout, model.scales.inputs)
    own = read_applicability(place.model("small"), model.identity, 4)
    unlike = np.full(part.points.shape, np.nan)
    for row, col in np.argwhere(part.usable):
        patches = source.gather(torch.tensor([[0, row, col]]))
        point = []
        for name in ("slope", "speed"):
            patch = patches[name][0, 0].numpy().astype(float)
            half = len(patch) // 2
            assert len(patch) % 2 == 0
            point += [
                patch.mean(),
                patch[half - 1 : half + 1, half - 1 : half + 1].mean(),
            ]
        distance = np.linalg.norm((own.points - np.array(point)) / own.std, axis=1)
        unlike[row, col] = distance.min() / own.threshold
    return part.points, unlike


def test_maps_are_those_of_patches_one_by_one(drawn):
    "At every pixel, coarser inputs and unknown pixels included."
    run, _ = drawn
    feature = "south"
    values, transform = read(run.root / "drawings/small" / feature / NAME)
    points, expected = patch_by_patch(run, feature)
    rows, cols = np.indices(values.shape) + 0.5
    x, y = transform * (cols.ravel(), rows.ravel())
    i, j = (index.reshape(values.shape) for index in points.index(x, y))
    assert np.isfinite(values).any()
    np.testing.assert_allclose(values, expected[i, j], rtol=1e-3, atol=1e-4)


def test_maps_say_what_they_are(drawn):
    "Without a unit; 1 is the threshold, where the colours change."
    run, _ = drawn
    path = run.root / "drawings/small/south" / NAME
    with rasterio.open(path) as src:
        assert src.descriptions == (
            "thickness applicability (above 1 unlike all training)",
        )
        assert src.units == (None,)
        assert src.tags()["statistic"] == "applicability"
    style = path.with_suffix(".qml").read_text()
    assert 'classificationMin="0.0"' in style
    assert 'classificationMax="2.0"' in style
    assert 'value="1.0" label="1" color="#f7f7f7"' in style


def test_unlike_pixels_are_counted_and_told_of(drawn):
    "Those inside the outlines."
    run, said = drawn
    folder = run.root / "drawings/small"
    with (folder / "holes.csv").open() as file:
        rows = list(csv.DictReader(file))
    n_unlike = sum(int(row["unlike_training"]) for row in rows)
    n_drawn = sum(int(row["drawn"]) for row in rows)
    assert 0 < n_unlike < n_drawn
    assert all(row["compared"] == row["drawn"] for row in rows)
    share = f"{100 * n_unlike / n_drawn:.2g} %"
    assert f"small: {share} of {n_drawn:,} drawn pixels are unlike" in said
    whole = read(folder / "south" / NAME)[0]
    (south,) = (row for row in rows if row["feature"] == "south")
    assert int(south["unlike_training"]) <= (whole > 1).sum()


def test_inputs_beyond_those_of_training_are_unlike(drawn, tmp_path):
    "Speeds that no training point has seen."
    run = copy_of(drawn[0], tmp_path)
    with rasterio.open(run.root / "data/speed.tif", "r+") as dst:
        values = dst.read(1)
        dst.write(np.where(values > 0, values + 5000, values), 1)
    assert run("build-dataset").exit_code == 0
    result = run("draw")
    assert result.exit_code == 0, result.output
    assert "WARNING: small: 100 % of" in result.stderr
    values, _ = read(run.root / "drawings/small/south" / NAME)
    assert np.nanmin(values) > 1


def test_what_is_unlike_is_told_of_though_no_map_is_asked_for(
    drawn, tmp_path, monkeypatch
):
    "From some of the pixels, at equal steps, as all of them would take long."
    run = copy_of(drawn[0], tmp_path)
    with (run.root / "drawings/small/holes.csv").open() as file:
        whole = {row["feature"]: row for row in csv.DictReader(file)}
    run.raw["drawing_description"]["statistics"] = ["mean"]
    run.write()
    module = "glacier_inversion.drawing.applicability._MOST_COMPARED"
    monkeypatch.setattr(module, 50)
    result = run("draw")
    assert result.exit_code == 0, result.output
    assert "WARNING: small: " in result.stderr
    assert "drawn pixels are unlike all that it was trained on" in result.stderr
    with (run.root / "drawings/small/holes.csv").open() as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        n_drawn, n_compared = int(row["drawn"]), int(row["compared"])
        assert 0 < n_compared <= 50 < n_drawn
        of_all = int(whole[row["feature"]]["unlike_training"]) / n_drawn
        assert abs(int(row["unlike_training"]) / n_compared - of_all) < 0.25


def test_maps_drawn_twice_are_the_same(drawn, tmp_path):
    "Byte for byte."
    run = copy_of(drawn[0], tmp_path)
    before = read_all(run.root / "drawings")
    forget_records(run)
    assert run("draw").exit_code == 0
    assert read_all(run.root / "drawings") == before


def test_a_model_that_has_none_is_refused_with_what_to_do(drawn, tmp_path):
    "And draws all else."
    run = copy_of(drawn[0], tmp_path)
    (run.root / "models/small" / APPLICABILITY).unlink()
    result = run("draw")
    assert result.exit_code == 1
    (problem,) = json.loads(run("check", "--json").stdout)["problems"]
    assert problem in result.stderr
    assert "Run 'ginv train'" in result.stderr
    assert "leave applicability out of drawing_description.statistics" in result.stderr
    assert run("train").exit_code == 0
    assert run("draw").exit_code == 0
    run.raw["drawing_description"]["statistics"] = ["mean"]
    run.write()
    (run.root / "models/small" / APPLICABILITY).write_bytes(b"")
    result = run("draw")
    assert result.exit_code == 0
    assert f"{APPLICABILITY}: cannot be used" in result.stderr
    (run.root / "models/small" / APPLICABILITY).unlink()
    result = run("draw")
    assert result.exit_code == 0
    assert APPLICABILITY not in result.stderr


def holes(feature, n_drawn, n_unlike, n_compared=None):
    n_compared = n_drawn if n_compared is None else n_compared
    return Holes(feature, n_drawn, n_drawn, 0, {}, None, n_compared, n_unlike)


@pytest.mark.parametrize(
    ("of_run", "level", "line"),
    [
        ([holes("a", 100, 0)], None, None),
        ([holes("a", 100, None)], None, None),
        ([holes("a", 0, 0)], None, None),
        ([holes("a", 99, 4), holes("b", 9, 1)], "INFO", "Most of: b (11 %), a (4 %)"),
        (
            [holes("a", 99, 1), holes("b", 1, 1)],
            "WARNING",
            "Most of: b (100 %), a (1 %)",
        ),
        ([holes("a", 100, 6)], "WARNING", "m: 6 % of 100 drawn pixels are unlike"),
        (  # next to nothing is not named
            [holes("a", 1000, 2), holes("b", 100, 9), holes("c", 1000, 0)],
            "INFO",
            "how far it errs there. Most of: b (9 %)\n",
        ),
        ([holes("a", 1000, 2)], "INFO", "how far it errs there\n"),
        (  # large features weigh as much as is drawn of them
            [holes("a", 9000, 20, 2000), holes("b", 1000, 100)],
            "INFO",
            "m: 1.9 % of 10,000 drawn pixels are unlike",
        ),
    ],
    ids=str,
)
def test_what_is_usual_is_no_warning(caplog, of_run, level, line):
    "Training points differ by as much, too, now and then."
    caplog.set_level(logging.INFO)
    tell_unlike("m", of_run)
    assert [record.levelname for record in caplog.records] == ([level] if level else [])
    if line:
        assert line in caplog.text
