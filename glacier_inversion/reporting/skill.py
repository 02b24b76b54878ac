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
    verdict, may_be_chance = _judge(best.skill, best.interval)
    doubt = " That may be chance." if may_be_chance else ""
    if is_published(best.method):
        sentence = (
            f"The ensemble {verdict} the published map {best.description}, the best of "
            f"the other methods.{doubt} The map may have been made with these very "
            f"measurements.{_tell_fitted(scores)}"
        )
    else:
        sentence = (
            f"The ensemble {verdict} the best simple method, {best.description}.{doubt}"
        )
    return Skill(is_published(best.method), best.skill > 0, may_be_chance, sentence)


def _judge(skill: float, limits: tuple[float, float] | None) -> tuple[str, bool]:
    """Say how much less or more the ensemble errs, and whether that may be chance."""
    within = ""
    if limits:
        ends = sorted(100 * (1 if skill > 0 else -1) * end for end in limits)
        within = f" (95 % interval {span(ends, '%', 2)})"
    may_be_chance = limits is None or limits[0] <= 0 <= limits[1]
    if skill == 0:
        return f"errs as much{within} as", may_be_chance
    less = "less" if skill > 0 else "more"
    return f"errs {percent(abs(skill))} {less}{within} than", may_be_chance


def _tell_fitted(scores: OutputScores) -> str:
    """Compare with the best of the methods that are fitted here, if there is any."""
    fitted = [
        (method.skill, method)
        for method in scores.baselines
        if method.skill is not None and not method.is_published
    ]
    if not fitted:
        return ""
    skill, best = min(fitted, key=lambda own: own[0])
    verdict, may_be_chance = _judge(skill, best.skill_interval)
    doubt = " That may be chance." if may_be_chance else ""
    return f" It {verdict} the best simple method, {best.description}.{doubt}"
