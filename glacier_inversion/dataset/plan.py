"""What a dataset will be, before it is built, and what is odd about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import shapely

from glacier_inversion.dataset.odd_units import find_odd_units
from glacier_inversion.dataset.outlines import (
    MADE_VALID,
    Outline,
    name_outlines,
    read_outlines,
)
from glacier_inversion.dataset.ownership import Ownership
from glacier_inversion.dataset.rasters import Rasters
from glacier_inversion.dataset.sources import (
    find_blurred_masks,
    find_pictures,
    find_unlike_components,
    find_unnamed_vectors,
    open_sources,
)
from glacier_inversion.dataset.splits import (
    find_overlaps,
    find_shared_areas,
    find_splits,
)
from glacier_inversion.errors import (
    DatasetError,
    OutlineError,
    RasterError,
    name_some,
)
from glacier_inversion.experiment.application import Application
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.experiment.sections import DatasetDescription
from glacier_inversion.geodata.map_scale import worst_scale
from glacier_inversion.geodata.points import PointSource
from glacier_inversion.geodata.rasters import Source
from glacier_inversion.grid import (
    MOST_PIXELS,
    Grid,
    common_multiple,
    snap_bounds,
)
from glacier_inversion.workspace import Workspace


@dataclass(frozen=True)
class DatasetPlan:
    """
    What a dataset will be, as far as its outlines and rasters can be used.

    Attributes
    ----------
    description : DatasetDescription
    folder : Path
        Of the dataset.
    outlines : list of Outline
        All of the file, in its order.
    sources : dict of Source
        The files that can be used, by the names of their rasters.
    points : dict of PointSource
        Those of points, likewise.
    ownership : Ownership
        Of the features that get tiles: their bounds, and the splits of those that have
        one; and the outlines of all.
    failures : dict of str
        Why features cannot get tiles, by id.
    problems : tuple of OutlineError and RasterError
        What keeps the dataset from being built.
    warnings : tuple of str
        What a user may not have meant.
    """

    description: DatasetDescription
    folder: Path
    outlines: list[Outline]
    sources: dict[str, Source]
    points: dict[str, PointSource]
    ownership: Ownership
    failures: dict[str, str]
    problems: tuple[OutlineError | RasterError, ...]
    warnings: tuple[str, ...]

    def check_buildable(self) -> None:
        """Raise the problems, if there are any, as one OutlineError or RasterError."""
        if self.problems:
            message = "\n".join(dict.fromkeys(map(str, self.problems)))
            raise type(self.problems[0])(message)

    @cached_property
    def rasters(self) -> Rasters:
        """The rasters that can be used, those that are derived too."""
        return Rasters.of(self.description, self.sources, self.points, self.ownership)

    @cached_property
    def overlaps(self) -> list[dict[str, Any]]:
        """The tiles that overlap across the split, as `find_overlaps` returns them."""
        return find_overlaps(self.ownership.bounds, self.ownership.splits)

    @cached_property
    def shared_outlines(self) -> list[dict[str, Any]]:
        """The outlines that overlap, as `find_shared_areas` returns them."""
        return find_shared_areas(self.ownership.outlines)

    def find_oddities(self, known: Mapping[str, bool]) -> Iterator[str]:
        """
        Say what a user may not have meant, and is seen where features meet.

        Parameters
        ----------
        known : mapping of bool
            Whether any feature has a valid pixel, by raster; True where it is not
            there.
        """
        for overlap in self.overlaps[:_MOST_NAMED]:
            (first, second), (its_split, other) = overlap["features"], overlap["splits"]
            yield (
                f"the tiles of {first} ({its_split}) and {second} ({other}) overlap by "
                f"{overlap['area_km2']:.2f} km2: they share inputs across the split; "
                "targets serve one of them alone"
            )
        if (n_more := len(self.overlaps) - _MOST_NAMED) > 0:
            yield f"{n_more} more such overlaps, in the leaks of 'ginv check --json'"
        for pair in self.shared_outlines[:_MOST_NAMED]:
            first, second = pair["features"]
            yield (
                f"the outlines of {first} and {second} overlap by "
                f"{pair['area_km2']:.4f} km2: targets there are nobody's, and the "
                "total volume counts the ice twice"
            )
        if (n_more := len(self.shared_outlines) - _MOST_NAMED) > 0:
            yield f"{n_more} more such pairs, in the leaks of 'ginv check --json'"
        for points in self.rasters.points.values():
            if misplaced := points.describe_misplaced():
                yield f"{points.source.path}: {misplaced}"
        yield from find_odd_units(self.rasters)
        for raster in self.description.rasters:
            if not known.get(raster.name, True):
                yield f"{raster.name}: no valid pixel in any feature: {raster.origin}"


_MOST_NAMED = 5  # of pairs that overlap
# Of lengths; polar stereographic grids have 3.5 % in the south of Greenland.
_MOST_DISTORTED = 0.05


def plan_dataset(
    experiment: Experiment | Application, workspace: Workspace
) -> DatasetPlan:
    """
    Read the outlines and open the rasters of an experiment, and plan its dataset.

    Nothing is written. What cannot be used is among the problems, and the rest is
    planned as far as it goes.
    """
    description = experiment.dataset_description
    shapefile = workspace.data(description.shapefile_file)
    problems: list[OutlineError | RasterError] = []
    warnings: list[str] = []
    outlines: list[Outline] = []
    splits: dict[str, str] = {}
    try:
        description = name_outlines(shapefile, description)
        outlines = _refuse_large(
            description,
            read_outlines(
                shapefile,
                str(description.shapefile_fieldname),
                description.epsg,
                description.shapefile_layer,
            ),
        )
        columns = {outline.feature: outline.columns for outline in outlines}
        splits = find_splits(experiment, shapefile, columns)
        n_without = len(outlines) - len(splits)
        if n_without and isinstance(experiment, Experiment):
            warnings.append(
                f"{shapefile}: {n_without} features have no split: they can be drawn, "
                "but are not used for training, validation or test"
            )
        warnings += find_rebuilt(shapefile, outlines)
    except OutlineError as error:
        problems.append(error)
    if isinstance(experiment, Experiment):
        warnings += find_small_buffer(description, experiment)
    sources, points, of_sources = open_sources(description, workspace)
    of_sources += find_unlike_components(description, sources)
    warnings += find_unnamed_vectors(description, sources)
    warnings += find_pictures(description, sources)
    if isinstance(experiment, Experiment):
        warnings += find_blurred_masks(experiment, sources)
    polygons = {o.feature: o.polygon for o in outlines if o.polygon is not None}
    warnings += find_distortion(description.epsg, list(polygons.values()))
    step = common_multiple(raster.resolution for raster in description.rasters)
    bounds = {
        feature: snap_bounds(polygon.bounds, description.buffer_distance, step)
        for feature, polygon in polygons.items()
    }
    return DatasetPlan(
        description=description,
        folder=workspace.dataset(description.dataset_name),
        outlines=outlines,
        sources=sources,
        points=points,
        ownership=Ownership(
            polygons, bounds, {f: s for f, s in splits.items() if f in bounds}
        ),
        failures={
            outline.feature: f"{shapefile}: the outline {outline.problem}."
            for outline in outlines
            if outline.problem is not None
        },
        problems=(*problems, *of_sources),
        warnings=tuple(warnings),
    )


def find_rebuilt(shapefile: Path, outlines: Sequence[Outline]) -> list[str]:
    """Say which outlines were not valid, so that their areas may have changed."""
    rebuilt = [
        outline.feature
        for outline in outlines
        if any(repair.startswith(MADE_VALID) for repair in outline.repairs)
    ]
    if not rebuilt:
        return []
    return [
        f"{shapefile}: {len(rebuilt)} of {len(outlines)} outlines cross or touch "
        f"themselves, and are rebuilt: {name_some(rebuilt, _MOST_NAMED)}. See in the "
        "dataset's outlines.gpkg, once it is built, whether they are as you want them"
    ]


def find_small_buffer(
    description: DatasetDescription, experiment: Experiment
) -> list[str]:
    """Say where the buffer is too small for a network to draw the margins."""
    buffer_m = description.buffer_distance
    coarsest = max(variable.resolution for variable in experiment.variables())
    needed = experiment.area_size / 2 + coarsest
    if buffer_m >= needed:
        return []
    return [
        f"dataset_description.buffer_distance: {buffer_m:g} is less than {needed:g}, "
        "half the area size and one coarsest pixel: the margins of glaciers will not "
        "be drawn"
    ]


def find_distortion(epsg: int, polygons: Sequence[shapely.Geometry]) -> list[str]:
    """Say where a CRS stretches or shrinks lengths on the ground by more than 5 %."""
    scale = worst_scale(polygons, epsg)
    if abs(scale - 1) <= _MOST_DISTORTED:
        return []
    return [
        f"dataset_description.epsg: where the outlines lie 1 m of EPSG:{epsg} is "
        f"{1 / scale:.2f} m on the ground: derived slopes, distances and patches are "
        "wrong by as much. Use the national grid or the UTM zone of your glaciers"
    ]


def _refuse_large(
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


def check_serves(description: DatasetDescription, experiment: Experiment) -> None:
    """
    Check that what a model reads is among the rasters of a dataset.

    Parameters
    ----------
    experiment : Experiment
        The model's.

    Raises
    ------
    DatasetError
        Inputs are not, or have another resolution, all of them named.
    """
    there = {raster.name: raster.resolution for raster in description.rasters}
    lacking = []
    for variable in experiment.inputs:
        resolution = there.get(variable.name)
        if resolution != variable.resolution:
            has = f"at {resolution:g}" if resolution else "not at all"
            lacking.append(f"{variable.name!r} at {variable.resolution:g} ({has})")
    if lacking:
        message = (
            f"{description.dataset_name}: the model {experiment.model_name!r} reads "
            f"{', '.join(lacking)}. The dataset must have what a model reads. Add it "
            "to dataset_description.rasters and build anew."
        )
        raise DatasetError(message)


def describe_empty(folder: Path, failures: dict[str, str]) -> str:
    """Say that a dataset holds no feature, and why the first of them failed."""
    return (
        f"{folder}: no feature could be built. Must have one at least. Mend the first: "
        f"{next(iter(failures.values()), 'the outlines hold none')}"
    )
