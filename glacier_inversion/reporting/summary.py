"""The report in a few plain sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from glacier_inversion.drawing.holes import share_unlike
from glacier_inversion.evaluation.coverage_table import name_ways
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
from glacier_inversion.reporting.skill import tell_skill
from glacier_inversion.reporting.sources import Sources
from glacier_inversion.reporting.volume_texts import tell_volume


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
    of_trained, n_networks = "", len(sources.seeds)
    if trained:
        n_trained = count(len(trained), "feature")
        learnt = "has learnt" if n_networks == 1 else "have learnt"
        of_trained = f" that {learnt} from {n_trained}, glaciers or parts of them"
        if model.extra_training is not None:
            n_mixed_in = count(len(sources.model.extra_features), "feature")
            of_trained += f", and {n_mixed_in} of {model.extra_training.dataset}"
    shown = "What is shown is the mean of the networks, in pixels of "
    if n_networks == 1:
        shown = "What is shown is in pixels of "
    inputs = names([variable.name for variable in model.inputs], 10)
    what = f"{output} in {unit}" if unit else output
    answers = [
        Answer(
            "What was predicted?",
            f"{what}, from maps of {inputs}, by "
            f"{count(n_networks, 'neural network')}{of_trained}. "
            f"{shown}{exact(model.finest_resolution, 'm')}.",
        )
    ]
    best = sources.best(output)
    if best is None:
        answers.append(Answer("How good is it?", "Not checked in this workspace."))
        if sources.calibrated(output) is not None:
            said = _of_calibration(sources, output)
            answers.append(Answer("Is the uncertainty honest?", said))
    else:
        scores = sources.scores(output)[best]
        answers.append(Answer("How good is it?", _goodness(sources, output, best)))
        if scores.kind == REGRESSION.name:
            answers.append(
                Answer("Is the uncertainty honest?", _honesty(sources, output, best))
            )
    answers.append(Answer("What is drawn?", _extent(sources, output, rows)))
    if applies := tell_applicability(sources):
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
        f"{count(scores.n_features, 'feature')} ({sources.describe(name)})"
    )
    if scores.kind != REGRESSION.name:
        accuracy, brier = ensemble["accuracy"], ensemble["brier"]
        said = (
            f"{where}, {percent(accuracy, 1)} are classified as measured; the Brier "
            f"score is {number(brier)} (0 is perfect)."
        )
        return _with_limits(sources, name, scores, said)
    rmse, bias = ensemble["rmse"], ensemble["bias"] or 0.0
    within = ""
    if limits := intervals.get("rmse"):
        within = f" (95 % interval {span(limits, unit, like=rmse)})"
    side = "too high" if bias > 0 else "too low"
    table, mean = sources.residuals(output, name), ""
    if table is not None and len(table):
        value = number(float(table["observed"].mean()), unit)
        mean = f" The measured values are {value} on average."
    said = (
        f"{where}, predictions differ from what was measured by "
        f"{number(rmse, unit)}{within}, as the root mean square (RMSE); on "
        f"average they are {number(abs(bias), unit, like=rmse)} {side}.{mean}"
    )
    return _with_limits(sources, name, scores, said)


def _with_limits(sources: Sources, name: str, scores: OutputScores, said: str) -> str:
    """Add what limits the errors of a check: another model, chance, more training."""
    skill = tell_skill(scores)
    parts = [said, skill.sentence if skill else "", sources.tell_folds(name)]
    if sources.is_earlier(name):
        parts.insert(0, "These are errors of an earlier model, not of this one.")
    return " ".join(part for part in parts if part)


def _honesty(sources: Sources, output: str, name: str) -> str:
    scores = sources.scores(output)[name]
    uncertainty, group = scores.uncertainty, "the group " * (scores.one == "group")
    of_spread = uncertainty.spread.levels.get(LEVEL) if uncertainty else None
    calibrated = uncertainty.calibrated if uncertainty else None
    held = calibrated.levels.get(LEVEL) if calibrated else None
    spread = ""
    if of_spread is not None:
        way = name_ways(uncertainty.counts_noise)["spread"] if uncertainty else ""
        spread = f" Uncalibrated ones, {way}, held {percent(of_spread.coverage)}."
    if held is None and sources.calibrated(output) is not None:
        return (
            "It is calibrated, but this check does not tell what its intervals hold. "
            f"{_of_calibration(sources, output)}"
        )
    if held is None:
        return (
            "It is not calibrated: there is only what the networks say themselves, "
            f"which is no error.{spread}"
        )
    worst = ""
    if held.least < held.coverage:
        worst = (
            f"; on {group}{held.least_feature}, where they held least, "
            f"{percent(held.least, 1)}"
        )
    known = uncertainty.features_calibrated if uncertainty else []
    flattered = " They were fitted to these very errors, which flatters." * bool(known)
    lost = ""
    if sources.calibrated(output) is None:
        lost = " Their calibration is not there any more, or cannot be used."
    return (
        f"Calibrated intervals that are meant to hold {LEVEL} % of the measured pixels "
        f"held {percent(held.coverage, 1)}{worst}.{flattered}{spread}{lost}"
    )


def _of_calibration(sources: Sources, output: str) -> str:
    """Tell what a calibration says of itself."""
    calibration = sources.calibrated(output)
    if calibration is None:
        return ""
    held = calibration.levels[LEVEL].coverage
    one = "group" if calibration.of_groups else "feature"
    return (
        f"It was calibrated where the model was trained, on "
        f"{sources.tell_fitted(output)}: there, intervals that are meant to hold "
        f"{LEVEL} % of the measured pixels of a {one} held {percent(held, 1)}, each "
        f"fitted to the other {one}s."
    )


def _extent(sources: Sources, output: str, rows: Sequence[FeatureRow]) -> str:
    there, empty = set(sources.drawn[output]), sources.empty(output)
    drawn = [row for row in rows if row.feature in there]
    without = f" No pixel can be drawn of {names(empty)}." if empty else ""
    if not drawn:
        return f"Nothing is drawn.{without}"
    told = [row for row in sources.holes if row["feature"] in there]
    n_pixels = total(number_in(row, "pixels") for row in told)
    n_drawn = total(number_in(row, "drawn") for row in told)
    share = ""
    if n_pixels:
        where = "inside these" if empty else "inside"
        if len(told) < len(drawn):
            where = f"inside the {count(len(told), 'feature')} in holes.csv"
        share = f" {percent(n_drawn / n_pixels, 1)} of the pixels {where} have a value."
    return f"{len(drawn):,} of {count(len(rows), 'feature')}.{share}{without}"


def tell_applicability(sources: Sources) -> str:
    """
    Tell how much of what is drawn resembles training.

    As `ginv draw` logs it, the same of all outputs; nothing where none were compared.
    """
    there = {feature for own in sources.drawn.values() for feature in own}
    rows = [row for row in sources.holes if row["feature"] in there]
    columns = ("drawn", "compared", "unlike_training")
    counts = [[number_in(row, column) or 0.0 for column in columns] for row in rows]
    share = share_unlike((n, of, unlike) for n, of, unlike in counts)
    if share is None:
        return ""
    like = "of the drawn pixels resemble what the networks were trained on"
    if share <= 0:
        return f"All {like}."
    return (
        f"{percent(1 - share)} {like}; {percent(share)} do not, and predictions there "
        "are guesses."
    )
