"""Which commands can tell more here, of features that are enough for them."""

from __future__ import annotations

from glacier_inversion.reporting.checks import CROSSVAL
from glacier_inversion.reporting.quantities import count
from glacier_inversion.reporting.sources import Sources

_TO_CALIBRATE = 4  # features that are measured
_CROSSVAL, _WITH_TEST = "ginv crossval", "ginv crossval --all"


def advise_checking(sources: Sources) -> str:
    """Say how to check predictions on features that were never seen."""
    command = find_crossval(sources)
    is_checked = "test" in sources.evaluations and not sources.is_earlier("test")
    has_test = bool(_find_measured(sources, "test")) and not is_checked
    if command is not None:
        also = ", or 'ginv evaluate' for the test features" * has_test
        return f"{sources.advise(command)}{also}."
    if has_test:
        return f"{sources.advise('ginv evaluate')} for the test features."
    return _measure(f"a cross-validation takes {count(_least(sources), 'feature')}")


def advise_more(sources: Sources, output: str, check: str) -> str:
    """Say how to check predictions on more features than a check has."""
    metrics = sources.evaluations[check].metrics
    command = find_crossval(sources, len(metrics.features) + 1)
    if check == CROSSVAL:  # which has those that it takes
        others = set(_find_measured(sources, "test", output)) - {*metrics.features}
        command = _WITH_TEST if others else None
    if command is None:
        return "Measure more glaciers."
    return f"{sources.advise(command)}, which checks more of the measured features."


def advise_calibrating(sources: Sources, output: str) -> str:
    """Say how to calibrate the uncertainty of an output."""
    command = find_crossval(sources, _TO_CALIBRATE, output)
    if command is None:
        return _measure(f"a calibration takes {count(_TO_CALIBRATE, 'feature')}")
    return f"{sources.advise(command)}, and draw the statistic 'uncertainty'."


def find_crossval(
    sources: Sources, least: int = 0, output: str | None = None
) -> str | None:
    """
    Return the command that cross-validates over so many features at least.

    Parameters
    ----------
    least : int
        Where it takes more itself, it counts these.
    output : str, optional
        That must be measured on them; else any.

    Returns
    -------
    command : str or None
        With the test features where it takes them; None where all are too few. Of a
        model of an earlier version, which did not keep them, they may be enough.
    """
    if sources.is_applied and sources.model.splits is None:
        return _CROSSVAL
    n_others, n_test = (
        sum(len(_find_measured(sources, split, output)) for split in splits)
        for splits in (("train", "validation"), ("test",))
    )
    least = max(least, _least(sources))
    if n_others >= least:
        return _CROSSVAL
    return _WITH_TEST if n_others + n_test >= least else None


def _least(sources: Sources) -> int:
    """Return how many a cross-validation takes: to hold out, train and validate on."""
    return 3 if sources.model.experiment.best_by.of_validation else 2


def _measure(why: str) -> str:
    return f"Measure more glaciers: {why} at least."


def _find_measured(
    sources: Sources, split: str, output: str | None = None
) -> list[str]:
    """
    Return the features of a split on which an output is known, or may be.

    By what their tiles hold, which reach beyond the outlines. Of features that are not
    here, as where a model is only applied, all are taken to be measured.
    """
    if sources.is_applied:
        return (sources.model.splits or {}).get(split, [])
    truths = [
        variable.name
        for variable in sources.model.experiment.outputs
        if output in (None, variable.name) and sources.dataset.has_truth(variable)
    ]
    return [
        row.feature
        for row in sources.summary.features
        if sources.dataset.splits.get(row.feature) == split
        and any(row.rasters[truth].valid > 0 for truth in truths)
    ]
