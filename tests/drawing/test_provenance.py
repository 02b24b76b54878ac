"""Provenance: a map says what it follows from, and is the same whenever it is drawn."""

import pytest
import rasterio

import glacier_inversion
from glacier_inversion.training.model.members import (
    WEIGHTS,
    read_weights,
    write_weights,
)
from glacier_inversion.training.model.model import read_model
from tests.helpers import copy_of, read_all

MAP = "drawings/small/south/thickness_mean.tif"


def tags_in(run):
    """Return the tags of a map."""
    with rasterio.open(run.root / MAP) as src:
        return src.tags()


def test_what_is_drawn_twice_is_the_same(finished, tmp_path):
    "Bit by bit, elsewhere and later: maps, mosaics, styles, profiles and the picture."
    run = copy_of(finished, tmp_path)
    before = read_all(run.root / "drawings")
    for path in (run.root / "drawings").rglob("*.*"):
        path.unlink()
    assert run("draw").exit_code == 0
    assert read_all(run.root / "drawings") == before
    tags = tags_in(run)
    assert (tags["model"], tags["members"], tags["seeds"]) == ("small", "2", "0 1")
    assert tags["software"] == f"glacier_inversion {glacier_inversion.__version__}"


def say_more(run):
    """Say what is so by default, and what is of no effect."""
    run.raw.update({"min_valid": 0.5, "$schema": "schema.json"})


def train_longer(run):
    """Ask for more epochs, which the model that is there has not had."""
    run.raw["epochs"] += 1


def other_weights(run):
    """Change the last member a little, as if it were trained anew."""
    folder = run.root / "models/small"
    identity = read_model(folder).identity
    path = folder / "seed_001" / WEIGHTS
    weights = read_weights(path, 1, identity)
    write_weights(path, {k: w * 1.01 for k, w in weights.items()}, 1, identity)


@pytest.mark.parametrize(
    ("change", "differing"),
    [
        (say_more, set()),
        (train_longer, {"experiment_sha256"}),
        (other_weights, {"model_sha256"}),
    ],
)
def test_digests_are_those_of_what_has_an_effect(finished, tmp_path, change, differing):
    "An experiment or a member that differs is seen by the tags, and no other word."
    run = copy_of(finished, tmp_path)
    before = tags_in(run)
    change(run)
    run.write()
    result = run("draw")
    assert result.exit_code == 0, result.output
    after = tags_in(run)
    assert after.keys() == before.keys()
    assert {tag for tag in after if after[tag] != before[tag]} == differing
