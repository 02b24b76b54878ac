"""The criterion: its names, its column in the log, and what is better."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from glacier_inversion.errors import nearest
from glacier_inversion.experiment.raw import RawExperiment
from glacier_inversion.json_files import Problem


def criteria(outputs: list[str], metrics: dict[str, Any]) -> list[str]:
    """
    Return every criterion that an experiment may name.

    >>> criteria(["h"], {"h": ["mae"]})
    ['loss', 'h_loss', 'h_mae', 'mae', 'val_loss', 'val_h_loss', 'val_h_mae', 'val_mae']
    """
    names = ["loss"]
    for output in outputs:
        own = _metrics_of(output, metrics)
        names += [f"{output}_loss", *(f"{output}_{metric}" for metric in own)]
        names += own if len(outputs) == 1 else []
    return [*names, *(f"val_{name}" for name in names)]


def _metrics_of(output: str, metrics: dict[str, Any]) -> list[str]:
    """Return the metrics of an output, as far as the file names them rightly."""
    own = metrics.get(output, [])
    return [m for m in own if isinstance(m, str)] if isinstance(own, list) else []


def log_columns(outputs: list[str], metrics: dict[str, Any]) -> list[str]:
    """
    Return the columns of log.csv, in order.

    >>> log_columns(["h"], {"h": ["mae"]})[2:]
    ['loss', 'h_loss', 'h_mae', 'val_loss', 'val_h_loss', 'val_h_mae']
    """
    names = ["loss"]
    for output in outputs:
        own = _metrics_of(output, metrics)
        names += [f"{output}_{error}" for error in ("loss", *dict.fromkeys(own))]
    return ["epoch", "learning_rate", *names, *(f"val_{name}" for name in names)]


def find_colliding_columns(view: RawExperiment) -> Iterator[Problem]:
    """Refuse outputs whose losses or metrics would have one name in the log."""
    outputs = list(dict.fromkeys(view.names("outputs")))
    columns = log_columns(outputs, view.section("metrics_name"))
    twice = [name for name, n in Counter(columns).items() if n > 1]
    if twice:
        yield (
            "outputs",
            f"the names {', '.join(map(repr, outputs))} give the column {twice[0]!r} "
            "of log.csv two meanings. Must be told apart. Rename an output, such as "
            "one that begins with 'val'",
        )


def find_wrong_criterion(view: RawExperiment) -> Iterator[Problem]:
    """Refuse a criterion that is neither a loss nor a metric of the experiment."""
    criterion = view.value("criterion")
    allowed = criteria(view.names("outputs"), view.section("metrics_name"))
    if isinstance(criterion, str) and criterion not in allowed:
        yield (
            "criterion",
            f"{criterion!r} is neither a loss nor a metric of this experiment. "
            f"{nearest(criterion, allowed)} Use one of them, or add the metric to "
            "metrics_name",
        )


@dataclass(frozen=True)
class Criterion:
    """
    What improvement means: it picks the best epoch and drives the learning rate.

    Attributes
    ----------
    name : str
        As the experiment has it.
    column : str
        Of log.csv.
    """

    name: str
    column: str

    @classmethod
    def named(cls, name: str, outputs: list[str], metrics: dict[str, Any]) -> Criterion:
        """
        Find the column of a criterion; with one output its name may be left out.

        >>> Criterion.named("val_mae", ["h"], {"h": ["mae"]}).column
        'val_h_mae'
        """
        if name in log_columns(outputs, metrics):
            return cls(name, name)
        prefix = "val_" if name.startswith("val_") else ""
        return cls(name, f"{prefix}{outputs[0]}_{name.removeprefix('val_')}")

    @property
    def of_validation(self) -> bool:
        """Whether it is one of the validation features."""
        return self.column.startswith("val_")

    def score(self, value: float) -> float:
        """
        Return a number that is the less, the better *value* is; of NaN infinity.

        >>> Criterion("val_h_nan_bias", "").score(-3.0)
        3.0
        >>> Criterion("binary_accuracy", "").score(0.75)
        -0.75
        """
        if math.isnan(value):
            return math.inf
        if self.name.endswith("binary_accuracy"):
            return -value
        return abs(value) if self.name.endswith("bias") else value

    def best_epoch(self, values: Iterable[float]) -> int | None:
        """
        Return the first of the best epochs, None where no value is a finite number.

        >>> Criterion("loss", "loss").best_epoch([math.nan, 2.0, 1.0, 1.0])
        2
        """
        scores = [self.score(value) for value in values]
        least = min(scores, default=math.inf)
        return scores.index(least) if math.isfinite(least) else None
