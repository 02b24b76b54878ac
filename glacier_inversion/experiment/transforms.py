"""Transforms of targets: what a network learns in the place of an output's values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from glacier_inversion.experiment.layers import find_last_activation
from glacier_inversion.experiment.raw import RawExperiment
from glacier_inversion.experiment.values import PositiveFloat, Section
from glacier_inversion.json_files import Problem

# Losses of which more than a value would have to be transformed back.
_WITHOUT = "binary_crossentropy", "gaussian_nll"


class LogTransform(Section):
    """Natural logarithm of a target in its unit."""

    is_shifted: ClassVar[bool] = True  # by its training mean: it has no zero to keep

    name: Literal["log"]
    floor: PositiveFloat = Field(
        description="In the target's unit: smaller targets are raised to it."
    )


class SqrtTransform(Section):
    """Square root of a target."""

    is_shifted: ClassVar[bool] = False

    name: Literal["sqrt"]


Transform = Annotated[LogTransform | SqrtTransform, Field(discriminator="name")]


def find_wrong_transforms(view: RawExperiment) -> Iterator[Problem]:
    """Yield the transforms that do not go with the loss, or the last activation."""
    losses = view.section("losses_name")
    for path, item in view.items("outputs"):
        output, transform = item["name"], _named(item.get("transform"))
        if transform is None:
            continue
        loss = losses.get(output)
        if isinstance(loss, str) and loss.endswith(_WITHOUT):
            yield (
                f"{path}.transform",
                f"{transform!r} does not go with the loss {loss!r}, by which the "
                "network says more than a value. Must be a loss of values. Use "
                "'nan_mae', for example, or leave the transform out",
            )
        place, activation = find_last_activation(view, output)
        if transform == "log" and activation not in (None, "linear"):
            yield (
                f"{place}.last_activation",
                f"{activation!r} cannot reach all logarithms, which the transform of "
                f"{output!r} asks for: they are shifted by their mean. Must be "
                "'linear'. Use it: what is drawn is above 0 all the same",
            )


def _named(transform: Any) -> str | None:
    """Return the name of a transform, as far as the file names one."""
    name = transform.get("name") if isinstance(transform, dict) else None
    return name if isinstance(name, str) else None
