"""The script that compares experiment files, and chooses among them."""

import importlib.util
import json
import sys

import numpy as np
import pandas as pd
import pytest

from tests.evaluation.helpers import small
from tests.helpers import ROOT, new_run

PATH = ROOT / "experiments/aletsch/choose.py"


@pytest.fixture(scope="module")
def choose():
    spec = importlib.util.spec_from_file_location("choose", PATH)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where its dataclass looks for it
    spec.loader.exec_module(module)
    return module


def candidate(choose, name, *errors, baseline=None):
    "Of features a and b with a pixel each, and c with two, the last of them thick."
    pixels = pd.DataFrame(
        {
            "feature": list("abcc"),
            "observed": [9.0, 9.0, 9.0, 400.0],
            "error": np.array([*errors, errors[-1]], dtype=float),
        }
    )
    return choose.Candidate(name, pixels, baseline, (0.7, 0.9))


def test_each_feature_is_judged_by_what_the_others_choose(choose):
    "Not by the file that is best on itself."
    counts = {"c": 2, "a": 1, "b": 1}
    parts = [{"feature": f, "n": n, "rmse": 8.0} for f, n in counts.items()]
    simple = {"description": "simple", "rmse": 8.0, "bias": -7.0, "features": parts}
    x = candidate(choose, "x.json", 1, 5, 6, baseline=simple)
    table = choose.compare([x, candidate(choose, "y.json", 9, 4, -5)], 300.0)
    lines = [line.split() for line in table.splitlines()]
    rmse = np.sqrt((1**2 + 5**2 + 2 * 6**2) / 4)
    assert lines[1][:2] == ["x.json", f"{rmse:.1f}"]
    # bias, bias of what is thick, coverage of both levels
    assert lines[1][4:] == ["4.5", "6.0", "70.0", "90.0"]
    # by b and c y is chosen for a; by a and c x for b; by a and b x for c
    nested = np.sqrt((9**2 + 5**2 + 2 * 6**2) / 4)
    assert lines[3][:6] == ["chosen", "by", "the", "other", "features", f"{nested:.1f}"]
    assert lines[3][8:] == [f"{(9 + 5 + 6 + 6) / 4:.1f}", "6.0"]
    assert lines[4] == ["simple", "8.0", "8.0", "8.0", "-7.0"]
    assert lines[-5:-2] == [
        ["a", "9.0", "1", "y.json"],
        ["c", "6.0", "2", "x.json"],
        ["b", "5.0", "1", "x.json"],
    ]
    assert f"has {100 * (1 - nested / 8):.0f} % less error than simple (" in table


def test_intervals_are_of_features_drawn_with_repetition(choose):
    "As of a mean of two kinds, whose draws are binomial."
    squares, n = np.array([0.0, 0.0, 0.0, 100.0]), np.ones(4, dtype=int)
    found = choose.draw_rmse(squares, n) ** 2 / 25
    assert set(np.unique(found.round(9))) == {0, 1, 2, 3, 4}
    np.testing.assert_allclose((found == 0).mean(), 0.75**4, atol=0.03)


def test_errors_of_other_pixels_are_not_compared(choose):
    other = candidate(choose, "y.json", 1, 2, 3)
    other.pixels.loc[0, "observed"] = 7.0
    with pytest.raises(
        SystemExit, match=r"y\.json: other known pixels than those of x"
    ):
        choose.compare([candidate(choose, "x.json", 1, 2, 3), other], 300.0)


def test_pixels_that_not_every_file_predicts_are_left_out(choose):
    "And it is said how many."
    other = candidate(choose, "y.json", np.nan, 2, 3)
    table = choose.compare([candidate(choose, "x.json", 100, 2, 3), other], 300.0)
    assert "1 known pixels are left out: not all predict them." in table
    rows = [line.split() for line in table.splitlines()]
    assert rows[1][1] == rows[2][1] == f"{np.sqrt((2**2 + 2 * 3**2) / 3):.1f}"
    assert not any(row[:1] == ["a"] for row in rows)


def test_a_feature_may_be_called_as_what_is_missing(choose, tmp_path):
    "NA is a name; an empty mean is no prediction."
    scores = {"kind": "regression", "best_baseline": None, "baselines": []}
    scores["uncertainty"] = {"calibrated": None}
    (tmp_path / "metrics.json").write_text(json.dumps({"outputs": {"h": scores}}))
    table = "output,feature,observed,mean\nh,NA,1,3\nh,nan,1,\n"
    (tmp_path / "predictions.csv").write_text(table)
    found = choose.read_candidate("x.json", tmp_path).pixels
    assert list(found["feature"]) == ["NA", "nan"]
    np.testing.assert_array_equal(found["error"], [2, np.nan])


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
