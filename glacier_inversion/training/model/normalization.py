"""Normalisation: what a network sees of its inputs, and predicts of its outputs."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.patches.samples import Samples
from glacier_inversion.patches.scale import Scale
from glacier_inversion.patches.tiles import Tiles
from glacier_inversion.training.network.losses import predicts_logit

NO_SCALE = Scale(0.0, 1.0)


def fit_input_scales(
    experiment: Experiment, training_tiles: list[Tiles]
) -> dict[str, Scale]:
    """
    Fit the normalisation of each input to the valid pixels of the training tiles.

    The components of a vector that augmentation turns share one scale, their root mean
    square, and are not shifted: a turned vector is then normalised as any other. A
    constant input is shifted alone.

    Returns
    -------
    scales : dict of Scale, by input, in the input's unit
    """
    if experiment.normalization == "none":
        return {variable.name: NO_SCALE for variable in experiment.inputs}
    scales = {}
    for variable in experiment.inputs:
        tiles = [part.inputs[variable.name] for part in training_tiles]
        mean, variance = _moments(tiles)
        scales[variable.name] = Scale(mean, variance**0.5 or 1.0)
    augmentation = experiment.augmentation
    for pair in augmentation.vectors if augmentation else []:
        squares = [
            _moments([part.inputs[name] for part in training_tiles]) for name in pair
        ]
        rms = float(np.mean([m**2 + v for m, v in squares])) ** 0.5
        for name in pair:
            scales[name] = Scale(0.0, rms or 1.0)
    return scales


def fit_target_scales(experiment: Experiment, samples: Samples) -> dict[str, Scale]:
    """
    Fit the normalisation of each output to the known targets of the training points.

    By the std alone, not shifted, so that relu and softplus keep their meaning; an
    output that a sigmoid or tanh bounds keeps its targets.

    Returns
    -------
    scales : dict of Scale, by output, in the output's unit
    """
    scales = {}
    for i, variable in enumerate(experiment.outputs):
        bounded = experiment.last_activation(variable.name) in ("sigmoid", "tanh")
        if experiment.normalization == "none" or bounded:
            scales[variable.name] = NO_SCALE
        else:
            _, variance = _moments([samples.targets[:, i].numpy()])
            scales[variable.name] = Scale(0.0, variance**0.5 or 1.0)
    return scales


def in_own_unit(prediction: Tensor, loss: str, scale: Scale) -> Tensor:
    """
    Return what a network gives as values of its output, in the output's unit.

    Parameters
    ----------
    prediction : float tensor
        In normalised units; the logit of a probability where *loss* is a crossentropy.
    scale : Scale
        The output's.
    """
    if predicts_logit(loss):
        return torch.sigmoid(prediction)
    return prediction * scale.std


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


def _moments(arrays: Iterable[NDArray[np.float32]]) -> tuple[float, float]:
    """Return mean and variance of the valid values, (0, 1) where there are none."""
    valid = [array[np.isfinite(array)].astype(np.float64) for array in arrays]
    count = sum(values.size for values in valid)
    if count == 0:
        return 0.0, 1.0
    mean = sum(values.sum() for values in valid) / count
    variance = sum(np.square(values - mean).sum() for values in valid) / count
    return float(mean), float(variance)
