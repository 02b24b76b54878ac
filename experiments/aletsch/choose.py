"""
Compare experiment files by cross-validation, and choose among them honestly.

    python experiments/aletsch/choose.py --workspace WORKSPACE FILE [FILE ...]

Each file is built, trained and cross-validated, every feature left out alone; what an
earlier run finished is kept. A blend comes after the files of its models. The file with
the least RMSE of all features has been chosen by the very errors that it is then judged
by. The last lines are free of that: for each feature the file is chosen that is best
on all the others, and it is judged on this one.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

N_DRAWS = 2000  # of the bootstrap over features


def cross_validate(file: Path, workspace: Path) -> dict[str, Any]:
    """Return what `ginv crossval --json` prints of the first output."""
    where = [str(file), "--workspace", str(workspace), "--quiet"]
    run_ginv("build-dataset", *where)
    run_ginv("train", *where)
    printed = run_ginv("crossval", *where, "--leave-one-out", "--all", "--json")
    output, score = next(iter(json.loads(printed)["outputs"].items()))
    if score["score"] != "rmse":
        sys.exit(f"{file}: {output!r} has no RMSE. Must be measured, not 0 or 1.")
    return score


def run_ginv(*words: str) -> bytes:
    """Run a command that says itself what is wrong; return what it printed."""
    command = [sys.executable, "-m", "glacier_inversion", *words]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE)
    if done.returncode:
        sys.exit(done.returncode)
    return done.stdout


def choose_by_others(squares: np.ndarray, n: np.ndarray) -> np.ndarray:
    """
    Return for each feature the file that has the least RMSE on all others.

    Parameters
    ----------
    squares : float array, shape (n_files, n_features)
        Sums of squared errors.
    n : int array, shape (n_features,)
        Known pixels.

    Returns
    -------
    chosen : int array, shape (n_features,)
    """
    of_others = squares.sum(axis=1, keepdims=True) - squares
    return (of_others / (n.sum() - n)).argmin(axis=0)


def bootstrap(squares: np.ndarray, n: np.ndarray) -> tuple[float, float, float]:
    """Return the RMSE of features, and its interval of 95 % over them."""
    drawn = np.random.default_rng(0).integers(len(n), size=(N_DRAWS, len(n)))
    rmse = np.sqrt(squares[drawn].sum(axis=1) / n[drawn].sum(axis=1))
    low, high = np.percentile(rmse, [2.5, 97.5])
    return float(np.sqrt(squares.sum() / n.sum())), float(low), float(high)


def compare(scores: dict[str, dict[str, Any]]) -> str:
    """Return a table of files, and of what is chosen among them."""
    parts = [score["features"] for score in scores.values()]
    features = [part["feature"] for part in parts[0]]
    n = np.array([part["n"] for part in parts[0]])
    for name, own in zip(scores, parts, strict=True):
        if [(p["feature"], p["n"]) for p in own] != list(zip(features, n, strict=True)):
            sys.exit(f"{name}: other features or known pixels than the first file's")
    squares = np.array([[p["n"] * p["value"] ** 2 for p in own] for own in parts])
    chosen = choose_by_others(squares, n)
    nested = squares[chosen, np.arange(len(n))]
    names = [*scores, "chosen by the other features"]
    width = max(map(len, [*names, *features])) + 2
    lines, rows = [f"{'':{width}}   RMSE   from     to"], []
    for name, score in scores.items():
        rows.append((name, score["value"], *(score["interval"] or (np.nan, np.nan))))
    rows.append((names[-1], *bootstrap(nested, n)))
    for name, *numbers in rows:
        lines.append(f"{name:{width}}" + "".join(f"{each:7.1f}" for each in numbers))
    lines += ["", f"{'left out':{width}}   RMSE      n   chosen by the others"]
    for i in np.argsort(-nested / n):
        rmse, file = np.sqrt(nested[i] / n[i]), names[chosen[i]]
        lines.append(f"{features[i]:{width}}{rmse:7.1f}{n[i]:7d}   {file}")
    return "\n".join(lines)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--workspace", type=Path, default=Path())
    given = parser.parse_args()
    scores = {f.name: cross_validate(f, given.workspace) for f in given.files}
    print(compare(scores))


if __name__ == "__main__":
    main()
