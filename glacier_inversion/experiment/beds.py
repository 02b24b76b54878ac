"""Beds: a surface minus a thickness; what they are called, and what they ask for."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from pydantic import Field

from glacier_inversion.errors import nearest
from glacier_inversion.experiment.raw import RawExperiment
from glacier_inversion.experiment.units import may_be
from glacier_inversion.experiment.values import Section, Text
from glacier_inversion.json_files import Problem
from glacier_inversion.workspace import name_problem

_PLACE = "drawing_description.bed"


class Bed(Section):
    """The bed to draw: a surface minus the thickness of the ice, of each member."""

    surface: Text = Field(
        description="A raster of dataset_description.rasters: the elevation of the "
        "surface, in metres."
    )
    thickness: Text = Field(
        description="The output that is subtracted, in metres. Where it is below 0 "
        "the bed is the surface."
    )

    @property
    def output(self) -> str:
        """What it is called among the outputs that are drawn."""
        return bed_of(self.thickness)


def bed_of(output: str) -> str:
    """
    Return what the bed below an output is called.

    >>> bed_of("ice_thickness")
    'ice_thickness_bed'
    """
    return f"{output}_bed"


def find_wrong_bed(view: RawExperiment) -> Iterator[Problem]:
    """Yield what keeps a bed from being drawn, as far as the file tells."""
    bed = view.section(*_PLACE.split("."))
    surface, thickness = bed.get("surface"), bed.get("thickness")
    if (
        isinstance(surface, str)
        and surface not in view.rasters
        and view.has_all_rasters
    ):
        yield (
            f"{_PLACE}.surface",
            f"{surface!r} is not described. Must be among "
            f"dataset_description.rasters. {nearest(surface, view.rasters)}",
        )
    if isinstance(surface, str) and view.is_of_points(surface):
        yield (
            f"{_PLACE}.surface",
            f"{surface!r} is gridded from points. Must be a raster that is known "
            "around them, too. Name another",
        )
    outputs = view.names("outputs")
    if isinstance(thickness, str) and outputs:  # an application has none of its own
        yield from _of_outputs(thickness, "the experiment", outputs)


def find_bed_problems(
    bed: Bed, whose: str, outputs: Collection[str], units: Mapping[str, str | None]
) -> list[str]:
    """
    Return what keeps a bed from being drawn with a network, a message each.

    Parameters
    ----------
    whose : str
        What messages call the network.
    outputs : collection of str
        What it predicts.
    units : mapping of str or None
        Of rasters and outputs; what has none is taken for metres.
    """
    problems = [*_of_outputs(bed.thickness, whose, outputs)]
    for key, name in (("surface", bed.surface), ("thickness", bed.thickness)):
        unit = units.get(name)
        if not may_be(unit, "m"):
            problems.append(
                (
                    f"{_PLACE}.{key}",
                    f"{name!r} is in {unit!r}. Must be in metres. Name another, or "
                    "correct the unit in dataset_description.rasters",
                )
            )
    return [f"{place}: {what.rstrip('.')}." for place, what in problems]


def _of_outputs(
    thickness: str, whose: str, outputs: Collection[str]
) -> Iterator[Problem]:
    if thickness not in outputs:
        yield (
            f"{_PLACE}.thickness",
            f"{thickness!r} is no output of {whose}. Must be one. "
            f"{nearest(thickness, outputs)}",
        )
    elif problem := name_problem(bed_of(thickness)):
        yield (
            f"{_PLACE}.thickness",
            f"{bed_of(thickness)!r}, which the bed below it is called, {problem}. Must "
            "be able to name a file. Call the output otherwise, or draw no bed",
        )
    elif bed_of(thickness) in outputs:
        yield (
            f"{_PLACE}.thickness",
            f"{bed_of(thickness)!r}, which the bed below {thickness!r} is called, is "
            f"an output of {whose}, too. Must be free. Call the output otherwise, or "
            "draw no bed",
        )
