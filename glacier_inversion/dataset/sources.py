"""The files that a dataset's tiles are made from: opened, and on record."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from glacier_inversion.dataset.derived import Rasters, turned_with
from glacier_inversion.errors import DatasetError, RasterError
from glacier_inversion.experiment.rasters import Raster
from glacier_inversion.experiment.sections import DatasetDescription
from glacier_inversion.geodata.archives import file_of
from glacier_inversion.geodata.points import PointSource, open_points
from glacier_inversion.geodata.rasters import Source, open_source
from glacier_inversion.json_files import write_path
from glacier_inversion.state_files import NewerFileError, read_state, write_state
from glacier_inversion.workspace import Workspace

logger = logging.getLogger(__name__)

SOURCES = "sources.json"
"""The name of the record, in the folder of a dataset."""
_FORMAT = 2  # 1 had no number, and the rasters side by side

Record = dict[str, Any]
"""What is known of the files of each raster, by its name."""


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


def record_sources(rasters: Rasters) -> Record:
    """
    Return the name, size and time of each file of every raster.

    Of one that is derived how, and the records of all that it is derived from; of a
    component that is turned, the record of the other one, too.
    """
    description, sources = rasters.description, rasters.sources
    files = {name: source.files for name, source in sources.items()}
    files |= {name: points.source.files for name, points in rasters.points.items()}
    records = {r.name: _record(r, files.get(r.name, ())) for r in description.rasters}
    turned = {
        name: {
            **record,
            "turned": {component: records[component] for component in pair},
        }
        for name, record in records.items()
        if (pair := turned_with(description, sources, name))
    }
    records |= turned
    derived = {
        raster.name: {
            **records[raster.name],
            "of": {a.name: records[a.name] for a in description.ancestors(raster.name)},
        }
        for raster in description.rasters
        if raster.derive is not None
    }
    return records | derived


def _record(raster: Raster, files: Sequence[Path]) -> Record:
    if raster.derive is not None:
        return {"derive": raster.derive.model_dump(mode="json")}
    return {
        "file": raster.file,
        "parts": [_record_file(path) for path in files],
    }


def _record_file(path: Path) -> Record:
    status = path.stat()
    return {
        "file": path.name,
        "bytes": status.st_size,
        "modified_ns": status.st_mtime_ns,
    }


def write_sources(folder: Path, record: Record) -> None:
    """Put the files on record."""
    write_state(folder / SOURCES, {"rasters": record}, _FORMAT)


def find_changed(folder: Path, record: Record) -> list[str]:
    """
    Name the rasters whose tiles were made from other files, by what is on record.

    Raises
    ------
    DatasetError
        A newer version made the record.
    """
    known = _read_sources(folder)
    return [name for name, files in record.items() if known.get(name) != files]


def warn_of_touched(
    folder: Path, description: DatasetDescription, workspace: Workspace
) -> None:
    """
    Warn of the rasters' files that have another size or time than is on record.

    None is opened. Those that are no longer there are passed over, and so are the parts
    of a virtual raster.

    Raises
    ------
    DatasetError
        A newer version made the record.
    """
    known, touched = _read_sources(folder), []
    for raster in description.rasters:
        record = known.get(raster.name)
        if raster.file is None or not isinstance(record, dict):
            continue
        path = file_of(workspace.data(raster.file))
        if record.get("file") != raster.file or not path.is_file():
            continue
        parts = record.get("parts")
        if isinstance(parts, list) and _record_file(path) not in parts:
            touched.append(raster.file)
    if touched:
        logger.warning(
            "%s: was built before %s changed, by size or time. What is in the dataset "
            "is used. Run 'ginv build-dataset' to make anew what is other",
            folder,
            ", ".join(dict.fromkeys(touched)),
        )


def _read_sources(folder: Path) -> Record:
    """Return what is on record; nothing where it is missing or broken."""
    try:
        content = read_state(folder / SOURCES, _FORMAT)
    except NewerFileError as error:
        raise DatasetError(str(error)) from error
    except (OSError, ValueError):
        content = {}
    before = content.get("rasters", content)
    return before if isinstance(before, dict) else {}
