"""
Losses and metrics, as sums and counts.

Each is a function of predictions and targets, both of shape (n,), that gives the error
of every sample. What is logged is the sum over the count of an epoch's known targets,
never a mean of batch means. Names with ``nan_`` leave out unknown targets; the others
need every target, which is checked before training.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from glacier_inversion.choices import UNKNOWN_LEFT_OUT

ErrorFunction = Callable[[Tensor, Tensor], Tensor]


def _huber(prediction: Tensor, target: Tensor) -> Tensor:
    return functional.huber_loss(prediction, target, reduction="none")


def _binary_crossentropy(prediction: Tensor, target: Tensor) -> Tensor:
    """Compare probabilities, which is for metrics; the loss knows their logits."""
    # not functional.binary_cross_entropy: it refuses targets and predictions that
    # rounding takes beyond 0 and 1
    tiny = torch.finfo(prediction.dtype).eps
    p = prediction.clamp(tiny, 1 - tiny)
    return -(target * p.log() + (1 - target) * (1 - p).log())


def _binary_accuracy(prediction: Tensor, target: Tensor) -> Tensor:
    return ((prediction > 0.5) == (target > 0.5)).to(prediction.dtype)


ERRORS: dict[str, ErrorFunction] = {
    "mae": lambda prediction, target: (prediction - target).abs(),
    "mse": lambda prediction, target: (prediction - target).square(),
    "rmse": lambda prediction, target: (prediction - target).square(),
    "bias": lambda prediction, target: prediction - target,
    "huber": _huber,
    "binary_crossentropy": _binary_crossentropy,
    "binary_accuracy": _binary_accuracy,
}


def gaussian_nll(prediction: Tensor, target: Tensor) -> Tensor:
    """
    Return the negative logarithm of the likelihood of targets, without its constant.

    Nix and Weigend (1994), doi:10.1109/ICNN.1994.374138.

    Parameters
    ----------
    prediction : float tensor, shape (n, 2)
        Mean and logarithm of the variance.
    target : float tensor, shape (n,)
    """
    mean, log_variance = prediction.unbind(dim=1)
    return 0.5 * (log_variance + (target - mean).square() / log_variance.exp())


def plain(name: str) -> str:
    """
    Return the name of an error without ``nan_``.

    >>> plain("nan_mae"), plain("mae")
    ('mae', 'mae')
    """
    return name.removeprefix(UNKNOWN_LEFT_OUT)


def sum_losses(name: str, prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """
    Return the sum of the loss *name* at known targets, and their number.

    A crossentropy is that of sigmoid(prediction): its gradient is then right however
    sure the network is. That of a probability is lost where float32 rounds it to 1.

    Parameters
    ----------
    prediction : float tensor, shape (n, 1) or (n, 2)
        What the network gives.
    target : float tensor, shape (n,), NaN where unknown
        In normalised units.
    """
    if predicts_logit(name):
        return _summed(
            lambda known: functional.binary_cross_entropy_with_logits(
                prediction[:, 0], known, reduction="none"
            ),
            target,
        )
    if predicts_variance(name):
        return _summed(lambda known: gaussian_nll(prediction, known), target)
    return sum_errors(name, prediction, target)


def predicts_logit(loss: str) -> bool:
    """
    Tell whether a network that is trained with a loss gives the logit of its output.

    >>> predicts_logit("nan_binary_crossentropy"), predicts_logit("mae")
    (True, False)
    """
    return plain(loss) == "binary_crossentropy"


def predicts_variance(loss: str) -> bool:
    """
    Tell whether a network that is trained with a loss gives a variance, too.

    >>> predicts_variance("nan_gaussian_nll"), predicts_variance("nan_mse")
    (True, False)
    """
    return plain(loss) == "gaussian_nll"


def sum_errors(name: str, prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """
    Return the sum of the errors *name* at known targets, and their number.

    Parameters
    ----------
    name : str
        A metric, or a loss that is one, too.
    prediction : float tensor, shape (n, 1) or (n, 2)
    target : float tensor, shape (n,), NaN where unknown

    Returns
    -------
    total, count : tensors, shape ()
        Of an unknown target neither the sum nor the gradient knows.
    """
    return _summed(lambda known: ERRORS[plain(name)](prediction[:, 0], known), target)


def _summed(error: Callable[[Tensor], Tensor], target: Tensor) -> tuple[Tensor, Tensor]:
    """Sum the errors at known targets, and count these."""
    known = torch.isfinite(target)
    each = error(torch.where(known, target, torch.zeros_like(target)))
    return torch.where(known, each, torch.zeros_like(each)).sum(), known.sum()


def mean_of_sum(name: str, total: Tensor | float, count: Tensor | int) -> float:
    """
    Return the value to log of a sum and a count, NaN where nothing was counted.

    >>> mean_of_sum("rmse", 50.0, 2), mean_of_sum("nan_mae", 0.0, 0)
    (5.0, nan)
    """
    mean = float(total) / int(count) if count else math.nan
    return math.sqrt(mean) if plain(name) == "rmse" else mean
