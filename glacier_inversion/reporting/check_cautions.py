"""What limits the trust in what is predicted: errors, and how they are known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from glacier_inversion.evaluation.bootstrap import LEAST_FEATURES
from glacier_inversion.evaluation.metrics import REGRESSION
from glacier_inversion.evaluation.metrics_file import OutputScores
from glacier_inversion.reporting.advice import (
    advise_calibrating,
    advise_checking,
    advise_more,
)
from glacier_inversion.reporting.caution import Caution
from glacier_inversion.reporting.checks import CROSSVAL
from glacier_inversion.reporting.hole_causes import (
    find_causes,
    tell_remedy,
    tell_worst,
)
from glacier_inversion.reporting.quantities import (
    count,
    exact,
    names,
    percent,
    signed,
)
from glacier_inversion.reporting.rows import LEVEL, FeatureRow
from glacier_inversion.reporting.skill import tell_skill
from glacier_inversion.reporting.sources import Sources
from glacier_inversion.training.model.calibration import widest_level

_LEAST_COVERED = 0.8  # of a feature's known pixels, by intervals of 95 %


def of_output(
    sources: Sources, output: str, rows: Sequence[FeatureRow]
) -> Iterator[Caution]:
    """Yield what concerns the errors of an output."""
    yield from _of_checks(sources, output)
    yield from _of_skill(sources, output)
    yield from _of_calibration(sources, output)
    yield from _of_coverage(output, rows)
    yield from _of_classes(sources, output)


def _of_checks(sources: Sources, output: str) -> Iterator[Caution]:
    best = sources.best(output)
    if best is None:
        what = "nobody knows how good the predictions are"
        meaning = "They have not been compared with anything that was measured."
        is_calibrated = sources.calibrated(output) is not None
        if sources.is_applied or is_calibrated:  # they may be known elsewhere
            what = "the predictions are not checked here"
            meaning = "They have not been compared with measurements of these features."
        if is_calibrated:
            meaning += " What the calibration says is of those that it was fitted to."
        yield Caution(f"{output}: {what}", meaning, advise_checking(sources))
        return
    if best not in sources.never_seen:
        yield Caution(
            f"{output}: the errors are not those of glaciers that were never seen",
            f"They are of features {sources.describe(best)}. Elsewhere they may be "
            "larger.",
            advise_checking(sources),
        )
    scores = sources.scores(output)[best]
    few = count(scores.n_features, "feature")
    remedy = advise_more(sources, output, best)
    if scores.n_groups is not None:  # each of which counts as one in intervals
        few += f" in {count(scores.n_groups, 'group')}"
        if scores.n_features >= LEAST_FEATURES:
            run = sources.advise("ginv crossval")
            remedy = f"{run} by a column of more groups, or by none."
    if min(scores.n_features, scores.n_groups or scores.n_features) < LEAST_FEATURES:
        yield Caution(
            f"{output}: checked on {few} only",
            "Glaciers differ, and so do the errors on them. So few cannot tell how "
            "much, and there are no intervals for the errors.",
            remedy,
        )
    missed = scores.n_known - scores.n_predicted
    if missed:
        causes = find_causes(sources.holes, sources.evaluations[best].metrics.features)
        because = f" Maps of these features have holes. {tell_worst(causes)}"
        yield Caution(
            f"{output}: {count(missed, 'known pixel')} could not be predicted",
            f"Of {scores.n_known:,}. The errors are those of the others."
            + because * bool(causes),
            f"{tell_remedy(causes)} What inputs cover is told below.",
        )


def _of_skill(sources: Sources, output: str) -> Iterator[Caution]:
    scores = _best_scores(sources, output)
    skill = tell_skill(scores) if scores is not None else None
    if skill is None or (skill.is_better and not skill.may_be_chance):
        return
    other = "a published map" if skill.is_published else "a simple method"
    if skill.is_better:
        what = f"not shown to be better than {other}"
    elif skill.may_be_chance:
        what = f"no better than {other}"
    else:
        what = f"worse than {other}"
    if skill.is_published and skill.is_better:
        remedy = (
            "Measure more glaciers to tell them apart. If the published map was made "
            "from these measurements, the ensemble is better than this says."
        )
    elif skill.is_published:
        remedy = (
            "Find out what the published map was made from. If these measurements are "
            "not among it, use the map, or measure more glaciers to tell them apart."
        )
    elif skill.may_be_chance:
        remedy = "Use the simple method, or measure more glaciers to tell them apart."
    else:
        remedy = "Use the simple method: it errs less, and it is easier to understand."
    yield Caution(f"{output}: {what}", skill.sentence, remedy)


def _of_calibration(sources: Sources, output: str) -> Iterator[Caution]:
    if sources.kind(output) is not REGRESSION:
        return
    calibration = sources.calibrated(output)
    if calibration is None or sources.calibration is None:
        yield Caution(
            f"{output}: the uncertainty is not calibrated",
            "The standard deviation of the networks says where they disagree, not how "
            "far they are from the truth. It is mostly far too small.",
            advise_calibrating(sources, output),
        )
        return
    if sources.calibration.source == "validation":
        decided = sources.model.experiment.best_by.of_validation
        is_beside = sources.best(output) == CROSSVAL
        yield Caution(
            f"{output}: calibrated by the validation features alone",
            "These are fewer than a cross-validation has"
            + ", and they decided which epoch of each network was kept" * decided
            + ": the true uncertainty may be larger."
            + " What the check crossval says of intervals is not of these: it had a "
            "calibration of its own." * is_beside,
            f"{sources.advise('ginv crossval')}.",
        )
    n_features = calibration.n_features
    one = "group of features" if calibration.of_groups else "feature"
    widest = widest_level(n_features)
    if widest < LEVEL:
        yield Caution(
            f"{output}: intervals of {LEVEL} % are nominal",
            f"They were fitted to {count(n_features, one)}. A new glacier may be "
            f"worse than all of these, so no more than {widest:.0f} % can be promised "
            f"for it; {LEVEL} % takes {count(19, one)}.",
            f"Read the {LEVEL} % as what is aimed at, not as a guarantee.",
        )


def _of_coverage(output: str, rows: Sequence[FeatureRow]) -> Iterator[Caution]:
    low = sorted(
        (row.coverage, row.feature)
        for row in rows
        if row.coverage is not None and row.coverage < _LEAST_COVERED
    )
    if low:
        told = names([f"{feature} ({percent(share)})" for share, feature in low])
        yield Caution(
            f"{output}: intervals of {LEVEL} % hold far less on "
            f"{count(len(low), 'feature')}",
            f"Of the measured pixels there: {told}. What holds over all features "
            "together need not hold on one.",
            "Look at these in the table and on the maps: what is unusual about them?",
        )


def _of_classes(sources: Sources, output: str) -> Iterator[Caution]:
    scores = _best_scores(sources, output)
    if scores is None:
        return
    known = [c for c in scores.ensemble.classes if c.n and c["bias"] is not None]
    if len(known) < 2 or not scores.ensemble["rmse"]:
        return
    first, last, unit = known[0], known[-1], sources.unit(output)
    of_first, of_last = first["bias"] or 0.0, last["bias"] or 0.0
    some = 0.25 * scores.ensemble["rmse"]
    if of_first > some and of_last < -some:
        yield Caution(
            f"{output}: low values come out too high, and high ones too low",
            f"By {signed(of_first, unit)} on average below "
            f"{exact(first.high or 0, unit, 4)}, and by {signed(of_last, unit)} from "
            f"{exact(last.low or 0, unit, 4)} on.",
            "Do not read the extremes of the maps as they are.",
        )


def _best_scores(sources: Sources, output: str) -> OutputScores | None:
    best = sources.best(output)
    return sources.scores(output)[best] if best else None
