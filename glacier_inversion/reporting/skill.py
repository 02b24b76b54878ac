"""Whether the networks are better than the best of the simple methods, in words."""

from __future__ import annotations

from dataclasses import dataclass

from glacier_inversion.evaluation.metrics_file import OutputScores
from glacier_inversion.reporting.quantities import percent, span


@dataclass(frozen=True)
class Skill:
    """
    How networks and the best simple method compare.

    Attributes
    ----------
    is_better : bool
        They err less.
    may_be_chance : bool
        Other features might say the contrary.
    sentence : str
    """

    is_better: bool
    may_be_chance: bool
    sentence: str


def tell_skill(scores: OutputScores) -> Skill | None:
    """Compare with the best of the simple methods; None where there is none."""
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
    return Skill(
        is_better,
        may_be_chance,
        f"The ensemble {verdict} the best simple method, {best.description}.{doubt}",
    )
