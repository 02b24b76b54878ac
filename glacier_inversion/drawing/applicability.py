"""Where a model applies: read with the model, and told of the pixels of a run."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from glacier_inversion.drawing.holes import Holes, share_unlike
from glacier_inversion.errors import ModelError
from glacier_inversion.experiment.sections import APPLICABILITY
from glacier_inversion.patches.lattice import Layout
from glacier_inversion.patches.patch_statistics import n_statistics
from glacier_inversion.training.model.applicability import (
    APPLICABILITY as FILE,
)
from glacier_inversion.training.model.applicability import (
    Applicability,
    read_applicability,
)
from glacier_inversion.training.model.model import Model

logger = logging.getLogger(__name__)

_MOST_NAMED = 5  # of features
_LEAST_NAMED = 0.01  # of a feature
_USUAL_SHARE = 0.05  # even of training points the whisker leaves out some
_MOST_OF_FEATURE = 0.2  # held-out features have less, as a rule
_MOST_COMPARED = 2048  # of a block's pixels, where no map of it is asked for


def open_applicability(
    folder: Path, model: Model, statistics: Iterable[str], problems: list[str]
) -> Applicability | None:
    """
    Read what a model was trained on.

    Parameters
    ----------
    folder : Path
        The model's.
    statistics : iterable of str
        What is to be drawn.
    problems : list of str
        Why it cannot be read is noted here where a map of it is asked for, else logged.

    Returns
    -------
    applicability : Applicability or None
        It compares some of the pixels alone where no map of it is asked for: all of
        them may take longer than the prediction.
    """
    is_asked = APPLICABILITY in statistics
    if not is_asked and not (folder / FILE).exists():
        return None
    n_numbers = n_statistics(Layout.of(model.experiment))
    try:
        applicability = read_applicability(folder, model.identity, n_numbers)
    except ModelError as error:
        if is_asked:
            leave_out = f"leave {APPLICABILITY} out of drawing_description.statistics."
            problems.append(f"{error} Or {leave_out}")
        else:
            logger.warning("%s", error)
        return None
    return applicability if is_asked else replace(applicability, n_most=_MOST_COMPARED)


def tell_unlike(model: str, holes: Sequence[Holes]) -> None:
    """Log how much of a run is unlike all that the model was trained on."""
    shares = {
        of.feature: of.n_unlike / of.n_compared
        for of in holes
        if of.n_unlike and of.n_compared
    }
    if not shares:
        return
    counts = [(h.n_drawn, h.n_compared or 0, h.n_unlike or 0) for h in holes]
    share = share_unlike(counts) or 0.0
    n_drawn = sum(drawn for drawn, compared, _ in counts if compared)
    worst = sorted(shares, key=lambda feature: -shares[feature])[:_MOST_NAMED]
    named = ", ".join(
        f"{feature} ({_percent(shares[feature])})"
        for feature in worst
        if shares[feature] >= _LEAST_NAMED
    )
    is_much = share > _USUAL_SHARE or shares[worst[0]] > _MOST_OF_FEATURE
    logger.log(
        logging.WARNING if is_much else logging.INFO,
        "%s: %s of %s drawn pixels are unlike all that it was trained on, and "
        "nobody knows how far it errs there%s",
        model,
        _percent(share),
        f"{n_drawn:,}",
        f". Most of: {named}" if named else "",
    )


def _percent(share: float) -> str:
    """
    Write a share in percent, to two digits.

    >>> [_percent(share) for share in (0.0194, 0.32, 0.0801, 0.9999, 1.0)]
    ['1.9 %', '32 %', '8 %', '100 %', '100 %']
    """
    return "100 %" if share > 0.995 else f"{100 * share:.2g} %"
