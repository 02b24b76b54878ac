"""What a reader must know before the maps are used: what is wrong, and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from glacier_inversion.errors import DatasetError, ModelError
from glacier_inversion.evaluation.metrics import LEAST_FEATURES
from glacier_inversion.evaluation.metrics_file import OutputScores
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.reporting.neighbours import count_touching
from glacier_inversion.reporting.quantities import (
    count,
    exact,
    names,
    percent,
    signed,
    span,
)
from glacier_inversion.reporting.rows import LEVEL, FeatureRow, number_in
from glacier_inversion.reporting.sources import CHECKS, NEVER_SEEN, Sources
from glacier_inversion.training.model.calibration import widest_level
from glacier_inversion.training.model.ensemble import Ensemble

_LEAST_DRAWN = 0.9  # of a feature's pixels
_MOST_STRANGE = 0.2  # of a feature's drawn pixels: held-out features have less
_LEAST_COVERED = 0.8  # of a feature's known pixels, by intervals of 95 %


@dataclass(frozen=True)
class Caution:
    """Something that limits the trust in the maps: what, what it means, what to do."""

    what: str
    meaning: str
    remedy: str


Rows = Sequence[FeatureRow]


def find_cautions(sources: Sources, rows: dict[str, list[FeatureRow]]) -> list[Caution]:
    """
    Return what limits the trust in the maps, the gravest first.

    Parameters
    ----------
    rows : dict of list of FeatureRow
        What is known of each feature, by output.
    """
    found = [*_of_files(sources), *_of_changes(sources), *_of_evaluations(sources)]
    for output, own in rows.items():
        found += _of_checks(sources, output)
        found += _of_skill(sources, output)
        found += _of_calibration(sources, output)
        found += _of_coverage(output, own)
        found += _of_classes(sources, output)
    of_maps = next(iter(rows.values()))  # pixels that are drawn are so of every output
    found += _of_drawings(sources, of_maps)
    found += _of_drawing_models(sources, of_maps)
    found += [*_of_applicability(of_maps), *_of_neighbours(sources)]
    return [*found, *_of_members(sources), *_of_data(sources)]


def _of_files(sources: Sources) -> Iterator[Caution]:
    for message in dict.fromkeys(sources.broken):
        yield Caution(
            "A file could not be used",
            message,
            "What this file tells is missing from this report.",
        )


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
            "Train anew with 'ginv train --overwrite' if the change matters.",
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


def _of_checks(sources: Sources, output: str) -> Iterator[Caution]:
    best = sources.best(output)
    if best is None:
        yield Caution(
            f"{output}: nobody knows how good the predictions are",
            "They have not been compared with anything that was measured.",
            "Run 'ginv crossval', or 'ginv evaluate', in the workspace where the model "
            "was trained.",
        )
        return
    if best not in NEVER_SEEN:
        yield Caution(
            f"{output}: the errors are not those of glaciers that were never seen",
            f"They are of features {CHECKS[best]}. Elsewhere they may be larger.",
            "Run 'ginv crossval', or 'ginv evaluate' for the test features.",
        )
    scores = sources.scores(output)[best]
    if scores.n_features < LEAST_FEATURES:
        yield Caution(
            f"{output}: checked on {count(scores.n_features, 'feature')} only",
            "Glaciers differ, and so do the errors on them. So few cannot tell how "
            "much, and there are no intervals for the errors.",
            "Run 'ginv crossval', which checks every measured feature.",
        )
    missed = scores.n_known - scores.n_predicted
    if missed:
        yield Caution(
            f"{output}: {count(missed, 'known pixel')} could not be predicted",
            f"Of {scores.n_known:,}. The errors are those of the others.",
            "See the inputs' coverage below; a larger buffer_distance may help.",
        )


def _of_evaluations(sources: Sources) -> Iterator[Caution]:
    for name, found in sources.evaluations.items():
        seeds = found.metrics.seeds
        if sorted(seeds) != sources.seeds:
            yield Caution(
                f"The check {name!r} is of {count(len(seeds), 'network')}",
                f"The model has {len(sources.seeds)} now, so its errors may be others.",
                "Run it again.",
            )


def _of_skill(sources: Sources, output: str) -> Iterator[Caution]:
    scores = _best_scores(sources, output)
    if scores is None or scores.best_baseline is None:
        return
    best = scores.best_baseline
    if best.skill is None:
        return
    low = best.interval[0] if best.interval else best.skill
    if low > 0:
        return
    shown = f"{percent(best.skill)} less error"
    if best.interval:
        shown += f", with an interval of {span([100 * x for x in best.interval])} %"
    yield Caution(
        f"{output}: not shown to be better than a simple method",
        f"The best of these, {best.description}, errs about as much: the networks have "
        f"{shown}.",
        "Use the simple method, or measure more glaciers to tell them apart.",
    )


def _of_calibration(sources: Sources, output: str) -> Iterator[Caution]:
    scores = _best_scores(sources, output)
    if scores is not None and scores.kind != "regression":
        return
    calibration = sources.calibrated(output)
    if calibration is None or sources.calibration is None:
        yield Caution(
            f"{output}: the uncertainty is not calibrated",
            "The standard deviation of the networks says where they disagree, not how "
            "far they are from the truth. It is mostly far too small.",
            "Run 'ginv crossval', and draw the statistic 'uncertainty'.",
        )
        return
    if sources.calibration.source == "validation":
        yield Caution(
            f"{output}: calibrated by the validation features alone",
            "These are fewer than a cross-validation has, and may have decided which "
            "networks were kept: the true uncertainty may be larger.",
            "Run 'ginv crossval'.",
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


def _of_coverage(output: str, rows: Rows) -> Iterator[Caution]:
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
    known = [c for c in scores.ensemble.classes if c.n and c.bias is not None]
    if len(known) < 2 or not scores.ensemble.rmse:
        return
    first, last, unit = known[0], known[-1], sources.unit(output)
    some = 0.25 * scores.ensemble.rmse
    if (first.bias or 0) > some and (last.bias or 0) < -some:
        yield Caution(
            f"{output}: low values come out too high, and high ones too low",
            f"By {signed(first.bias, unit)} on average below "
            f"{exact(first.high or 0, unit, 4)}, and by {signed(last.bias, unit)} from "
            f"{exact(last.low or 0, unit, 4)} on.",
            "Do not read the extremes of the maps as they are.",
        )


def _of_drawings(sources: Sources, rows: Rows) -> Iterator[Caution]:
    if not any(sources.drawn.values()):
        yield Caution(
            "Nothing is drawn",
            "There are no maps of this model in the workspace.",
            "Run 'ginv draw'.",
        )
    holes = sorted(
        (row.drawn, row.feature)
        for row in rows
        if row.drawn is not None and row.drawn < _LEAST_DRAWN
    )
    if holes:
        told = names(
            [f"{feature} ({percent(share)} drawn)" for share, feature in holes]
        )
        causes = _causes(sources)
        yield Caution(
            f"{count(len(holes), 'feature')} with large holes",
            f"Pixels inside the outline are not drawn: {told}. {causes}",
            "A larger buffer_distance, inputs that cover more, or a lower min_valid.",
        )


def _of_drawing_models(sources: Sources, rows: Rows) -> Iterator[Caution]:
    try:
        digest = Ensemble(sources.folder, sources.model).digest
    except ModelError as error:
        yield Caution("A network cannot be used", str(error), "Train it again.")
        return
    others = [row.feature for row in rows if row.drawn_by not in ("", digest)]
    if others:
        yield Caution(
            f"{count(len(others), 'feature')} drawn by another model",
            "It was trained anew, or has other networks now, since these maps were "
            f"drawn: {names(others)}.",
            "Run 'ginv draw' again.",
        )


def _causes(sources: Sources) -> str:
    """Say why most pixels are not drawn."""
    counts: dict[str, float] = {}
    for row in sources.holes:
        for column in row:
            if column == "beyond_tile" or column.startswith("lacking_"):
                own = number_in(row, column) or 0.0
                counts[column] = counts.get(column, 0.0) + own
    if not any(counts.values()):
        return ""
    worst = max(counts, key=lambda column: counts[column])
    if worst == "beyond_tile":
        return "Mostly since what a network looks at reaches beyond the tile."
    return (
        f"Mostly since the input {worst.removeprefix('lacking_')} is not known there."
    )


def _of_applicability(rows: Rows) -> Iterator[Caution]:
    strange = sorted(
        (-row.applies_not, row.feature)
        for row in rows
        if row.applies_not is not None and row.applies_not > _MOST_STRANGE
    )
    if strange:
        told = names([f"{feature} ({percent(-share)})" for share, feature in strange])
        yield Caution(
            f"Large parts of {count(len(strange), 'feature')} unlike all training",
            "Share of the drawn pixels whose inputs are unlike anything in training: "
            f"{told}. What is predicted there, and the uncertainty, are guesses.",
            "Do not use these pixels without other evidence: their map shows them.",
        )


def _of_neighbours(sources: Sources) -> Iterator[Caution]:
    n = count_touching([*sources.dataset.outlines.values()])
    if 2 * n > len(sources.dataset.outlines):
        yield Caution(
            f"{n} features touch others",
            "What a network looks at reaches into neighbours that it may have learnt "
            "from. So errors on glaciers that stand apart may be larger than these.",
            "Group features that belong together: 'ginv crossval --group COLUMN'.",
        )


def _of_members(sources: Sources) -> Iterator[Caution]:
    others = [seed for seed, state in sources.states.items() if state != "finished"]
    if others:
        yield Caution(
            f"{count(len(others), 'network')} not part of the ensemble",
            f"Of seed {names([str(seed) for seed in others], 10)}: training failed, or "
            "is not finished.",
            "'ginv train --status' says why.",
        )
    if len(sources.seeds) == 1:
        yield Caution(
            "The ensemble is a single network",
            "There is no spread: nothing says where networks would disagree.",
            "Raise seeds_number, and run 'ginv train' again.",
        )


def _of_data(sources: Sources) -> Iterator[Caution]:
    failed = [row.feature for row in sources.summary.failed]
    if failed:
        yield Caution(
            f"{count(len(failed), 'feature')} without tiles",
            f"They could not be cut out, and are in nothing of this: {names(failed)}.",
            "'ginv build-dataset' says why.",
        )


def _best_scores(sources: Sources, output: str) -> OutputScores | None:
    best = sources.best(output)
    return sources.scores(output)[best] if best else None
