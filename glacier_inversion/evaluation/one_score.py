"""One score of a model for each output: what programs that choose models compare."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from glacier_inversion.evaluation.metrics import KINDS


def pick_scores(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """
    Pick one score of each output from what metrics.json holds, the less the better.

    Parameters
    ----------
    metrics : mapping
        As `crossval` and `evaluate` give it.

    Returns
    -------
    picked : dict
        `model`, and under `outputs` of each output: the name of the `score`, which is
        "rmse" of what is measured and "brier" of what is 0 or 1; its `value` for the
        mean of the members, None where nothing could be predicted; its `interval` of
        95 % over the features, or groups, None of fewer than four; its `unit`; the
        number `n` of pixels; and `features`, the value of each, with its `n`.

    Examples
    --------
    >>> ensemble = {
    ...     "n": 2,
    ...     "rmse": 5.0,
    ...     "intervals": None,
    ...     "features": [{"feature": "a", "n": 2, "rmse": 5.0, "bias": 1.0}],
    ... }
    >>> scores = {"kind": "regression", "unit": "m", "ensemble": ensemble}
    >>> picked = pick_scores({"model": "alps", "outputs": {"thickness": scores}})
    >>> picked["outputs"]["thickness"]["value"]
    5.0
    >>> picked["outputs"]["thickness"]["features"]
    [{'feature': 'a', 'n': 2, 'value': 5.0}]
    """
    outputs = {}
    for output, scores in metrics["outputs"].items():
        error, ensemble = KINDS[scores["kind"]].error.name, scores["ensemble"]
        outputs[output] = {
            "score": error,
            "value": ensemble.get(error),
            "interval": (ensemble["intervals"] or {}).get(error),
            "unit": scores["unit"],
            "n": ensemble["n"],
            "features": [
                {"feature": part["feature"], "n": part["n"], "value": part.get(error)}
                for part in ensemble["features"]
            ],
        }
    return {"model": metrics["model"], "outputs": outputs}
