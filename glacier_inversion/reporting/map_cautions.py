"""What limits the trust in maps: holes, places unlike training, other models."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from glacier_inversion.drawing.counted_twice import describe_overlaps
from glacier_inversion.experiment.sections import APPLICABILITY
from glacier_inversion.reporting.advice import find_crossval
from glacier_inversion.reporting.caution import Caution
from glacier_inversion.reporting.hole_causes import (
    find_causes,
    tell_remedy,
    tell_worst,
)
from glacier_inversion.reporting.neighbours import count_apart, find_near_training
from glacier_inversion.reporting.quantities import count, names, percent
from glacier_inversion.reporting.rows import FeatureRow, number_in
from glacier_inversion.reporting.sources import Sources

_LEAST_DRAWN = 0.9  # of a feature's pixels
_MOST_STRANGE = 0.2  # of a feature's drawn pixels: held-out features have less

Rows = Sequence[FeatureRow]


def of_drawing_models(sources: Sources, rows: Rows) -> Iterator[Caution]:
    """Yield which maps are those of another model, or of another calibration."""
    if sources.digest is None:
        remedy = f"{sources.advise('ginv train')} again."
        yield Caution("A network cannot be used", sources.unusable, remedy)
        return
    others = [r.feature for r in rows if r.drawn_by not in (None, sources.digest)]
    if others:
        yield Caution(
            f"{count(len(others), 'feature')} drawn by another model",
            "It was trained anew, or has other networks now, since these maps were "
            f"drawn: {names(others)}.",
            "Run 'ginv draw' for them again.",
        )
    if earlier := [f for f in sources.recalibrated if f not in others]:
        yield Caution(
            f"{count(len(earlier), 'feature')} with the uncertainty of an earlier "
            "calibration",
            "The model was calibrated anew since these were drawn. What is said here "
            "of intervals is not of their maps, nor of their volumes: "
            f"{names(earlier)}.",
            "Run 'ginv draw' for them again, of the same statistics.",
        )


def of_maps(sources: Sources, rows: Rows) -> Iterator[Caution]:
    """Yield what concerns the maps, and what they are made from."""
    yield from _of_drawings(sources, rows)
    yield from _of_applicability(sources, rows)
    yield from _of_volumes(sources)
    yield from _of_neighbours(sources)
    yield from _of_data(sources)


def _of_drawings(sources: Sources, rows: Rows) -> Iterator[Caution]:
    if not any(sources.facts.values()):
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
        causes = find_causes(sources.holes, {feature for _, feature in holes})
        yield Caution(
            f"{count(len(holes), 'feature')} with large holes",
            f"Pixels inside the outline are not drawn: {told}. {tell_worst(causes)}",
            tell_remedy(causes),
        )


def _of_applicability(sources: Sources, rows: Rows) -> Iterator[Caution]:
    strange = sorted(
        (-row.applies_not, row.feature)
        for row in rows
        if row.applies_not is not None and row.applies_not > _MOST_STRANGE
    )
    if strange:
        told = names([f"{feature} ({percent(-share)})" for share, feature in strange])
        are_shown = all(_shows_applicability(sources, f) for _, f in strange)
        where = "their map shows them"
        if not are_shown:
            where = f"'ginv draw' of the statistic {APPLICABILITY!r} shows them"
        yield Caution(
            f"Large parts of {count(len(strange), 'feature')} unlike all training",
            "Share of the drawn pixels whose inputs are unlike anything in training: "
            f"{told}. What is predicted there, and the uncertainty, are guesses.",
            f"Do not use these pixels without other evidence: {where}.",
        )


def _shows_applicability(sources: Sources, feature: str) -> bool:
    """Tell whether a feature has a map of what is unlike training."""
    return any(
        sources.workspace.drawing(sources.name, feature, output, APPLICABILITY).exists()
        for output in sources.outputs
    )


def _of_volumes(sources: Sources) -> Iterator[Caution]:
    outlines = sources.dataset.outlines
    summed = {
        row["feature"]: outlines[row["feature"]]
        for row in sources.volumes
        if number_in(row, "volume_km3") is not None and row["feature"] in outlines
    }
    if described := describe_overlaps(summed):
        yield Caution(
            "The volume of all features counts ice twice",
            f"It is the sum over the outlines, and some overlap: {described}.",
            "For the volume of all, draw but one of such outlines.",
        )


def _of_neighbours(sources: Sources) -> Iterator[Caution]:
    check = next(iter(sources.evaluations), None)
    if check is None:  # no errors that may be less than elsewhere
        return
    trained = sources.learnt_from(check)
    n = len(find_near_training(sources.dataset.outlines, trained))
    if n == 0 or 2 * n <= len(trained):
        return
    is_by_groups = any(
        own.one == "group"
        for own in sources.evaluations[check].metrics.outputs.values()
    )
    which = ", with a column whose groups hold what touches" * is_by_groups
    remedy, command = "Measure glaciers that stand apart.", find_crossval(sources)
    predicted = [g for f, g in sources.dataset.outlines.items() if f in trained]
    # where one touches the other throughout, no groups hold all of them apart
    if command and not (is_by_groups and count_apart(predicted) == 1):
        by_groups = sources.advise(f"{command} --group COLUMN")
        remedy = f"{by_groups}{which}: features of a group stay together."
    yield Caution(
        f"{count(n, 'feature')} beside features of training",
        "They touch features that the networks which predict them have learnt from, "
        "and what a network looks at reaches into these. So errors on glaciers that "
        "stand apart may be larger.",
        remedy,
    )


def _of_data(sources: Sources) -> Iterator[Caution]:
    failed = [row.feature for row in sources.summary.failed]
    if failed:
        yield Caution(
            f"{count(len(failed), 'feature')} without tiles",
            f"They could not be cut out, and are in nothing of this: {names(failed)}.",
            "'ginv build-dataset' says why.",
        )
