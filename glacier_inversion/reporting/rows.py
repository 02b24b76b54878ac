"""The table of features: what is known of each."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from glacier_inversion.evaluation.metrics import KINDS
from glacier_inversion.reporting.sources import Row, Sources
from glacier_inversion.training.model.member_statistics import total_spread

LEVEL = 95
"""The intervals, in percent, whose coverage the table tells."""


@dataclass
class FeatureRow:
    """
    What is known of a feature; None for what is not.

    Attributes
    ----------
    area_km2, drawn, applies_not : float
        Area inside the outline; shares of the pixels inside it that are drawn, and of
        the drawn ones that the model does not know the like of.
    checked_by : str
        The evaluation that errors are from.
    n_known : int
    error, bias : float
        RMSE, or the Brier score of a probability, and predicted minus measured.
    coverage : float
        The share of the known pixels that 95 % intervals held which were fitted without
        this feature.
    mean, volume_km3 : float
    drawn_by : str
        Digest of the model that drew the map; empty where the map does not say.
    volume_interval : tuple of float
        Of 95 %, km3.
    """

    feature: str
    split: str = ""
    area_km2: float | None = None
    drawn: float | None = None
    applies_not: float | None = None
    checked_by: str = ""
    n_known: int | None = None
    error: float | None = None
    bias: float | None = None
    coverage: float | None = None
    mean: float | None = None
    drawn_by: str | None = None
    volume_km3: float | None = None
    volume_interval: tuple[float, float] | None = None


def tell_features(sources: Sources, output: str) -> list[FeatureRow]:
    """Return a row for each feature of the dataset, the largest first."""
    splits = sources.splits
    rows = {
        told.feature: FeatureRow(
            told.feature, splits.get(told.feature, ""), told.area_km2
        )
        for told in sources.summary.features
    }
    checks = sources.scores(output) if sources.has_training_features else {}
    for name, scores in checks.items():
        for of_feature in scores.ensemble.features:
            row = rows.get(of_feature.feature)
            if row is None or row.checked_by:  # by an evaluation that says more
                continue
            row.checked_by, row.n_known = name, of_feature.n
            row.error = of_feature[KINDS[scores.kind].error.name]
            row.bias = of_feature["bias"]
    for feature, share in covered(sources, output).items():
        if feature in rows:
            rows[feature].coverage = share
    for feature, facts in sources.facts[output].items():
        row = rows[feature]
        row.mean = facts.mean if math.isfinite(facts.mean) else None
        row.drawn_by = facts.model_sha256
    for told in sources.holes:
        row = rows.get(told["feature"])
        if row is not None and row.drawn_by is not None:
            row.drawn = share_of(told, "drawn", "pixels")
            row.applies_not = share_of(told, "unlike_training", "compared")
    for told in sources.volumes_of(output):
        row = rows.get(told["feature"])
        if row is not None and row.drawn_by is not None:
            _tell_volume(row, told)
    return sorted(rows.values(), key=lambda row: (-(row.area_km2 or 0), row.feature))


def covered(sources: Sources, output: str) -> dict[str, float]:
    """
    Return the share of known pixels that 95 % intervals hold, by feature.

    What the calibration tells is of intervals that were fitted to the other features.
    Of features that it was not fitted to, and that the networks had not seen either,
    the share is counted.
    """
    calibration = sources.calibrated(output)
    if calibration is None or not sources.has_training_features:
        return {}
    own: dict[str, float] = {}
    for name in sources.never_seen:
        if name not in sources.scores(output):
            continue
        table = sources.residuals(output, name)
        if table is None or sources.is_earlier(name):
            continue
        table = table[~table["feature"].isin([*calibration.features, *own])]
        if calibration.counts_noise:  # earlier versions did not keep it
            table = table[table["noise"].notna()]
        mean, spread, noise = (
            table[c].to_numpy().astype("f4") for c in ("mean", "std", "noise")
        )
        if calibration.counts_noise:
            spread = total_spread(spread, noise**2)
        lower, upper = calibration.bounds(LEVEL, spread, mean)
        observed = table["observed"].to_numpy()
        is_in = (observed >= lower) & (observed <= upper)
        own |= table.assign(is_in=is_in).groupby("feature")["is_in"].mean().to_dict()
    return {**own, **calibration.levels[LEVEL].coverage_by_feature}


def number_in(row: Mapping[str, Any], *columns: str) -> float | None:
    """Return the first of some columns that a row has, as a number; None of none."""
    for column in columns:
        try:
            value = float(row[column])
        except (KeyError, TypeError, ValueError):
            continue
        return value if math.isfinite(value) else None
    return None


def share_of(row: Row, part: str, whole: str) -> float | None:
    """Return a share of two counts, None where there is nothing to have one of."""
    n, of = number_in(row, part), number_in(row, whole)
    return None if n is None or not of else n / of


def total(values: Iterable[float | None]) -> float:
    """Add up what is known."""
    return sum(value for value in values if value is not None)


def _tell_volume(row: FeatureRow, told: Row) -> None:
    row.volume_km3 = number_in(told, "volume_km3")
    low, high = number_in(told, "lower95_km3"), number_in(told, "upper95_km3")
    if low is not None and high is not None:
        row.volume_interval = low, high
