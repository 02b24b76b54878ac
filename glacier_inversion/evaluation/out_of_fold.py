"""Out-of-fold predictions: what members predict of the fold that they do not know."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from glacier_inversion.errors import TrainingError, name_some
from glacier_inversion.evaluation.baselines import Method, join_methods
from glacier_inversion.evaluation.folds import Fold
from glacier_inversion.evaluation.pixels import (
    KnownPixels,
    first_of_each,
    join_pixels,
)

logger = logging.getLogger(__name__)

_MOST_FOLDS = 5  # that a message names


@dataclass(frozen=True)
class OutOfFold:
    """
    What is predicted of a fold without it.

    Attributes
    ----------
    fold : Fold
    seeds : list of int
        Of the members that finished.
    pixels : dict of KnownPixels
        What these members predict, by output.
    methods : dict of list of Method
        What the baselines do, by output.
    """

    fold: Fold
    seeds: list[int]
    pixels: dict[str, KnownPixels]
    methods: dict[str, list[Method]]

    def describe(self) -> dict[str, Any]:
        """Return what metrics.json says of the fold."""
        return {
            "name": self.fold.name,
            "held_out": self.fold.held_out,
            "validation": self.fold.validation,
            "train": self.fold.train,
            "seeds": self.seeds,
            "fitted": {
                output: {method.name: method.fitted for method in of_output}
                for output, of_output in self.methods.items()
            },
        }


def find_common_seeds(
    folder: Path, done: Sequence[OutOfFold], n_asked: int
) -> list[int]:
    """
    Return the seeds whose members finished in every fold, in order.

    That members failed in some folds is warned of.

    Parameters
    ----------
    folder : Path
        Of the folds.
    n_asked : int
        So many seeds were asked for, from 0 on.

    Raises
    ------
    TrainingError
        There is none.
    """
    seeds = sorted(set[int].intersection(*(set(part.seeds) for part in done)))
    if seeds:
        if any(part.seeds != seeds for part in done):
            logger.warning(
                "%s: members failed in some folds: seeds %s are left", folder, seeds
            )
        return seeds
    failed = []
    for part in done:
        lacking = [str(seed) for seed in range(n_asked) if seed not in part.seeds]
        if lacking:
            failed.append(f"{part.fold.name}: {name_some(lacking)}")
    more = len(failed) - _MOST_FOLDS
    message = (
        f"{folder}: no seed has a member that learnt in every fold. Failed: "
        f"{'; '.join(failed[:_MOST_FOLDS])}{f'; and {more} more folds' * (more > 0)}. "
        "Must be one seed at least, as a pixel of each fold is predicted by members of "
        "the same seeds; seed_NNN/failure.txt says why others failed. Raise "
        "seeds_number and run it again: the members that are trained are kept. Or "
        "change the experiment, and begin anew with --overwrite."
    )
    raise TrainingError(message)


def join_folds(
    done: Sequence[OutOfFold],
    seeds: Sequence[int],
    resolutions: Mapping[str, float],
) -> tuple[dict[str, KnownPixels], dict[str, list[Method]]]:
    """
    Put the folds together: the members of these seeds, and each pixel once.

    Parameters
    ----------
    seeds : sequence of int
        Of members that every fold has.
    resolutions : mapping of float
        Of outputs, CRS units.

    Returns
    -------
    pixels : dict of KnownPixels
    methods : dict of list of Method
        By output.
    """
    pixels, methods = {}, {}
    for output in done[0].pixels:
        parts = [
            part.pixels[output].of_members([part.seeds.index(seed) for seed in seeds])
            for part in done
        ]
        joined = join_pixels(parts)
        # outside every outline a pixel may lie in the tiles of several folds
        first = first_of_each(joined.x, joined.y, resolutions[output])
        pixels[output] = joined.take(first)
        fitted = [part.methods[output] for part in done if output in part.methods]
        methods[output] = [
            replace(method, predicted=method.predicted[first])
            for method in join_methods(fitted)
        ]
    return pixels, methods
