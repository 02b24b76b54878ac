"""What limits the trust in a model: what has changed since, and what it lacks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from glacier_inversion.errors import DatasetError
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.reporting.caution import Caution
from glacier_inversion.reporting.checks import CROSSVAL, OfModel
from glacier_inversion.reporting.quantities import count, names
from glacier_inversion.reporting.sources import Sources


def of_model(sources: Sources) -> Iterator[Caution]:
    """Yield what concerns the model and its evaluations, the gravest first."""
    yield from _of_earlier_models(sources)
    yield from _of_changes(sources)


def of_files(sources: Sources) -> Iterator[Caution]:
    """Yield what could not be read."""
    remedy = "Do what is said there, and run 'ginv report' again."
    if sources.is_applied:
        remedy = (
            "This file can run 'ginv draw'. 'ginv train', 'ginv crossval' and 'ginv "
            "evaluate' run where the model was trained, with its experiment."
        )
    for message in sources.broken:
        yield Caution("A file could not be used", message, remedy)


def _of_earlier_models(sources: Sources) -> Iterator[Caution]:
    """Say which errors are, or may be, those of another model or calibration."""
    digest = None if sources.calibration is None else sources.calibration.digest
    for name, found in sources.evaluations.items():
        command = sources.advise(_command(name))
        if found.of_model is OfModel.NO:
            yield Caution(
                f"The errors of the check {name!r} are of an earlier model",
                "The model was trained anew, or has other networks, since they were "
                "found. They say nothing certain of the maps of this one.",
                f"{command} again.",
            )
        elif found.of_model is OfModel.UNKNOWN:
            yield Caution(
                f"The check {name!r} does not say of which model it is",
                "An earlier version wrote it, or nothing could be trained from the "
                "experiment. Its errors may be of an earlier model.",
                f"{command} again.",
            )
        elif (n_networks := len(found.metrics.seeds)) != len(sources.seeds):
            yield Caution(
                f"The check {name!r} is of {count(n_networks, 'network')}",
                f"The model has {len(sources.seeds)} now, so its errors may be others.",
                f"{command} again.",
            )
        elif digest and found.metrics.calibration_sha256 not in (None, digest):
            yield Caution(
                f"The check {name!r} is of intervals of an earlier calibration",
                "The model was calibrated anew since. What this check says of "
                "calibrated intervals is not of those that the maps and volumes show "
                "if they are drawn now. Its errors are those of the model.",
                f"{command} again.",
            )


def _command(check: str) -> str:
    """
    Return the command that makes an evaluation.

    >>> _command("crossval"), _command("validation")
    ('ginv crossval', 'ginv evaluate --split validation')
    """
    if check == CROSSVAL:
        return "ginv crossval"
    return "ginv evaluate" + f" --split {check}" * (check != "test")


def _of_changes(sources: Sources) -> Iterator[Caution]:
    model, experiment = sources.model, sources.experiment
    if not isinstance(experiment, Experiment):
        return
    now = replace(model, experiment=experiment, splits=None)
    if differing := model.differing(now):
        yield Caution(
            "The experiment has changed since the model was trained",
            f"These values are others now: {names(differing, 8)}. This report tells of "
            "the model as it was trained.",
            "Train anew with 'ginv train --overwrite' if the change matters, then "
            "evaluate and draw again.",
        )
        return
    try:
        contents = sources.dataset.input_contents(experiment)
    except (DatasetError, KeyError):
        contents = {}
    moved = [key for key, value in contents.items() if model.contents.get(key) != value]
    if moved:
        inputs = names([key.rpartition(".")[2] for key in moved], 8)
        yield Caution(
            "The dataset has changed since the model was trained",
            f"Other tiles, or other features, are in training and validation now. "
            f"Inputs that differ: {inputs}.",
            "Train anew with 'ginv train --overwrite', then evaluate and draw again.",
        )


def of_members(sources: Sources) -> Iterator[Caution]:
    """Yield what is missing of the ensemble."""
    others = [seed for seed, state in sources.states.items() if state != "finished"]
    if others:
        yield Caution(
            f"{count(len(others), 'network')} not part of the ensemble",
            f"Of seed {names([str(seed) for seed in others], 10)}: training failed, or "
            "is not finished.",
            f"{sources.advise('ginv train --status')}: it says why.",
        )
    if len(sources.seeds) == 1:
        yield Caution(
            "The ensemble is a single network",
            "There is no spread: nothing says where networks would disagree.",
            f"{sources.advise('ginv train')} again, with a larger seeds_number.",
        )
