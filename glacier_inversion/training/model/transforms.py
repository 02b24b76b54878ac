"""Transforms of targets, and back: what the words of the experiment file compute."""

from __future__ import annotations

from torch import Tensor

from glacier_inversion.experiment.transforms import LogTransform, SqrtTransform

_HIGHEST_LOG = 80.0  # float32 ends at exp(88.7)


def transform(target: Tensor, by: LogTransform | SqrtTransform | None) -> Tensor:
    """
    Return targets as they are learnt.

    Parameters
    ----------
    target : float tensor
        In the output's unit, NaN where unknown, which stays.
    by : LogTransform, SqrtTransform or None
        The output's transform: ln(max(target, floor)), sqrt(target), or the target.
    """
    if by is None:
        return target
    if isinstance(by, LogTransform):
        return target.clamp(min=by.floor).log()
    return target.sqrt()


def transform_back(values: Tensor, by: LogTransform | SqrtTransform | None) -> Tensor:
    """
    Return what was learnt as values in the output's unit, which are finite.

    The inverse of `transform` above the floor. A logarithm below that of the floor
    gives less than the floor, a root below 0 gives 0.

    Parameters
    ----------
    values : float tensor
        As `transform` returns them.
    by : LogTransform, SqrtTransform or None
        The output's transform.

    Examples
    --------
    >>> import torch
    >>> by = LogTransform(name="log", floor=5.0)
    >>> transform(torch.tensor([1.0, 100.0]), by).round(decimals=3).tolist()
    [1.6089999675750732, 4.605000019073486]
    >>> transform_back(torch.tensor([-3.0, 2.0]), SqrtTransform(name="sqrt")).tolist()
    [0.0, 4.0]
    """
    if by is None:
        return values
    if isinstance(by, LogTransform):
        return values.clamp(max=_HIGHEST_LOG).exp()
    return values.clamp(min=0.0).square()
