"""Whether the networks are better than the best of the other methods, in words."""

from __future__ import annotations

from dataclasses import dataclass

from glacier_inversion.evaluation.baselines import is_published
from glacier_inversion.evaluation.metrics_file import OutputScores
from glacier_inversion.reporting.quantities import percent, span


@dataclass(frozen=True)
class Skill:
    """
    How networks and the best of the other methods compare.

    Attributes
    ----------
    is_published : bool
        That is a published map. It may have been made with the measurements that errors
        are counted at, and nobody fitted it without them.
    is_better : bool
        They err less.
    may_be_chance : bool
        Other features might say the contrary.
    sentence : str
    """

    is_published: bool
    is_better: bool
    may_be_chance: bool
    sentence: str


def tell_skill(scores: OutputScores) -> Skill | None:
    """Compare with the best of the other methods; None where there is none."""
    best = scores.best_baseline
    if best is None or best.skill is None:
        return None
    is_better, limits = best.skill > 0, best.interval
    within = ""
    if limits:
        ends = sorted(100 * (1 if is_better else -1) * end for end in limits)
        within = f" (95 % interval {span(ends, '%', 2)})"
    may_be_chance = limits is None or limits[0] <= 0 <= limits[1]
    doubt = " That may be chance." if may_be_chance else ""
    if best.skill == 0:
        verdict = f"errs as much{within} as"
    else:
        verdict = (
            f"errs {percent(abs(best.skill))} {'less' if is_better else 'more'}"
            f"{within} than"
        )
    if is_published(best.method):
        sentence = (
            f"The ensemble {verdict} the published map {best.description}, the best of "
            f"the other methods.{doubt} The map may have been made with these very "
            "measurements."
        )
    else:
        sentence = (
            f"The ensemble {verdict} the best simple method, {best.description}.{doubt}"
        )
    return Skill(is_published(best.method), is_better, may_be_chance, sentence)
