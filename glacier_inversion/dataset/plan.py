"""What a dataset will be, before it is built, and what is odd about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from glacier_inversion.dataset.outlines import Outline
from glacier_inversion.errors import RasterError
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.experiment.sections import DatasetDescription
from glacier_inversion.geodata.rasters import Source, open_source
from glacier_inversion.grid import (
    MOST_PIXELS,
    Bounds,
    Grid,
    common_multiple,
    snap_bounds,
)
from glacier_inversion.workspace import Workspace


def open_sources(
    description: DatasetDescription, workspace: Workspace
) -> tuple[dict[str, Source], list[str]]:
    """Open every raster once; return those that can be used, and why others cannot."""
    sources: dict[str, Source] = {}
    problems: list[str] = []
    for raster in description.rasters:
        try:
            sources[raster.name] = open_source(
                workspace.data(raster.file),
                raster.band,
                raster.nodata,
                raster.resampling,
                raster.resolution,
                description.epsg,
            )
        except RasterError as error:
            problems.append(str(error))
    return sources, list(dict.fromkeys(problems))


def find_small_buffer(experiment: Experiment) -> list[str]:
    """Say where the buffer is too small for the margins to be drawn."""
    buffer_m = experiment.dataset_description.buffer_distance
    coarsest = max(variable.resolution for variable in experiment.variables())
    needed = experiment.area_size / 2 + coarsest
    if buffer_m >= needed:
        return []
    return [
        f"dataset_description.buffer_distance: {buffer_m:g} is less than {needed:g}, "
        "half the area size and one coarsest pixel: the margins of glaciers will not "
        "be drawn"
    ]


def find_left_out(
    shapefile: Path, outlines: list[Outline], splits: dict[str, str]
) -> list[str]:
    """Say how many features have no split."""
    n_left_out = len(outlines) - len(splits)
    if not n_left_out:
        return []
    return [f"{shapefile}: {n_left_out} features have no split: left out"]


def find_unusable(outlines: list[Outline], splits: dict[str, str]) -> dict[str, str]:
    """Say of each feature whose outline cannot be used why."""
    return {
        outline.feature: f"the outline {outline.problem}"
        for outline in outlines
        if outline.feature in splits and outline.problem is not None
    }


def refuse_large(
    description: DatasetDescription, outlines: list[Outline]
) -> list[Outline]:
    """
    Return the outlines without the polygons of those whose tiles would be too large.

    What is as large by mistake must not take the ground of all others either.
    """
    step = common_multiple(raster.resolution for raster in description.rasters)
    finest = min(raster.resolution for raster in description.rasters)
    checked = []
    for outline in outlines:
        if outline.polygon is not None:
            bounds = outline.polygon.bounds
            tile = snap_bounds(bounds, description.buffer_distance, step)
            grid = Grid.from_bounds(tile, finest)
            n_pixels = grid.n_rows * grid.n_cols
            if n_pixels > MOST_PIXELS:
                width, height = bounds[2] - bounds[0], bounds[3] - bounds[1]
                problem = (
                    f"is {width:,.0f} x {height:,.0f} m large: a tile would have "
                    f"{n_pixels:,} pixels of {finest:g} m. Must have at most "
                    f"{MOST_PIXELS:,}. Correct it, or use a coarser resolution"
                )
                outline = replace(outline, polygon=None, problem=problem)  # noqa: PLW2901
        checked.append(outline)
    return checked


def plan_bounds(
    description: DatasetDescription, outlines: list[Outline], splits: dict[str, str]
) -> dict[str, Bounds]:
    """Return the bounds of the tiles of every feature that gets some."""
    step = common_multiple(raster.resolution for raster in description.rasters)
    return {
        outline.feature: snap_bounds(
            outline.polygon.bounds, description.buffer_distance, step
        )
        for outline in outlines
        if outline.feature in splits and outline.polygon is not None
    }


def describe_empty(folder: Path, failures: dict[str, str]) -> str:
    """Say that a dataset holds no feature, and why the first of them failed."""
    return (
        f"{folder}: no feature could be built. Must have one at least. Mend the first: "
        f"{next(iter(failures.values()), 'the outlines hold none')}"
    )


def find_oddities(
    description: DatasetDescription,
    known: dict[str, bool],
    overlaps: list[dict[str, Any]],
    shared: list[dict[str, Any]],
    listed_in: str,
) -> Iterator[str]:
    """
    Say what a user may not have meant.

    Parameters
    ----------
    known : dict of bool
        Whether any feature has a valid pixel, by raster.
    overlaps, shared : list of dict
        As `find_overlaps` and `find_shared_areas` return them.
    listed_in : str
        What lists all of them.
    """
    for overlap in overlaps[:5]:
        (first, second), (its_split, other) = overlap["features"], overlap["splits"]
        yield (
            f"the tiles of {first} ({its_split}) and {second} ({other}) overlap by "
            f"{overlap['area_km2']:.2f} km2: they share inputs across the split; "
            "targets serve one of them alone"
        )
    if len(overlaps) > 5:
        yield f"{len(overlaps) - 5} more such overlaps, in {listed_in}"
    for pair in shared[:5]:
        first, second = pair["features"]
        yield (
            f"the outlines of {first} and {second} overlap by {pair['area_km2']:.4f} "
            "km2: targets there are nobody's"
        )
    if len(shared) > 5:
        yield f"{len(shared) - 5} more such pairs, in {listed_in}"
    for raster in description.rasters:
        if not known.get(raster.name, True):
            yield f"{raster.name}: no valid pixel in any feature: {raster.file}"
