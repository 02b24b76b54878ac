"""Predictions of several folds are put together."""

import json
from pathlib import Path

import numpy as np
import pytest

from glacier_inversion.errors import TrainingError
from glacier_inversion.evaluation.baselines import Method
from glacier_inversion.evaluation.folds import Fold
from glacier_inversion.evaluation.out_of_fold import (
    OutOfFold,
    find_common_seeds,
    join_folds,
)
from glacier_inversion.evaluation.pixels import KnownPixels
from tests.helpers import copy_of, read_all

FOLDS = Path("models/small/folds")


def fold(name, x, seeds):
    """Pixels of one feature; a member predicts its seed."""
    n = len(x)
    members = np.repeat(np.array(seeds, dtype=float)[:, None], n, axis=1)
    nothing = np.full(n, np.nan)
    pixels = KnownPixels(
        [name],
        np.zeros(n, int),
        np.array(x),
        np.zeros(n),
        nothing,
        {},
        members,
        nothing,
    )
    method = Method("mean", "mean of training", {"mean": 5.0}, np.array(x))
    return OutOfFold(
        Fold(name, [name], [], ["other"]), seeds, {"h": pixels}, {"h": [method]}
    )


def test_members_are_those_of_the_common_seeds(caplog):
    "A pixel that two folds predict counts for the first."
    done = [fold("a", [5.0, 15.0], [0, 1, 3]), fold("b", [15.0, 25.0], [1, 2, 3])]
    seeds = find_common_seeds(FOLDS, done, 4)
    assert seeds == [1, 3]
    assert "members failed in some folds: seeds [1, 3] are left" in caplog.text
    pixels, methods = join_folds(done, seeds, {"h": 10.0})
    assert pixels["h"].x.tolist() == methods["h"][0].predicted.tolist() == [5, 15, 25]
    assert pixels["h"].feature.tolist() == [0, 0, 1]
    assert pixels["h"].members.tolist() == [[1.0] * 3, [3.0] * 3]


def test_no_common_seed_is_an_error_that_names_what_failed():
    done = [fold("a", [5.0], [0]), fold("b", [15.0], [1, 2]), fold("c", [25.0], [0, 1])]
    with pytest.raises(TrainingError) as raised:
        find_common_seeds(FOLDS, done, 3)
    said = str(raised.value)
    assert said.startswith(f"{FOLDS}: no seed has a member that learnt in every fold.")
    assert "Failed: a: 1, 2; b: 0; c: 2. Must be one seed at least" in said
    assert "Raise seeds_number and run it again" in said
    many = [fold(f"f{i}", [float(i)], [i]) for i in range(8)]
    with pytest.raises(TrainingError, match=r"f4: 0, .*; and 3 more folds\. Must"):
        find_common_seeds(FOLDS, many, 8)


def test_what_is_trained_is_kept_where_no_seed_is_left(crossed, tmp_path):
    "One message says so; with another seed it goes on."
    run = copy_of(crossed, tmp_path / "failed")
    folds = run.root / "models/small/folds"
    for name in ("west/seed_000", "east/seed_001"):
        (folds / name / "best.safetensors").unlink()
        (folds / name / "failure.txt").write_text("its loss is nan")
    before = read_all(folds)
    result = run("crossval")
    assert result.exit_code == 1
    assert "Failed: west: 0; east: 1. Must be one seed at least" in result.stderr
    assert "Traceback" not in result.stderr
    after = read_all(folds)
    weights = [name for name in before if name.endswith("best.safetensors")]
    assert {name: after[name] for name in weights} == {n: before[n] for n in weights}
    run.raw["seeds_number"] = 3
    run.write()
    result = run("crossval")
    assert result.exit_code == 0, result.output
    assert "\none member  " in result.stdout
    path = run.root / "evaluations/small/crossval/metrics.json"
    assert json.loads(path.read_text())["seeds"] == [2]


def test_what_metrics_say_of_a_fold():
    assert fold("a", [5.0], [0, 2]).describe() == {
        "name": "a",
        "held_out": ["a"],
        "validation": [],
        "train": ["other"],
        "seeds": [0, 2],
        "fitted": {"h": {"mean": {"mean": 5.0}}},
    }
