"""
Compare experiment files by cross-validation, and choose among them honestly.

    python experiments/aletsch/choose.py --workspace WORKSPACE FILE [FILE ...]

Each file is built and cross-validated, every feature left out alone; what an earlier
run finished is kept. A blend comes after the files of its models. The file with the
least RMSE of all features has been chosen by the very errors that it is then judged
by. The row below is free of that: for each feature the file is chosen that is best on
all the others, and it is judged on this one. The simpler method is the best one of the
first file's `baselines`, fitted without the feature, too.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

N_DRAWS = 2000  # of the bootstrap over features
LEVELS = ("68", "95")  # of the calibrated intervals


@dataclass(frozen=True)
class Candidate:
    """
    A file, and how its model errs on features that it was trained without.

    Attributes
    ----------
    name : str
    pixels : DataFrame
        Of each known pixel the `feature`, what was `observed`, and the `error`, NaN
        where nothing is predicted.
    baseline : mapping, optional
        The best simpler method, as metrics.json has it.
    coverage : tuple of float
        Share of the pixels inside the intervals of LEVELS; NaN if none are calibrated.
    """

    name: str
    pixels: pd.DataFrame
    baseline: dict[str, Any] | None
    coverage: tuple[float, ...]


def cross_validate(file: Path, workspace: Path) -> Candidate:
    """Cross-validate the first output of a file, and read what was found."""
    where = [str(file), "--workspace", str(workspace), "--quiet"]
    run_ginv("build-dataset", *where)
    printed = run_ginv("crossval", *where, "--leave-one-out", "--all", "--json")
    model = json.loads(printed)["model"]
    return read_candidate(file.name, workspace / "evaluations" / model / "crossval")


def run_ginv(*words: str) -> bytes:
    """Run a command that says itself what is wrong; return what it printed."""
    command = [sys.executable, "-m", "glacier_inversion", *words]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE)
    if done.returncode:
        sys.exit(done.returncode)
    return done.stdout


def read_candidate(name: str, folder: Path) -> Candidate:
    """Read what a cross-validation wrote of the first output."""
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    output, scores = next(iter(metrics["outputs"].items()))
    if scores["kind"] != "regression":
        sys.exit(f"{name}: {output!r} has no RMSE. Must be measured, not 0 or 1.")
    # a feature may be called NA
    pixels = pd.read_csv(
        folder / "predictions.csv",
        dtype={"feature": str},
        keep_default_na=False,
        na_values=[""],
    )
    pixels = pixels[pixels["output"] == output]
    pixels = pixels.assign(error=pixels["mean"] - pixels["observed"])
    best = (scores["best_baseline"] or {}).get("method")
    calibrated = scores["uncertainty"]["calibrated"]
    return Candidate(
        name,
        pixels[["feature", "observed", "error"]].reset_index(drop=True),
        next((b for b in scores["baselines"] if b["method"] == best), None),
        tuple(
            calibrated["levels"][level]["coverage"] if calibrated else np.nan
            for level in LEVELS
        ),
    )


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


def draw_rmse(squares: np.ndarray, n: np.ndarray) -> np.ndarray:
    """
    Return the RMSE of features that are drawn with repetition, the same in every call.

    Parameters
    ----------
    squares : float array, shape (n_features,)
        Sums of squared errors.
    n : int array, shape (n_features,)
        Known pixels.

    Returns
    -------
    rmse : float array, shape (N_DRAWS,)
    """
    drawn = np.random.default_rng(0).integers(len(n), size=(N_DRAWS, len(n)))
    return np.sqrt(squares[drawn].sum(axis=1) / n[drawn].sum(axis=1))


def compare(candidates: list[Candidate], thick: float) -> str:
    """Return a table of files, and of what is chosen among them."""
    first, *others = candidates
    for other in others:
        if not other.pixels[["feature", "observed"]].equals(
            first.pixels[["feature", "observed"]]
        ):
            sys.exit(f"{other.name}: other known pixels than those of {first.name}")
    errors = np.array([candidate.pixels["error"] for candidate in candidates])
    is_predicted = np.isfinite(errors).all(axis=0)
    errors, pixels = errors[:, is_predicted], first.pixels[is_predicted]
    place, features = pd.factorize(pixels["feature"])
    n = np.bincount(place)
    squares = np.array([np.bincount(place, own**2) for own in errors])
    chosen = choose_by_others(squares, n)
    nested = errors[chosen[place], np.arange(len(place))]
    is_thick = pixels["observed"].to_numpy() > thick

    def row(name: str, own: np.ndarray, coverage: tuple[float, ...]) -> list[Any]:
        by_feature = np.bincount(place, own**2)
        interval = np.percentile(draw_rmse(by_feature, n), [2.5, 97.5])
        rmse = np.sqrt((own**2).mean())
        bias = own[is_thick].mean() if is_thick.any() else np.nan
        shares = [100 * share for share in coverage]
        return [name, rmse, *interval, own.mean(), bias, *shares]

    unknown = tuple(np.nan for _ in LEVELS)
    rows = [
        row(candidate.name, own, candidate.coverage)
        for candidate, own in zip(candidates, errors, strict=True)
    ]
    rows.append(row("chosen by the other features", nested, unknown))
    of_nested = np.bincount(place, nested**2)
    lines = []
    if not is_predicted.all():
        n_left_out = np.count_nonzero(~is_predicted)
        lines.append(f"{n_left_out} known pixels are left out: not all predict them.")
    if first.baseline is not None:
        of_feature = {part["feature"]: part for part in first.baseline["features"]}
        parts = [of_feature[feature] for feature in features]
        if [part["n"] for part in parts] == list(n):
            simple = n * np.square([part["rmse"] for part in parts])
            drawn = draw_rmse(simple, n)
            rmse, interval = first.baseline["rmse"], np.percentile(drawn, [2.5, 97.5])
            name = first.baseline["description"]
            bias = first.baseline["bias"]
            rows.append([name, rmse, *interval, bias, np.nan, *unknown])
            gains = 100 * (1 - draw_rmse(of_nested, n) / drawn)
            low, high = np.percentile(gains, [2.5, 97.5])
            gain = 100 * (1 - np.sqrt((nested**2).mean()) / rmse)
            lines.append(
                f"What is chosen has {gain:.0f} % less error than {name} "
                f"({low:.0f} to {high:.0f} %)."
            )
    width = max(map(len, [*(each[0] for each in rows), *features])) + 2
    head = ["RMSE", "from", "to", "bias", f"> {thick:g}", *(f"{v} %" for v in LEVELS)]
    table = [" " * width + "".join(f"{word:>8}" for word in head)]
    for name, *numbers in rows:
        shown = ("" if np.isnan(each) else f"{each:.1f}" for each in numbers)
        table.append(f"{name:{width}}" + "".join(f"{each:>8}" for each in shown))
    table += ["", f"{'left out':{width}}{'RMSE':>8}{'n':>8}   chosen by the others"]
    for i in np.argsort(-of_nested / n):
        rmse, name = np.sqrt(of_nested[i] / n[i]), candidates[chosen[i]].name
        table.append(f"{features[i]:{width}}{rmse:8.1f}{n[i]:8d}   {name}")
    return "\n".join([*table, "", *lines])


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--workspace", type=Path, default=Path())
    parser.add_argument(
        "--thick",
        type=float,
        default=300.0,
        help="the bias is shown of what is known to be more, too (default 300)",
    )
    given = parser.parse_args()
    found = [cross_validate(file, given.workspace) for file in given.files]
    print(compare(found, given.thick))


if __name__ == "__main__":
    main()
