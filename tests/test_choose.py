"""The script that compares experiment files, and chooses among them."""

import importlib.util
import json
import sys

import numpy as np
import pytest

from tests.evaluation.helpers import small
from tests.helpers import ROOT, new_run

PATH = ROOT / "experiments/aletsch/choose.py"


@pytest.fixture(scope="module")
def choose():
    spec = importlib.util.spec_from_file_location("choose", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def score(*rmse):
    squares = np.square(rmse) @ (1, 1, 2)
    return {
        "value": np.sqrt(squares / 4),
        "interval": None,  # of three features
        "features": [
            {"feature": name, "n": n, "value": value}
            for name, n, value in zip("abc", (1, 1, 2), rmse, strict=True)
        ],
    }


def test_each_feature_is_judged_by_what_the_others_choose(choose):
    "Not by the file that is best on itself."
    table = choose.compare({"x.json": score(1, 5, 6), "y.json": score(9, 4, 5)})
    lines = [line.split() for line in table.splitlines()]
    assert lines[1][:2] == ["x.json", "4.9"]
    # by b and c y is chosen for a; by a and c x for b; by a and b x for c
    nested = np.sqrt((9**2 + 5**2 + 2 * 6**2) / 4)
    assert lines[3][:6] == ["chosen", "by", "the", "other", "features", f"{nested:.1f}"]
    assert lines[-3:] == [
        ["a", "9.0", "1", "y.json"],
        ["c", "6.0", "2", "x.json"],
        ["b", "5.0", "1", "x.json"],
    ]


def test_scores_of_other_pixels_are_not_compared(choose):
    other = score(1, 2, 3)
    other["features"][0]["n"] = 7
    with pytest.raises(SystemExit, match=r"y\.json: other features"):
        choose.compare({"x.json": score(1, 2, 3), "y.json": other})


@pytest.mark.slow
def test_files_are_cross_validated_by_the_program(choose, tmp_path, capfd, monkeypatch):
    "The test features, too."
    run = small(new_run(tmp_path))
    monkeypatch.setattr(
        sys, "argv", ["choose.py", "--workspace", str(run.root), str(run.file)]
    )
    choose.main()
    printed = capfd.readouterr().out
    metrics = run.root / "evaluations/small/crossval/metrics.json"
    scores = json.loads(metrics.read_text())["outputs"]["thickness"]
    assert scores["n_features"] == 5
    assert printed.splitlines()[1].split()[:2] == [
        "exp.json",
        f"{scores['ensemble']['rmse']:.1f}",
    ]
