"""What a model has to be better than: simple methods, fitted to the same training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from glacier_inversion.dataset.computation import Place, find_computation
from glacier_inversion.dataset.ice import Ice
from glacier_inversion.errors import DatasetError
from glacier_inversion.evaluation.pixels import KnownPixels
from glacier_inversion.experiment.derivation import find_derivations
from glacier_inversion.experiment.evaluation import (
    Baseline,
    PublishedBaseline,
    rasters_of,
)
from glacier_inversion.grid import Grid

Floats = NDArray[np.float64]

_PUBLISHED = "published "  # begins the name of a method that is such a map

# The constant of the derived raster that is fitted; which power of a factor of the
# thickness is that of the constant; the unit that it is shown in, and its size.
_CONSTANTS = {
    "plasticity": ("tau", 1, "kPa", 1e3),
    "velocity_slope": ("rate_factor", -4, "/(Pa3 s)", 1.0),
}
# These are computed pixel by pixel, wherever the pixels are.
_NOWHERE = Place(Grid(0.0, 0.0, 1.0, 0, 0), Ice({}), lambda _: (np.nan, np.nan))


@dataclass(frozen=True)
class Method:
    """
    A method beside the model, as it came out of the training pixels.

    Attributes
    ----------
    name : str
        Of an output, that of no other method.
    description : str
        What it is, and behind a comma what was fitted, which differs between folds.
    fitted : dict of float
        What was fitted, in SI units and the output's.
    predicted : float64 array, shape (n_pixels,), the output's unit
        At the pixels that are evaluated, NaN where it says nothing.
    """

    name: str
    description: str
    fitted: dict[str, float] = field(repr=False)
    predicted: Floats = field(repr=False)


def is_published(method: str) -> bool:
    """Tell by its name whether a method is a published map, not fitted here."""
    return method.startswith(_PUBLISHED)


def fit_scale(observed: Floats, computed: Floats) -> float:
    """
    Return the factor of *computed* that has the least squared error, NaN of none.

    >>> fit_scale(np.array([2.0, 4.0, 5.0]), np.array([1.0, 2.0, np.nan]))
    2.0
    """
    known = np.isfinite(observed) & np.isfinite(computed)
    observed, computed = observed[known], computed[known]
    square = computed @ computed
    return float(observed @ computed / square) if square > 0 else float("nan")


def fit_baselines(
    output: str,
    baselines: Sequence[Baseline],
    training: KnownPixels,
    pixels: KnownPixels,
    unit: str | None,
) -> list[Method]:
    """
    Fit methods to the known pixels of the training features, and apply them.

    The mean of these pixels is always among them, and the first. Plasticity has its
    yield stress fitted, velocity-slope its rate factor, both by the least squared error
    of the thickness; published maps are taken as they are.

    Parameters
    ----------
    training, pixels : KnownPixels
        What is fitted to, and what is predicted.

    Raises
    ------
    DatasetError
        There is nothing to fit to.
    """
    if not len(training.observed):
        message = (
            f"{output}: is known nowhere on the training features. Must be, to compare "
            "with their mean. Correct the split, or build the dataset anew."
        )
        raise DatasetError(message)
    mean = float(training.observed.mean())
    of_unit = f" {unit}" if unit else ""
    methods = [
        Method(
            "mean",
            f"mean of training, {mean:.4g}{of_unit}",
            {"mean": mean},
            np.full(len(pixels.observed), mean),
        )
    ]
    for baseline in baselines:
        methods.append(_fit(output, baseline, training, pixels))
    return methods


def _fit(
    output: str, baseline: Baseline, training: KnownPixels, pixels: KnownPixels
) -> Method:
    names = rasters_of(baseline)
    if isinstance(baseline, PublishedBaseline):
        (name,) = names
        return Method(f"{_PUBLISHED}{name}", name, {}, pixels.rasters[name])
    called = f"{baseline.name} of {', '.join(names)}"
    given = find_derivations()[baseline.name].model_validate(
        {"name": baseline.name, "of": names}
    )
    there, here = (
        find_computation(baseline.name).compute(
            given, [known.rasters[name] for name in names], _NOWHERE
        )
        for known in (training, pixels)
    )
    scale = fit_scale(training.observed, there)
    if not scale > 0:
        message = (
            f"evaluation_description.baselines.{output}: {called} cannot be fitted: "
            f"its factor comes out as {scale:g}. Must be above 0, of a thickness that "
            "is known where the rasters are. Correct the rasters, or remove the entry."
        )
        raise DatasetError(message)
    constant, power, unit, size = _CONSTANTS[baseline.name]
    value = float(getattr(given, constant) * scale**power)
    return Method(
        called,
        f"{baseline.name}, {value / size:.3g} {unit}",
        {constant: value},
        scale * here,
    )


def join_methods(folds: Sequence[Sequence[Method]]) -> list[Method]:
    """
    Return the methods of several folds as ones that predict the pixels of all.

    What was fitted differs between them, and is left to the folds.
    """
    joined = []
    for of_folds in zip(*folds, strict=True):
        first = of_folds[0]
        called = first.description.partition(",")[0]
        predicted = np.concatenate([method.predicted for method in of_folds])
        joined.append(Method(first.name, called, {}, predicted))
    return joined
