"""
What the operations that networks are made of have in common: two ways of evaluation.

What flows through a network is a list of tensors: images of shape (batch, channels,
rows, cols) and vectors of shape (batch, units). An operation on images leaves vectors
as they are; they meet the flattened image in front of the next dense layer.

`Operation.forward` takes a batch of patches. `Operation.dense` takes all patches of a
block at once, as `PatchField` keeps them, and gives the same numbers for each but for
the order of sums.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Tensor, nn

from glacier_inversion.training.network.fields import PatchField

Shape = tuple[int, ...]
"""Of one sample: (channels, rows, cols) of an image, (units,) of a vector."""

# Ten times what the largest networks for images have: to try a single patch of more
# takes minutes, or all memory.
_MOST_WEIGHTS = 500_000_000
_MOST_MULTIPLY_ADDS = 100_000_000_000
_MOST_VALUES = 250_000_000


class ShapeError(ValueError):
    """An operation does not fit the shapes that it is given."""


def check_size(n_weights: int, multiply_adds: int, n_values: int) -> None:
    """
    Raise ShapeError if part of a network, or all of it, is too large to be tried.

    Parameters
    ----------
    n_weights : int
    multiply_adds, n_values : int
        For one patch: what is computed, and the most that is made of it at once.
    """
    for number, most, what in (
        (n_weights, _MOST_WEIGHTS, "weights"),
        (multiply_adds, _MOST_MULTIPLY_ADDS, "multiply-adds for a patch"),
        (n_values, _MOST_VALUES, "values made of a patch"),
    ):
        if number > most:
            message = (
                f"comes to {number:,} {what}: use at most {most:,}, by fewer filters, "
                "smaller kernels or a smaller area_size"
            )
            raise ShapeError(message)


class NotDenseError(Exception):
    """What an operation makes of a patch does not move along with the patch."""


class Operation(nn.Module, ABC):
    """
    From a list of tensors to a list of tensors, or of fields to fields.

    Attributes
    ----------
    stride : int
        Distance of the pixels of the images that it makes, in those it is given.
    """

    stride = 1

    @abstractmethod
    def forward(self, values: list[Tensor]) -> list[Tensor]:
        """Compute what comes next, of each patch of a batch."""

    @abstractmethod
    def dense(self, fields: list[PatchField]) -> list[PatchField]:
        """
        Compute the same of every patch of a block.

        Raises
        ------
        NotDenseError
            Only patch by patch would it be exact; the text ends a sentence that begins
            with the operation's place, such as main[2].
        """


class OnImage(Operation):
    """An operation on the only image; vectors pass by."""

    def __init__(self, shapes: Sequence[Shape]) -> None:
        super().__init__()
        self.shape = only_image(shapes)

    @abstractmethod
    def apply_to(self, image: Tensor) -> Tensor:
        """Compute the image that comes next."""

    @abstractmethod
    def apply_to_field(self, field: PatchField) -> PatchField:
        """Compute the field of images that comes next."""

    def forward(self, values: list[Tensor]) -> list[Tensor]:
        """Replace the image."""
        return [self.apply_to(v) if v.ndim == 4 else v for v in values]

    def dense(self, fields: list[PatchField]) -> list[PatchField]:
        """Replace the field of images."""
        return [f if f.is_vector else self.apply_to_field(f) for f in fields]


class Ending(Operation):
    """
    An operation that a network may end in: it makes a vector, with an activation.

    Attributes
    ----------
    linear_from : int
        Units from here on have no activation.
    start : tensor of one number, or None
        What is added to the first unit before its activation; kept with the weights.
    """

    linear_from: int
    start: Tensor | None


def only_image(shapes: Sequence[Shape]) -> Shape:
    """Return the shape of the only image, or say that it is not alone."""
    images = [shape for shape in shapes if len(shape) == 3]
    if len(images) > 1:
        message = "needs one image: put a concatenation or an addition before it"
        raise ShapeError(message)
    if not images:
        message = "needs an image, and there are only vectors"
        raise ShapeError(message)
    return images[0]
