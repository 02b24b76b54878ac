"""
A convolution, the sum behind it and the ReLU behind that, in one pass through memory.

oneDNN, the library by which torch convolves on processors, adds and rectifies what it
has just computed while that is still in the processor's registers. torch offers this to
its own compiler alone, without a promise that it stays. So it is tried once, beside the
plain operations, and these are used where it is missing or differs: on a GPU, in other
precisions, on processors without oneDNN, wherever gradients are wanted, and for kernels
of one pixel on small images where nothing is added and nothing rectified.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional

# The operations as torch names them where calls are watched.
_ALONE = "mkldnn._convolution_pointwise"
_WITH_SUM = "mkldnn._convolution_pointwise_.binary"
# Pixels of an image from which on a kernel of one pixel is faster by them where nothing
# is fused: before a call computes it takes a while, 40 microseconds on one processor.
_SMALL = 8192


def convolve(
    image: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    *,
    pads: bool = False,
    rectifies: bool = False,
    onto: Tensor | None = None,
) -> Tensor:
    """
    Return relu(onto + convolution(image)), or part of that.

    A ReLU that is fused makes 0 of NaN. Neither images nor kernels hold NaN; it comes
    of numbers that are too large for float32.

    Parameters
    ----------
    image : tensor, shape (n, channels, rows, cols)
    weight : tensor, shape (filters, channels, k, k)
    bias : tensor, shape (filters,), optional
    pads : bool
        With as many zeros on all sides that the image keeps its size.
    rectifies : bool
        Apply a ReLU at the end.
    onto : tensor, shape of the result, optional
        What is added. Without gradients its memory may become that of the result.

    Returns
    -------
    image : tensor, shape (n, filters, rows, cols) or, without padding, k - 1 less
    """
    n_filters, side = weight.shape[0], weight.shape[-1]
    if (
        not torch.is_grad_enabled()
        and n_filters > 1  # torch 2.13 is wrong where one filter makes one pixel
        and image.device.type == "cpu"
        and image.dtype == torch.float32
        and not (pads and side % 2 == 0)  # one more zero at the end
        and (rectifies or onto is not None or side > 1 or _n_pixels(image) >= _SMALL)
        and is_fused()
    ):
        return _fused(image, weight, bias, side // 2 if pads else 0, rectifies, onto)
    return _plain(image, weight, bias, pads, rectifies, onto)


def _n_pixels(image: Tensor) -> int:
    return image.shape[0] * image.shape[2] * image.shape[3]


def kernel_of(function: object, arguments: Sequence[Any]) -> Tensor | None:
    """Return the kernel with which a call convolves; None if it does not convolve."""
    if function is functional.conv2d or str(function) == _ALONE:
        return cast(Tensor, arguments[1])
    return cast(Tensor, arguments[2]) if str(function) == _WITH_SUM else None


@functools.cache
def is_fused() -> bool:
    """
    Tell whether torch has the fused operations here, and they give the same numbers.

    They are compared with the plain ones, to within the rounding of sums, on images of
    one and of several channels, with and without padding.
    """
    if not torch.backends.mkldnn.enabled:
        return False
    source = torch.Generator().manual_seed(0)
    channels_last = torch.channels_last
    try:
        for channels, pads, adds in itertools.product((1, 8), (0, 1), (0, 1)):
            image = torch.randn(2, channels, 12, 12, generator=source)
            image = image.to(memory_format=channels_last)
            weight = torch.randn(16, channels, 3, 3, generator=source)
            weight = weight.to(memory_format=channels_last)
            bias = torch.randn(16, generator=source)
            side = 12 if pads else 10
            onto = torch.randn(2, 16, side, side, generator=source) if adds else None
            with torch.no_grad():
                expected = _plain(image, weight, bias, bool(pads), True, onto)
                onto = None if onto is None else onto.to(memory_format=channels_last)
                found = _fused(image, weight, bias, pads, True, onto)
            if not torch.allclose(found, expected, rtol=1e-5, atol=1e-5):
                return False
    except (AttributeError, RuntimeError, TypeError):  # not there, or not as it was
        return False
    return True


def _plain(
    image: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    pads: bool,
    rectifies: bool,
    onto: Tensor | None,
) -> Tensor:
    padding = "same" if pads else "valid"
    image = functional.conv2d(image, weight, bias, padding=padding)
    if onto is not None:
        image = image.add_(onto)
    return functional.relu(image, inplace=True) if rectifies else image


def _fused(
    image: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    n_zeros: int,
    rectifies: bool,
    onto: Tensor | None,
) -> Tensor:
    operations: Any = torch.ops.mkldnn
    given = image, weight, bias, [n_zeros] * 2, [1, 1], [1, 1], 1
    last = "relu" if rectifies else None
    result: Tensor
    if onto is None:
        # its own word for nothing is not that of the sum's
        result = operations._convolution_pointwise(*given, last or "none", [], "")
    else:
        result = operations._convolution_pointwise_.binary(
            onto, *given, "add", None, last, [], None
        )
    return result
