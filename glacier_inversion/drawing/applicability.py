"""Where a model applies: read with the model, and told of the pixels of a run."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from glacier_inversion.drawing.holes import Holes
from glacier_inversion.errors import ModelError
from glacier_inversion.experiment.sections import APPLICABILITY
from glacier_inversion.patches.patch_statistics import n_statistics
from glacier_inversion.training.model.applicability import (
    Applicability,
    read_applicability,
)
from glacier_inversion.training.model.ensemble import Ensemble

logger = logging.getLogger(__name__)

_MOST_NAMED = 5  # of features
_USUAL_SHARE = 0.05  # even of training points the whisker leaves out some


def open_applicability(ensemble: Ensemble, problems: list[str]) -> Applicability | None:
    """Read what an ensemble was trained on, and note why it cannot be."""
    layout, identity = ensemble.layout, ensemble.model.identity
    try:
        return read_applicability(ensemble.folder, identity, n_statistics(layout))
    except ModelError as error:
        leave_out = f"leave {APPLICABILITY} out of drawing_description.statistics."
        problems.append(f"{error} Or {leave_out}")
        return None


def tell_unlike(model: str, holes: Sequence[Holes]) -> None:
    """Log how much of a run is unlike all that the model was trained on."""
    counted = [of for of in holes if of.n_unlike is not None and of.n_drawn]
    n_drawn = sum(of.n_drawn for of in counted)
    n_unlike = sum(of.n_unlike or 0 for of in counted)
    if not n_unlike:
        return
    counted.sort(key=lambda of: -(of.n_unlike or 0) / of.n_drawn)
    worst = [
        f"{of.feature} ({(of.n_unlike or 0) / of.n_drawn:.0%})"
        for of in counted[:_MOST_NAMED]
        if of.n_unlike
    ]
    is_much = n_unlike > _USUAL_SHARE * n_drawn
    logger.log(
        logging.WARNING if is_much else logging.INFO,
        "%s: %s of %s drawn pixels (%.0f %%) are unlike all that it was trained on, "
        "and nobody knows how far it errs there. Most of: %s",
        model,
        f"{n_unlike:,}",
        f"{n_drawn:,}",
        100 * n_unlike / n_drawn,
        ", ".join(worst),
    )
