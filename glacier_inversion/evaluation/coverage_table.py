"""Tables of how honest an uncertainty is: for a terminal, and for metrics.csv."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from glacier_inversion.evaluation.coverage import N_BINS
from glacier_inversion.training.model.calibration import LEVELS, widest_level

_WITH_NOISE = "as members spread, with noise"
WAYS = {
    "spread": "as the members spread",
    "calibrated": "calibrated",
    "constant": "of one size everywhere",
}
_OF_LEVELS = {
    "coverage": "coverage",
    "least_coverage": "least",
    "std_coverage": "std",
    "mean_width": "mean_width",
    "interval_score": "interval_score",
}
_OF_SIGMA = ("crps", "pearson", "spearman")
COLUMNS = (
    *_OF_LEVELS,
    "coverage_low",
    "coverage_high",
    *_OF_SIGMA,
    *(f"pit_{number}" for number in range(1, N_BINS + 1)),
)
"""Of the rows that `list_scores` gives."""


def list_coverage(
    uncertainty: Mapping[str, Any],
    write_error: Callable[[float], str],
    one: str = "feature",
) -> list[list[str]]:
    """
    Return the rows of a table: what intervals hold, their widths and scores.

    Parameters
    ----------
    uncertainty : mapping
        As `calibrate_output` or `score_calibration` return it.
    write_error : callable
        Writes a number in the output's unit.
    one : {"feature", "group"}
        What the scores count as one.
    """
    ways = _ways(uncertainty)
    if not ways:
        return []
    called = name_ways(uncertainty["counts_noise"])
    levels = [f"{level} %" for level in LEVELS]
    rows = [["% of known pixels inside intervals of", *levels]]
    for way, scores in ways.items():
        rows.append(_row(called[way], scores, "coverage", _percent))
        if way == "constant":
            continue
        if any(level["interval"] for level in scores["levels"].values()):
            rows.append(_row("  bootstrap", scores, "interval", _limits))
        rows.append(_row(f"  worst {one}", scores, "least", _percent))
    for title, name in (
        ("mean width of intervals of", "mean_width"),
        ("interval score (less is better) of", "interval_score"),
    ):
        rows += [[], [title, *levels]]
        rows += [_row(called[way], ways[way], name, write_error) for way in ways]
    title = "CRPS, and correlation with |error|"
    rows += [[], [title, "CRPS", "Pearson", "Spearman"]]
    for way, scores in ways.items():
        both = (scores["pearson"], scores["spearman"])
        correlations = ["" if r is None else f"{r + 0.0:.2f}" for r in both]
        # of each feature's errors to the size of the others' it would say nothing
        shown = [] if way == "constant" else correlations
        rows.append([called[way], write_error(scores["crps"]), *shown])
    return rows


def list_pit(uncertainty: Mapping[str, Any]) -> list[list[str]]:
    """Return the rows of a table: where the observed lies in what is predicted."""
    ways = _ways(uncertainty)
    if not ways:
        return []
    called = name_ways(uncertainty["counts_noise"])
    rows = [["PIT histogram, % (10 each is right)", *map(str, range(1, N_BINS + 1))]]
    for way, scores in ways.items():
        rows.append([called[way], *(f"{100 * share:.0f}" for share in scores["pit"])])
    return rows


def tell_calibration(uncertainty: Mapping[str, Any], *, of_folds: bool) -> list[str]:
    """
    Say what the intervals are, and what few features cannot promise.

    Parameters
    ----------
    of_folds : bool
        The errors are those of a cross-validation.
    """
    if not uncertainty:
        return []
    if "calibrated" not in uncertainty:
        return [
            "Not calibrated: the spread of the members is no error. 'ginv crossval' "
            "calibrates, with four features or groups at least."
        ]
    said = []
    one = "group" if uncertainty["of_groups"] else "feature"
    if "features_calibrated" not in uncertainty:  # each feature was held out
        said.append(
            f"calibrated: the intervals of each {one} were fitted to the errors on the "
            f"other {one}s."
        )
        if of_folds:
            said.append(
                "The networks that erred on the others were trained on the "
                f"{one} itself, so the check is not fully independent of it."
            )
    elif uncertainty["features_calibrated"]:
        said.append(
            "The calibration was fitted to errors on some of these features: what it "
            "covers here is no test of it."
        )
    n_features = uncertainty["n_features"]
    said.append(
        "The levels of calibrated intervals are nominal: aimed at, not promised. From "
        f"K = {n_features} {one}s no more than {widest_level(n_features):.1f} % can be "
        "promised for a new one."
    )
    return said


def list_scores(
    uncertainty: Mapping[str, Any],
) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """
    Yield rows of metrics.csv: method, pixels, what of, and numbers by column.

    One of each way's standard errors, at all pixels, and one of its intervals of each
    level.
    """
    for way, scores in _ways(uncertainty).items():
        of_sigma = {name: scores[name] for name in ("n", *_OF_SIGMA)}
        shares = {f"pit_{i}": share for i, share in enumerate(scores["pit"], 1)}
        yield way, "all", "", {**of_sigma, **shares}
        for level, found in scores["levels"].items():
            low, high = found["interval"] or (None, None)
            values = {column: found[name] for column, name in _OF_LEVELS.items()}
            limits = {"coverage_low": low, "coverage_high": high}
            yield way, "level", level, {"n": found["n"], **values, **limits}


def _ways(uncertainty: Mapping[str, Any]) -> dict[str, Any]:
    """Return the scores of what says something: one member has no spread."""
    known = {way: uncertainty[way] for way in WAYS if way in uncertainty}
    return {way: scores for way, scores in known.items() if scores["levels"]}


def name_ways(counts_noise: bool) -> dict[str, str]:
    """
    Return what each way to intervals is called, by its key in metrics.json.

    Parameters
    ----------
    counts_noise : bool
        Whether the noise in the data that members learn is part of their spread.
    """
    return {**WAYS, "spread": _WITH_NOISE} if counts_noise else WAYS


def _row(
    name: str, scores: Mapping[str, Any], of: str, write: Callable[[Any], str]
) -> list[str]:
    return [name, *(write(scores["levels"][str(level)][of]) for level in LEVELS)]


def _percent(share: float) -> str:
    """
    Write a share in percent.

    >>> _percent(0.6771)
    '67.7'
    """
    return f"{100 * share:.1f}"


def _limits(interval: list[float] | None) -> str:
    """
    Write an interval of shares, nothing for None.

    >>> _limits([0.451, 0.596]), _limits(None)
    ('45 to 60', '')
    """
    return " to ".join(f"{100 * share:.0f}" for share in interval or [])
