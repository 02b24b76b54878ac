"""The report in a few plain sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from glacier_inversion.evaluation.metrics import REGRESSION
from glacier_inversion.evaluation.metrics_file import OutputScores
from glacier_inversion.reporting.quantities import (
    count,
    exact,
    names,
    number,
    percent,
    span,
)
from glacier_inversion.reporting.rows import LEVEL, FeatureRow, number_in, total
from glacier_inversion.reporting.sources import CHECKS, Sources


@dataclass(frozen=True)
class Answer:
    """A question that a reader has, and the answer in a sentence or two."""

    question: str
    answer: str


def summarise(
    sources: Sources, output: str, rows: Sequence[FeatureRow]
) -> list[Answer]:
    """Answer what a reader asks first about an output."""
    model, unit = sources.model.experiment, sources.unit(output)
    trained = (sources.model.splits or {}).get("train", [])
    of_trained = ""
    if trained:
        n_trained = count(len(trained), "feature")
        of_trained = f" that have learnt from {n_trained}, glaciers or parts of them"
    inputs = names([variable.name for variable in model.inputs], 10)
    what = f"{output} in {unit}" if unit else output
    answers = [
        Answer(
            "What was predicted?",
            f"{what}, from maps of {inputs}, by "
            f"{count(len(sources.seeds), 'neural network')}{of_trained}. What is "
            "shown is the mean of the networks, in pixels of "
            f"{exact(model.finest_resolution, 'm')}.",
        )
    ]
    best = sources.best(output)
    if best is None:
        answers.append(Answer("How good is it?", "Not checked in this workspace."))
    else:
        scores = sources.scores(output)[best]
        answers.append(Answer("How good is it?", _goodness(sources, output, best)))
        if scores.kind == REGRESSION.name:
            answers.append(
                Answer("Is the uncertainty honest?", _honesty(sources, output, best))
            )
    answers.append(Answer("What is drawn?", _extent(sources, output, rows)))
    if applies := tell_applicability(rows):
        answers.append(Answer("Where does the model apply?", applies))
    volume = tell_volume(sources, output)
    if volume:
        answers.append(Answer("How much ice is that?", volume))
    return answers


def _goodness(sources: Sources, output: str, name: str) -> str:
    scores, unit = sources.scores(output)[name], sources.unit(output)
    ensemble = scores.ensemble
    intervals = ensemble.intervals or {}
    where = (
        f"At {count(scores.n_predicted, 'measured pixel')} of "
        f"{count(scores.n_features, 'feature')} ({CHECKS[name]})"
    )
    if scores.kind != REGRESSION.name:
        said = (
            f"{where}, {percent(ensemble.accuracy, 1)} are classified as measured; the "
            f"Brier score is {number(ensemble.brier)} (0 is perfect)."
        )
        return f"{said} {_skill(scores)}".strip()
    within = ""
    if limits := intervals.get("rmse"):
        within = f" (95 % interval {span(limits, unit, like=ensemble.rmse)})"
    bias = ensemble.bias or 0.0
    side = "too high" if bias > 0 else "too low"
    observed = sources.residuals(output, name)["observed"]
    mean = number(float(observed.mean()), unit)
    said = (
        f"{where}, predictions differ from what was measured by "
        f"{number(ensemble.rmse, unit)}{within}, as the root mean square (RMSE); on "
        f"average they are {number(abs(bias), unit, like=ensemble.rmse)} {side}. The "
        f"measured values are {mean} on average."
    )
    return f"{said} {_skill(scores)}".strip()


def _skill(scores: OutputScores) -> str:
    """Compare with the best of the simple methods."""
    best = scores.best_baseline
    if best is None or best.skill is None:
        return ""
    limits, side = best.interval, 1 if best.skill > 0 else -1
    within = ""
    if limits:
        ends = sorted(100 * side * end for end in limits)
        within = f" (95 % interval {span(ends, '%', 2)})"
    if best.skill > 0:
        verdict = f"errs {percent(best.skill)} less{within} than"
    else:
        verdict = (
            f"is no better than, and errs {percent(-best.skill)} more{within} than,"
        )
    doubt = ""
    if best.skill > 0 and (limits is None or limits[0] <= 0):
        doubt = " That may be chance."
    return f"The ensemble {verdict} the best simple method, {best.description}.{doubt}"


def _honesty(sources: Sources, output: str, name: str) -> str:
    scores = sources.scores(output)[name]
    uncertainty, group = scores.uncertainty, "the group " * (scores.one == "group")
    of_spread = uncertainty.spread.levels.get(LEVEL) if uncertainty else None
    calibrated = uncertainty.calibrated if uncertainty else None
    held = calibrated.levels.get(LEVEL) if calibrated else None
    spread = ""
    if of_spread is not None:
        spread = (
            f" Intervals from the mere spread of the networks held "
            f"{percent(of_spread.coverage)}."
        )
    if held is None and sources.calibrated(output) is not None:
        return (
            "It is calibrated, but this check does not tell what its intervals hold. "
            "Run it again."
        )
    if held is None:
        return (
            "It is not calibrated: there is only the spread of the networks, which is "
            f"no error.{spread}"
        )
    worst = ""
    if held.least < held.coverage:
        worst = (
            f"; on {group}{held.least_feature}, where they held least, "
            f"{percent(held.least, 1)}"
        )
    known = uncertainty.features_calibrated if uncertainty else []
    flattered = " They were fitted to these very errors, which flatters." * bool(known)
    return (
        f"Calibrated intervals that are meant to hold {LEVEL} % of the measured pixels "
        f"held {percent(held.coverage, 1)}{worst}.{flattered}{spread}"
    )


def _extent(sources: Sources, output: str, rows: Sequence[FeatureRow]) -> str:
    there = set(sources.drawn[output])
    drawn = [row for row in rows if row.feature in there]
    if not drawn:
        return "Nothing is drawn."
    n_pixels = total(number_in(row, "pixels") for row in sources.holes)
    n_drawn = total(number_in(row, "drawn") for row in sources.holes)
    share = ""
    if n_pixels:
        share = f" {percent(n_drawn / n_pixels, 1)} of the pixels inside have a value."
    return f"{len(drawn):,} of {count(len(rows), 'feature')}.{share}"


def tell_applicability(rows: Sequence[FeatureRow]) -> str:
    """Tell how much of the area resembles training, nothing where that is not known."""
    told = [row for row in rows if row.applies_not is not None and row.area_km2]
    if not told:
        return ""
    beyond = total((row.applies_not or 0) * (row.area_km2 or 0) for row in told)
    share = beyond / total(row.area_km2 for row in told)
    return (
        f"{percent(1 - share)} of the drawn area resembles what the networks were "
        f"trained on; {percent(share)} does not, and predictions there are guesses."
    )


def tell_volume(sources: Sources, output: str) -> str:
    """Tell the volume of all drawn features together, nothing where there is none."""
    told = sources.volume_of_all(output)
    if told is None:
        return ""
    volume, area = number_in(told, "volume_km3"), number_in(told, "area_km2")
    low, high = number_in(told, "lower95_km3"), number_in(told, "upper95_km3")
    within = " (how far it may be off is not known)"
    if low is not None and high is not None:
        within = f" (95 % interval {span((low, high), 'km³')})"
    return f"{number(volume, 'km³')}{within}, on {number(area, 'km²')}."
