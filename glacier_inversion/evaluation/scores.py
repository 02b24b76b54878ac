"""How good a model is on an output, as metrics.json says it."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glacier_inversion.errors import DatasetError
from glacier_inversion.evaluation.baselines import Method
from glacier_inversion.evaluation.bootstrap import (
    LEAST_FEATURES,
    LEVEL,
    N_RESAMPLES,
    compare,
    find_intervals,
)
from glacier_inversion.evaluation.metrics import (
    CLASSIFICATION,
    REGRESSION,
    Kind,
    measure,
    reliability,
)
from glacier_inversion.evaluation.pixels import KnownPixels

logger = logging.getLogger(__name__)

Floats = NDArray[np.float64]
Scores = dict[str, Any]

_QUARTILES = (0.25, 0.5, 0.75)


def score_output(
    kind: Kind,
    pixels: KnownPixels,
    seeds: Sequence[int],
    methods: Sequence[Method],
    classes: Sequence[float] | None,
    unit: str | None,
    groups: Mapping[str, str] | None = None,
) -> Scores:
    """
    Measure the ensemble's mean, its members and other methods on an output.

    All are measured at the pixels where the ensemble predicts; a method that says
    nothing at some of these is measured, and compared with the ensemble, at the others.

    Parameters
    ----------
    pixels : KnownPixels
        With what each member predicts.
    seeds : sequence of int
        Of the members.
    classes : sequence of float, optional
        Values between classes of the observed; default its quartiles.
    groups : mapping of str, optional
        Of features that belong together: intervals are those of a bootstrap over these.

    Returns
    -------
    scores : dict
        What metrics.json holds of the output; None for what a number cannot say.
    """
    mean = pixels.mean
    seen = np.isfinite(mean)
    observed, feature = pixels.observed[seen], pixels.feature[seen]
    drawn = pixels.group(groups)[0][seen]
    edges: list[float] = []
    if kind is REGRESSION and len(observed):
        found = np.quantile(observed, _QUARTILES) if classes is None else classes
        edges = sorted({float(edge) for edge in found})

    def score(predicted: Floats, with_bins: bool = False) -> Scores:
        there = np.isfinite(predicted)
        values = observed[there], predicted[there]
        found: Scores = {
            "n": int(there.sum()),
            **_plain(measure(kind, *values)),
            "intervals": find_intervals(kind, *values, drawn[there]),
            "features": _by_feature(kind, pixels.features, feature[there], *values),
        }
        if edges:
            found["classes"] = _by_class(kind, edges, *values)
        if with_bins and kind is not REGRESSION:
            found["reliability"] = reliability(*values)
        return found

    ensemble = {"method": "ensemble", **score(mean[seen], with_bins=True)}
    members = [
        {"method": f"seed_{seed:03d}", **score(values[seen])}
        for seed, values in zip(seeds, pixels.members, strict=True)
    ]
    baselines = []
    for method in methods:
        predicted = method.predicted[seen]
        there = np.isfinite(predicted)
        skill, limits = compare(
            kind,
            observed[there],
            mean[seen][there],
            predicted[there],
            drawn[there],
        )
        baselines.append(
            {
                "method": method.name,
                "description": method.description,
                "fitted": method.fitted,
                **score(predicted),
                "skill_of_ensemble": skill if math.isfinite(skill) else None,
                "skill_interval": limits,
            }
        )
    return {
        "kind": kind.name,
        "unit": unit,
        "n_known": len(pixels.observed),
        "n_predicted": len(observed),
        "n_features": len(np.unique(feature)),
        "n_groups": None if groups is None else len(np.unique(drawn)),
        "intervals": {
            "level": LEVEL,
            "resamples": N_RESAMPLES,
            "least_features": LEAST_FEATURES,
        },
        "classes": edges,
        "best_baseline": _best(baselines),
        "ensemble": ensemble,
        "members": members,
        "baselines": baselines,
    }


def score_outputs(
    losses: Mapping[str, str],
    classes: Mapping[str, Sequence[float]],
    pixels: Mapping[str, KnownPixels],
    seeds: Sequence[int],
    methods: Mapping[str, Sequence[Method]],
    units: Mapping[str, str | None],
    where: str,
    groups: Mapping[str, str] | None = None,
) -> dict[str, Scores]:
    """
    Score every output that is known somewhere, as `score_output` does.

    Parameters
    ----------
    losses : mapping of str
        By output; a crossentropy is that of classes.
    classes : mapping of sequences of float
        Values between classes of the observed, as far as the experiment names them.
    where : str
        What the features are, for messages.
    groups : mapping of str, optional
        As `score_output` takes them.

    Raises
    ------
    DatasetError
        None is.
    """
    known = {output: of for output, of in pixels.items() if len(of.observed)}
    unknown = [output for output in pixels if output not in known]
    if not known:
        message = (
            f"{where}: {', '.join(unknown) or 'no output'} is known nowhere. Must be "
            "known on one feature at least, to be compared with. Evaluate other "
            "features, or build the dataset anew with the measurements."
        )
        raise DatasetError(message)
    for output in unknown:
        logger.warning("%s: is known nowhere on these features: left out", output)
    return {
        output: score_output(
            kind_of(losses[output]),
            of,
            seeds,
            methods[output],
            classes.get(output),
            units.get(output),
            groups,
        )
        for output, of in known.items()
    }


def kind_of(loss: str) -> Kind:
    """
    Return how an output of this loss is measured.

    >>> kind_of("nan_binary_crossentropy").name
    'classification'
    """
    return CLASSIFICATION if "binary_crossentropy" in loss else REGRESSION


def _best(baselines: list[Scores]) -> Scores | None:
    """Return the baseline that the ensemble is least better than."""
    known = [b for b in baselines if b["skill_of_ensemble"] is not None]
    if not known:
        return None
    best = min(known, key=lambda baseline: float(baseline["skill_of_ensemble"]))
    return {
        "method": best["method"],
        "description": best["description"],
        "skill": best["skill_of_ensemble"],
        "interval": best["skill_interval"],
    }


def _by_feature(
    kind: Kind,
    features: list[str],
    feature: NDArray[np.intp],
    observed: Floats,
    predicted: Floats,
) -> list[Scores]:
    order = np.argsort(feature, kind="stable")
    numbers, begin = np.unique(feature[order], return_index=True)
    return [
        {
            "feature": features[number],
            "n": len(part),
            **_plain(measure(kind, observed[part], predicted[part])),
        }
        for number, part in zip(numbers, np.split(order, begin[1:]), strict=True)
    ]


def _by_class(
    kind: Kind, edges: list[float], observed: Floats, predicted: Floats
) -> list[Scores]:
    number = np.searchsorted(edges, observed, side="right")
    limits = [None, *edges, None]
    classes = []
    for i in range(len(edges) + 1):
        part = number == i
        values = measure(kind, observed[part], predicted[part])
        classes.append(
            {
                "from": limits[i],
                "to": limits[i + 1],
                "n": int(part.sum()),
                **_plain({name: values[name] for name in kind.names_of_parts}),
            }
        )
    return classes


def _plain(values: dict[str, float]) -> dict[str, float | None]:
    """Return numbers as JSON can hold them."""
    return {k: v if math.isfinite(v) else None for k, v in values.items()}
