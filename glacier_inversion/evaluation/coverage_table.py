"""The table of what intervals cover, for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from glacier_inversion.training.model.calibration import LEVELS, widest_level

_WITH_NOISE = "as members spread, with noise"
_WAYS = {
    "spread": "as the members spread",
    "calibrated": "calibrated",
    "constant": "of one size everywhere",
}


def list_coverage(
    uncertainty: Mapping[str, Any], write_error: Callable[[float], str]
) -> list[list[str]]:
    """
    Return the rows of a table: the shares of pixels inside, and interval scores.

    Parameters
    ----------
    uncertainty : mapping
        As `calibrate_output` or `score_calibration` return it.
    write_error : callable
        Writes a number in the output's unit.
    """
    ways = {way: uncertainty[way] for way in _WAYS if way in uncertainty}
    ways = {way: scores for way, scores in ways.items() if scores["levels"]}
    if not ways:
        return []
    called = dict(_WAYS)
    if uncertainty["counts_noise"]:
        called["spread"] = _WITH_NOISE
    levels = [f"{level} %" for level in LEVELS]
    rows = [["known pixels inside intervals, %", *levels, "CRPS"]]
    for way, scores in ways.items():
        crps = write_error(scores["crps"])
        rows.append(_row(called[way], scores, lambda s: _percent(s["coverage"]), crps))
        if way != "calibrated":
            continue
        if any(level["interval"] for level in scores["levels"].values()):
            rows.append(_row("  95 % interval, from", scores, lambda s: _limit(s, 0)))
            rows.append(_row("  95 % interval, to", scores, lambda s: _limit(s, 1)))
        rows.append(_row("  worst feature", scores, lambda s: _percent(s["least"])))
    rows += [[], ["interval score, the less the better", *levels]]
    for way, scores in ways.items():
        rows.append(
            _row(called[way], scores, lambda s: write_error(s["interval_score"]))
        )
    return rows


def tell_calibration(uncertainty: Mapping[str, Any]) -> list[str]:
    """Say what the intervals are, and what few features cannot promise."""
    said: list[str] = []
    if not uncertainty:
        return said
    if "constant" in uncertainty:  # of a cross-validation
        n_features = uncertainty["n_features"]
        said.append(
            "calibrated: fitted to errors on the other features, and checked on each; "
            "but the networks of these errors knew the feature."
        )
        widest = widest_level(n_features)
        beyond = [level for level in LEVELS if level > widest]
        if beyond:
            said.append(
                f"{n_features} features can promise a new one no more than "
                f"{widest:.1f} %: the intervals of {beyond[0]} % are nominal."
            )
    elif "calibrated" not in uncertainty:
        said.append(
            "Not calibrated: the spread of the members is no error. 'ginv crossval' "
            "calibrates."
        )
    elif uncertainty["features_calibrated"]:
        said.append(
            "The calibration was fitted to errors on some of these features: what it "
            "covers here is no test of it."
        )
    return said


def _row(
    name: str,
    scores: Mapping[str, Any],
    write: Callable[[Mapping[str, Any]], str],
    last: str = "",
) -> list[str]:
    levels = [scores["levels"].get(str(level)) for level in LEVELS]
    return [name, *(write(level) if level else "" for level in levels), last]


def _percent(share: float | None) -> str:
    """
    Write a share in percent.

    >>> _percent(0.6771), _percent(None)
    ('67.7', '')
    """
    return "" if share is None else f"{100 * share:.1f}"


def _limit(scores: Mapping[str, Any], side: int) -> str:
    limits = scores["interval"]
    return _percent(limits[side] if limits else None)
