"""The files that a dataset's tiles are made from: opened."""

from __future__ import annotations

from collections.abc import Iterator

from glacier_inversion.errors import RasterError
from glacier_inversion.experiment.experiment import Experiment
from glacier_inversion.experiment.sections import DatasetDescription
from glacier_inversion.geodata.points import PointSource, open_points
from glacier_inversion.geodata.rasters import Source, open_source
from glacier_inversion.json_files import write_path
from glacier_inversion.workspace import Workspace


def open_sources(
    description: DatasetDescription, workspace: Workspace
) -> tuple[dict[str, Source], dict[str, PointSource], list[RasterError]]:
    """
    Open every file once; return those that can be used, and why others cannot.

    Files of rasters, and those of points.
    """
    sources: dict[str, Source] = {}
    points: dict[str, PointSource] = {}
    problems: list[RasterError] = []
    for raster in description.rasters:
        if raster.file is None:
            continue
        path = workspace.data(raster.file)
        try:
            if raster.column is not None:
                points[raster.name] = open_points(path, raster, description.epsg)
                continue
            sources[raster.name] = open_source(
                path,
                raster.band,
                raster.nodata,
                raster.resampling,
                raster.resolution,
                description.epsg,
            )
        except RasterError as error:
            problems.append(error)
    return sources, points, problems


def find_unlike_components(
    description: DatasetDescription, sources: dict[str, Source]
) -> list[RasterError]:
    """Refuse vectors whose components cannot be turned together."""
    problems = []
    for first, second in description.vectors:
        if not {first, second} <= sources.keys():
            continue
        one, other = sources[first].warping, sources[second].warping
        if one != other and (one.to_file or other.to_file):
            message = (
                f"dataset_description.vectors: {sources[first].path} and "
                f"{sources[second].path}, of {first} and {second}, differ in CRS, "
                "pixels or resampling. The components of a vector must be alike, to be "
                "turned to the axes of the tiles. Warp one to the other, or take both "
                "from one product."
            )
            problems.append(RasterError(message))
    return problems


def find_unnamed_vectors(
    description: DatasetDescription, sources: dict[str, Source]
) -> Iterator[str]:
    """Say which rasters look like components that should be turned, and are not."""
    for name, source in sources.items():
        if source.warping.to_file is None or description.pair_of(name):
            continue
        others = {
            f"{name[:place]}{'y' if letter == 'x' else 'Y'}{name[place + 1 :]}"
            for place, letter in enumerate(name)
            if letter in "xX"
        }
        for other in sorted(others & sources.keys()):
            yield (
                f"{name}, {other}: look like the components of a vector, and are in "
                "another CRS than the tiles. Name them in dataset_description.vectors, "
                "to have them turned to the tiles' axes"
            )


def find_pictures(
    description: DatasetDescription, sources: dict[str, Source]
) -> Iterator[str]:
    """Say which files are pictures of a quantity rather than the quantity itself."""
    for i, raster in enumerate(description.rasters):
        source = sources.get(raster.name)
        if source is not None and source.pictured is not None:
            place = write_path(["dataset_description", "rasters", i])
            remedy = f"gdal_translate -colorinterp_{source.band} gray"
            yield (
                f"{place}: {raster.name} is read from {source.path}, whose band "
                f"{source.band} holds {source.pictured}. Must hold the quantity "
                "itself. Give the raster that the picture was made from; or, if the "
                f"numbers are the quantity, say so with '{remedy}'"
            )


def find_blurred_masks(
    experiment: Experiment, sources: dict[str, Source]
) -> Iterator[str]:
    """Say which outputs are probabilities, and may get values between 0 and 1."""
    for output in experiment.outputs:
        is_class = experiment.losses_name[output.name].endswith("binary_crossentropy")
        source = sources.get(output.name)
        if not is_class or source is None:
            continue
        if source.warping.keeps_values(output.resolution):
            continue
        yield (
            f"outputs: {output.name} is a probability, and its raster, {source.path}, "
            f"is resampled by {source.warping.method!r}, which may make values between "
            "0 and 1 of those of a mask. They are learnt as they are, and count as 1 "
            'from 0.5 on in scores. If it is a mask, say "resampling": "nearest"'
        )
