"""What programs that choose models read: one score of each output."""

import json

import numpy as np
import pandas as pd
import pytest

from tests.helpers import copy_of


def test_crossval_prints_one_score_with_its_interval(crossed, tmp_path):
    "The RMSE of all known pixels, of each feature alone, and nothing else."
    run = copy_of(crossed, tmp_path)
    result = run("crossval", "--json")
    assert result.exit_code == 0
    printed = json.loads(result.stdout)
    assert printed["model"] == "small"
    own = printed["outputs"]["thickness"]
    table = pd.read_csv(run.root / "evaluations/small/crossval/predictions.csv")
    known = table.dropna(subset="mean")
    squares = (known["mean"] - known.observed) ** 2
    assert (own["score"], own["unit"], own["n"]) == ("rmse", "m", len(known))
    assert own["value"] == pytest.approx(np.sqrt(squares.mean()), rel=1e-6)
    low, high = own["interval"]
    assert low < own["value"] < high
    for part in own["features"]:
        of_part = squares[known.feature == part["feature"]]
        assert part["n"] == len(of_part)
        assert part["value"] == pytest.approx(np.sqrt(of_part.mean()), rel=1e-6)
    assert {part["feature"] for part in own["features"]} == set(known.feature)
