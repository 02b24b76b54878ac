"""What a network costs: its multiplications and additions, counted as it computes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from glacier_inversion.training.network.fused import is_fused, kernel_of
from glacier_inversion.training.network.operation import Operation, Shape


def probe(layer: Operation, shapes: Sequence[Shape]) -> tuple[list[Shape], int]:
    """
    Send one sample through a layer.

    Returns
    -------
    shapes : list of Shape
        What comes out.
    multiply_adds : int
    """
    with torch.no_grad(), MultiplyAdds() as counted:
        after = layer([torch.zeros(1, *shape) for shape in shapes])
    return [tuple(value.shape[1:]) for value in after], counted.total


class MultiplyAdds(TorchFunctionMode):
    """
    Counts the multiplications, each with an addition, of what is called within it.

    Attributes
    ----------
    calls : list of tuple
        Of each convolution and dense layer: the shape of what it made, and the
        multiplications for each value of it. The rest is small beside them.
    """

    def __init__(self) -> None:
        super().__init__()
        is_fused()  # it convolves to find that out, but once
        self.calls: list[tuple[Shape, int]] = []

    @property
    def total(self) -> int:
        """All multiplications together."""
        return sum(math.prod(shape) * n for shape, n in self.calls)

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Call a function of torch, and count if it is one of them."""
        result = func(*args, **(kwargs or {}))
        kernel = args[1] if func is functional.linear else kernel_of(func, args)
        if kernel is not None:
            # each value is a sum of as many products as one filter has weights
            self.calls.append((tuple(result.shape), kernel[0].numel()))
        return result
