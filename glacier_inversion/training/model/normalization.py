"""Normalisation: what a network sees of its inputs, and predicts of its outputs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from glacier_inversion.choices import RANGES
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.experiment.sections import Output
from glacier_inversion.patches.interpolation import Floats
from glacier_inversion.patches.scale import Scale
from glacier_inversion.training.model.transforms import transform, transform_back
from glacier_inversion.training.network.activations import ACTIVATIONS
from glacier_inversion.training.network.losses import predicts_logit

NO_SCALE = Scale(0.0, 1.0)
_MARGIN = 0.01  # a start is as far from the ends of what an activation gives
_FURTHEST = 10.0  # beyond, activations give their ends, or what they are given
_HALVINGS = 60


class Moments:
    """
    Mean and variance of the valid values of arrays.

    Each is met twice, by `add` and `add_squares`, or once, by `add_once`. (0, 1) where
    there are none.

    Attributes
    ----------
    n : int
        How many there were.
    """

    def __init__(self) -> None:
        self.n = 0
        self._total = self._squares = 0.0

    def add(self, array: Floats) -> None:
        """Take an array for the mean."""
        valid = array[np.isfinite(array)].astype(np.float64)
        self.n += valid.size
        self._total += valid.sum()

    def add_squares(self, array: Floats) -> None:
        """Take it again, when the mean of all is known, for the variance."""
        deviations = array[np.isfinite(array)].astype(np.float64)
        deviations -= self.mean
        self._squares += np.square(deviations, out=deviations).sum()

    def add_once(self, array: Floats) -> None:
        """
        Take an array for both.

        References
        ----------
        Chan, Golub and LeVeque (1983), doi:10.1080/00031305.1983.10483115
        """
        valid = array[np.isfinite(array)].astype(np.float64)
        if not valid.size:
            return
        if self.n:
            apart = valid.mean() - self.mean
            self._squares += apart**2 * self.n * valid.size / (self.n + valid.size)
        self._squares += np.square(valid - valid.mean()).sum()
        self.n += valid.size
        self._total += valid.sum()

    @property
    def mean(self) -> float:
        """Of all arrays."""
        return float(self._total / self.n) if self.n else 0.0

    @property
    def variance(self) -> float:
        """Of all arrays, of which each was met again."""
        return float(self._squares / self.n) if self.n else 1.0


def mix(own: Moments, extra: Moments, share: float) -> tuple[float, float]:
    """
    Return mean and variance of values of which a share is drawn from *extra*.

    The rest is drawn from *own*, however many values the two have; all are where
    one of them has none.

    >>> own, extra = Moments(), Moments()
    >>> own.add_once(np.float32([1, 3]))
    >>> extra.add_once(np.float32([6, 6, 6, 6]))
    >>> mix(own, extra, 0.25)  # of 1, 3, 1, 3, 1, 3, 6, 6
    (3.0, 3.75)
    """
    if not extra.n:
        return own.mean, own.variance
    if not own.n:
        return extra.mean, extra.variance
    apart = extra.mean - own.mean
    within = (1 - share) * own.variance + share * extra.variance
    return own.mean + share * apart, within + share * (1 - share) * apart**2


def fit_input_scales(
    experiment: Experiment, moments: Mapping[str, tuple[float, float]]
) -> dict[str, Scale]:
    """
    Fit the normalisation of each input to what is met in training.

    The components of a vector that augmentation turns share one scale, their root mean
    square, and are not shifted: a turned vector is then normalised as any other. A
    constant input is shifted alone.

    Parameters
    ----------
    moments : mapping of (mean, variance)
        Of valid pixels of the tiles or of the samples' patches, by input.

    Returns
    -------
    scales : dict of Scale, by input, in the input's unit
    """
    if experiment.normalization == "none":
        return {variable.name: NO_SCALE for variable in experiment.inputs}
    scales = {
        name: Scale(mean, variance**0.5 or 1.0)
        for name, (mean, variance) in moments.items()
    }
    augmentation = experiment.augmentation
    for pair in augmentation.vectors if augmentation else []:
        squares = [moments[name][0] ** 2 + moments[name][1] for name in pair]
        rms = float(np.mean(squares)) ** 0.5
        for name in pair:
            scales[name] = Scale(0.0, rms or 1.0)
    return scales


@dataclass(frozen=True)
class KnownTargets:
    """
    The known targets that are trained on, in the outputs' units.

    Attributes
    ----------
    own, extra : float32 arrays, shape (n, n_outputs), NaN where unknown
        Of the training points, and of those of another dataset.
    shares : sequence of float
        How many of an epoch's known targets are of the other dataset, by output.
    """

    own: Floats
    extra: Floats
    shares: Sequence[float]


def fit_target_scales(
    experiment: Experiment, targets: KnownTargets
) -> dict[str, Scale]:
    """
    Fit the normalisation of each output to the known targets that are trained on.

    Of the transformed targets, where the output has a transform. By the std alone, not
    shifted, so that relu and softplus keep their meaning; logarithms, which have no
    zero, are shifted by their mean. An output that a sigmoid or tanh bounds keeps its
    targets.

    Returns
    -------
    scales : dict of Scale, by output, in the unit of its transform
    """
    scales = {}
    for i, variable in enumerate(experiment.outputs):
        activation = experiment.last_activation(variable.name) or "linear"
        bounded = activation in RANGES and math.isfinite(RANGES[activation][1])
        if experiment.normalization == "none" or bounded:
            scales[variable.name] = NO_SCALE
        else:
            of_both = Moments(), Moments()
            for moments, some in zip(
                of_both, (targets.own, targets.extra), strict=True
            ):
                learnt = transform(torch.from_numpy(some[:, i]), variable.transform)
                moments.add(learnt.numpy())
                moments.add_squares(learnt.numpy())
            mean, variance = mix(*of_both, targets.shares[i])
            is_shifted = (
                variable.transform is not None and variable.transform.is_shifted
            )
            scales[variable.name] = Scale(
                mean if is_shifted else 0.0, variance**0.5 or 1.0
            )
    return scales


def fit_starts(
    experiment: Experiment, targets: KnownTargets, scales: Mapping[str, Scale]
) -> dict[str, float]:
    """
    Return where networks start that are to start at the mean of the known targets.

    By output, before the last activation, which gives the mean there, or the nearest
    that it gives with a gradient. Empty if they start at 0.

    Parameters
    ----------
    targets : KnownTargets
    scales : mapping of Scale
        The outputs'.
    """
    starts: dict[str, float] = {}
    if experiment.start == "zero":
        return starts
    for i, output in enumerate(experiment.outputs):
        of_both = Moments(), Moments()
        for moments, some in zip(of_both, (targets.own, targets.extra), strict=True):
            target = torch.from_numpy(some[:, i])
            moments.add(normalise_target(target, output, scales[output.name]).numpy())
        mean, _ = mix(*of_both, targets.shares[i])
        activation = experiment.last_activation(output.name) or "linear"
        if predicts_logit(experiment.losses_name[output.name]):
            activation = "sigmoid"
        starts[output.name] = _before(activation, mean)
    return starts


def _before(activation: str, value: float) -> float:
    """Return what an activation turns into *value*, or into one that is near."""
    lowest, highest = RANGES.get(activation, (-math.inf, math.inf))
    if activation in ("gelu", "swish"):  # which fall below 0, and rise above it
        lowest = 0.0
    value = min(max(value, lowest + _MARGIN), highest - _MARGIN)
    activate = ACTIVATIONS[activation]
    above = abs(value) + _FURTHEST
    below = 0.0 if activation in ("gelu", "swish") else -above
    for _ in range(_HALVINGS):
        middle = (below + above) / 2
        if activate(torch.tensor(middle, dtype=torch.float64)) < value:
            below = middle
        else:
            above = middle
    return above


def normalise_target(target: Tensor, output: Output, scale: Scale) -> Tensor:
    """
    Return targets as a network learns them, in normalised units.

    Parameters
    ----------
    target : float tensor
        In the output's unit, NaN where unknown, which stays.
    output : Output
    scale : Scale
        The output's.
    """
    return (transform(target, output.transform) - scale.mean) / scale.std


def in_own_unit(prediction: Tensor, output: Output, loss: str, scale: Scale) -> Tensor:
    """
    Return what a network gives as values of its output, in the output's unit.

    Parameters
    ----------
    prediction : float tensor
        In normalised units; the logit of a probability where *loss* is a crossentropy.
    output : Output
    loss : str
        The output's.
    scale : Scale
        The output's.
    """
    if predicts_logit(loss):
        return torch.sigmoid(prediction)
    return transform_back(prediction * scale.std + scale.mean, output.transform)


def variance_in_own_unit(log_variance: Tensor, scale: Scale) -> Tensor:
    """
    Return the variance that a network gives, in the square of the output's unit.

    Parameters
    ----------
    log_variance : float tensor
        Its logarithm, in normalised units.
    scale : Scale
        The output's.

    Returns
    -------
    variance : float64 tensor
    """
    return log_variance.double().exp() * scale.std**2
