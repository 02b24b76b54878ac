"""Calibrated statistics: how far the truth may be from what an ensemble predicts."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glacier_inversion.errors import ModelError
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.experiment.sections import CALIBRATED, NOISE
from glacier_inversion.training.model.calibration import Calibration, OutputCalibration
from glacier_inversion.training.model.calibration_file import (
    CALIBRATION,
    read_calibration,
)
from glacier_inversion.training.model.member_statistics import (
    statistic,
    total_spread,
)
from glacier_inversion.training.model.model import Model
from glacier_inversion.training.network.losses import predicts_variance

logger = logging.getLogger(__name__)

_BOUND = re.compile(r"(lower|upper)(\d\d)")


@dataclass(frozen=True)
class CalibratedOutput:
    """
    The uncertainty of an output at some points, or of the bed below a thickness.

    Attributes
    ----------
    calibration : OutputCalibration
        Of the output; of a bed, that of its thickness.
    members : float32 array, shape (n_members, n_points), the output's unit
        What the members predict of it.
    surface : float32 array, shape (n_points,), metres, optional
        Of a bed: the surface that the thickness is subtracted from.
    noise : float32 array, shape (n_points,), the output's unit squared, optional
        The variance of the noise in the data, as the members say. It counts where the
        calibration was fitted with it.
    """

    calibration: OutputCalibration
    members: NDArray[np.float32]
    surface: NDArray[np.float32] | None = None
    noise: NDArray[np.float32] | None = None

    @cached_property
    def _mean(self) -> NDArray[np.float32]:
        return statistic("mean", self.members)

    @cached_property
    def _spread(self) -> NDArray[np.float32]:
        std = statistic("std", self.members)
        if self.noise is None or not self.calibration.counts_noise:
            return std
        return total_spread(std, self.noise)

    def statistic(self, name: str) -> NDArray[np.float32]:
        """
        Compute a calibrated statistic.

        The uncertainty of a bed is that of its thickness. Its lower bound is the
        surface minus the upper bound of the thickness, and the other way round; where
        a thickness is below 0 it is the surface itself.

        Parameters
        ----------
        name : str
            uncertainty, or lowerNN or upperNN with a level of the calibration.

        Returns
        -------
        result : float32 array, shape (n_points,), the output's unit
            NaN where a member is, or the surface.
        """
        bound = _BOUND.fullmatch(name)
        if bound is None:
            sigma = self.calibration.sigma(self._spread, self._mean)
            if self.surface is not None:
                sigma[np.isnan(self.surface)] = np.nan
            return sigma
        side, level = bound.groups()
        lower, upper = self.calibration.bounds(int(level), self._spread, self._mean)
        if self.surface is None:
            return lower if side == "lower" else upper
        thickness = upper if side == "lower" else lower
        return self.surface - np.maximum(thickness, np.float32(0))  # keeps NaN


def is_calibrated(name: str) -> bool:
    """
    Tell whether a statistic follows from the calibration of a model.

    >>> is_calibrated("lower95"), is_calibrated("std")
    (True, False)
    """
    return re.fullmatch(CALIBRATED, name) is not None


def find_noise_problems(
    folder: Path, experiment: Experiment, statistics: Iterable[str]
) -> Iterator[str]:
    """
    Yield why the noise of a model that is to be drawn is not known, if it is not.

    Parameters
    ----------
    folder : Path
        The model's.
    experiment : Experiment
        That it is trained from.
    statistics : iterable of str
        What is to be drawn.
    """
    if NOISE not in statistics:
        return
    for output in experiment.outputs:
        loss = experiment.losses_name[output.name]
        if not predicts_variance(loss):
            yield (
                f"{folder}: its loss of the output {output.name!r}, {loss!r}, learns "
                "no noise in the data. Must be 'gaussian_nll' or 'nan_gaussian_nll' "
                "for every output that noise shall be drawn of. Train with one of "
                f"them, or leave {NOISE} out of drawing_description.statistics."
            )


def statistics_of(
    output: str, names: Iterable[str], calibration: Calibration | None
) -> list[str]:
    """
    Return the statistics that are drawn of an output, in their order.

    All of them where the output is calibrated, else those that need no calibration.
    """
    is_known = calibration is not None and output in calibration.outputs
    return [name for name in names if is_known or not is_calibrated(name)]


def open_calibration(
    folder: Path,
    model: Model,
    n_members: int,
    statistics: Iterable[str],
    problems: list[str],
) -> Calibration | None:
    """
    Read the calibration of a model that is to be drawn, and note why it cannot be used.

    Outputs that it does not hold, while it holds others, are warned of: they are drawn
    without the calibrated statistics.

    Parameters
    ----------
    folder : Path
        The model's.
    n_members : int
        That it is drawn with.
    statistics : iterable of str
        What is to be drawn. None of them calibrated: nothing is read.

    Returns
    -------
    calibration : Calibration or None
        None where none is needed, or cannot be used.
    """
    asked = ", ".join(filter(is_calibrated, statistics))
    if not asked:
        return None
    leave_out = f"leave {asked} out of drawing_description.statistics."
    try:
        calibration = read_calibration(folder, model.identity, n_members)
    except ModelError as error:
        problems.append(f"{error} Or {leave_out}")
        return None
    outputs = [output.name for output in model.experiment.outputs]
    lacking = [output for output in outputs if output not in calibration.outputs]
    if lacking == outputs:
        problems.append(
            f"{folder / CALIBRATION}: holds none of the outputs {', '.join(outputs)}. "
            f"Must hold one at least that {asked} can be drawn of: it is measured on "
            "four features, and is no probability. Cross-validate over more features, "
            f"or {leave_out}"
        )
    elif lacking:
        logger.warning(
            "%s: does not hold %s: a probability, or measured on too few features. "
            "Drawn without %s",
            folder / CALIBRATION,
            ", ".join(lacking),
            asked,
        )
    for output, of_output in calibration.outputs.items():
        if not of_output.serves(n_members):
            problems.append(
                f"{folder}: has one finished member. Must have two at least, as the "
                f"uncertainty of {output!r} follows from their spread, too. Run "
                f"'ginv train', or {leave_out}"
            )
    return calibration


def find_calibration(folder: Path, model: Model, n_members: int) -> Calibration | None:
    """
    Read the calibration of a model where there is one, for what can do without.

    Parameters
    ----------
    folder : Path
        The model's.
    n_members : int
        That it is drawn with.

    Returns
    -------
    calibration : Calibration or None
        Of the outputs that so many members can use it for. None where there is none,
        and, with a warning, where it cannot be used.
    """
    if not (folder / CALIBRATION).exists():
        return None
    try:
        calibration = read_calibration(folder, model.identity, n_members)
    except ModelError as error:
        logger.warning(
            "%s Until then profiles show the spread of the members, and volumes have "
            "no intervals",
            error,
        )
        return None
    usable = {
        output: own
        for output, own in calibration.outputs.items()
        if own.serves(n_members)
    }
    return replace(calibration, outputs=usable)
