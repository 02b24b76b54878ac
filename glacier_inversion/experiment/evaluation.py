"""The section of the evaluation: what a model is compared with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, Field

from glacier_inversion.errors import nearest
from glacier_inversion.experiment.raw import (
    MOST_ENTRIES,
    MOST_VARIABLES,
    RawExperiment,
)
from glacier_inversion.experiment.units import may_be, may_be_same
from glacier_inversion.experiment.values import Section, Text
from glacier_inversion.json_files import Problem, write_path


class PlasticityBaseline(Section):
    """
    Thickness of perfectly plastic ice, by its slope.

    The formula is that of the derived raster of this name; the yield stress is fitted
    to the training pixels.
    """

    name: Literal["plasticity"]
    slope: Text = Field(
        description="Raster of the slope of the surface, in degrees. One that is "
        "smoothed over some ice thicknesses does best."
    )


class VelocitySlopeBaseline(Section):
    """
    Thickness of ice by its speed and slope.

    The formula is that of the derived raster of this name; the rate factor is fitted to
    the training pixels.
    """

    name: Literal["velocity_slope"]
    speed: Text = Field(description="Raster of the speed of the surface, in m/yr.")
    slope: Text = Field(description="Raster of the slope of the surface, in degrees.")


class PublishedBaseline(Section):
    """A map that is compared as it is, such as a published one."""

    name: Literal["published"]
    raster: Text = Field(description="Raster of the map, in the unit of the output.")


Baseline = PlasticityBaseline | VelocitySlopeBaseline | PublishedBaseline

_PHYSICAL = [
    name
    for kind in get_args(Baseline)
    if kind is not PublishedBaseline
    for name in get_args(kind.model_fields["name"].annotation)
]
"""The names of those that give a thickness."""


def rasters_of(baseline: Baseline) -> list[str]:
    """Return the names of the rasters that a baseline reads, in order."""
    if isinstance(baseline, PublishedBaseline):
        return [baseline.raster]
    if isinstance(baseline, PlasticityBaseline):
        return [baseline.slope]
    return [baseline.speed, baseline.slope]


def _increasing(edges: list[float]) -> list[float]:
    if any(low >= high for low, high in pairwise(edges)):
        message = "Must increase from each to the next"
        raise ValueError(message)
    return edges


class EvaluationDescription(Section):
    """What predictions are compared with where the truth is known."""

    baselines: dict[
        str,
        Annotated[
            list[Annotated[Baseline, Field(discriminator="name")]],
            Field(max_length=MOST_VARIABLES),
        ],
    ] = Field(
        default={},
        max_length=MOST_ENTRIES,
        description="For each output, what it is compared with besides the mean of "
        "the training pixels.",
    )
    classes: dict[
        str,
        Annotated[
            list[float],
            Field(min_length=1, max_length=MOST_VARIABLES),
            AfterValidator(_increasing),
        ],
    ] = Field(
        default={},
        max_length=MOST_ENTRIES,
        description="For each output, the values between classes of the observed "
        "value, for which errors are told apart. Default: its quartiles.",
    )

    @property
    def rasters(self) -> list[str]:
        """The names of the rasters that baselines read, each once."""
        named = [
            raster
            for baselines in self.baselines.values()
            for baseline in baselines
            for raster in rasters_of(baseline)
        ]
        return list(dict.fromkeys(named))


def find_other_units(
    description: EvaluationDescription, units: Mapping[str, str | None]
) -> list[str]:
    """
    Return which rasters of baselines are in another unit than is needed, as messages.

    Published maps need that of their output, slopes degrees. A factor of a speed is
    fitted.

    Parameters
    ----------
    units : mapping of str or None
        Of rasters and outputs; what has none is not compared.
    """
    found = []
    for output, baselines in description.baselines.items():
        for i, baseline in enumerate(baselines):
            place = write_path(["evaluation_description", "baselines", output, i])
            if not isinstance(baseline, PublishedBaseline):
                slope = baseline.slope
                if not may_be(units.get(slope), "degree"):
                    found.append(
                        f"{place}.slope: {slope!r} is in {units[slope]!r}. Must be in "
                        "degrees, or this method errs more than it would, and the "
                        'skill is too good. Convert it, or correct its "unit" in '
                        "dataset_description.rasters"
                    )
                continue
            name, own = baseline.raster, units.get(output)
            if not may_be_same(units.get(name), own):
                found.append(
                    f"{place}.raster: {name!r} is in {units[name]!r}, and "
                    f"{output!r} in {own!r}. Must be in the same unit, or its errors "
                    'and the skill mean nothing. Convert it, or correct its "unit" in '
                    "dataset_description.rasters"
                )
    return found


def find_wrong_evaluation(view: RawExperiment) -> Iterator[Problem]:
    """Yield what the evaluation asks for and the experiment does not have."""
    outputs = view.names("outputs")
    for key in ("baselines", "classes"):
        for name in view.section("evaluation_description", key):
            path = write_path(["evaluation_description", key, name])
            if name not in outputs:
                yield (
                    path,
                    f"{name!r} is no output. Must be the name of one. "
                    f"{nearest(name, outputs)} Correct it",
                )
            elif key == "classes" and _is_class(view, name):
                yield (
                    path,
                    f"{name!r} is a class itself, 0 or 1, by its loss. Must be an "
                    "output that is measured. Remove the entry",
                )
    for output in view.section("evaluation_description", "baselines"):
        items = view.items("evaluation_description", "baselines", output)
        yield from _of_baselines(view, output, items)


def _is_class(view: RawExperiment, output: str) -> bool:
    loss = view.section("losses_name").get(output)
    return "binary_crossentropy" in str(loss)


def _of_baselines(
    view: RawExperiment, output: str, items: list[tuple[str, dict[str, Any]]]
) -> Iterator[Problem]:
    for i, (path, item) in enumerate(items):
        if item in [other for _, other in items[:i]]:
            yield path, "stands there twice. Must stand once. Remove one"
        if item["name"] in _PHYSICAL and _is_class(view, output):
            yield (
                f"{path}.name",
                f"{item['name']!r} gives a thickness, and {output!r} is a class, 0 or "
                "1, by its loss. Must be 'published'. Use it, or remove the entry",
            )
        for key in ("speed", "slope", "raster"):
            name = item.get(key)
            if not isinstance(name, str):
                continue
            if name not in view.rasters and view.has_all_rasters:
                yield (
                    f"{path}.{key}",
                    f"{name!r} is not described. Must be among "
                    f"dataset_description.rasters. {nearest(name, view.rasters)} "
                    "Correct it, or describe it there",
                )
            elif name == output:
                yield (
                    f"{path}.{key}",
                    f"{name!r} is what the predictions are compared with. Must be "
                    "another raster. Name that of the map",
                )
