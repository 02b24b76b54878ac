"""sources.json: the files that a dataset's tiles were made from, on record."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from glacier_inversion.dataset.derived import turned_with
from glacier_inversion.errors import DatasetError
from glacier_inversion.experiment.sections import DatasetDescription, Raster
from glacier_inversion.geodata.rasters import Source
from glacier_inversion.state_files import NewerFileError, read_state, write_state

SOURCES = "sources.json"
_FORMAT = 2  # 1 had no number, and the rasters side by side

Record = dict[str, Any]
"""What is known of the files of each raster, by its name."""


def record_sources(
    description: DatasetDescription, sources: Mapping[str, Source]
) -> Record:
    """
    Return the name, size and time of each file of every raster.

    Of one that is derived how, and the records of all that it is derived from; of a
    component that is turned, the record of the other one, too.
    """
    records = {raster.name: _record(raster, sources) for raster in description.rasters}
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


def _record(raster: Raster, sources: Mapping[str, Source]) -> Record:
    if raster.derive is not None:
        return {"derive": raster.derive.model_dump(mode="json")}
    return {
        "file": raster.file,
        "parts": [
            {
                "file": path.name,
                "bytes": path.stat().st_size,
                "modified_ns": path.stat().st_mtime_ns,
            }
            for path in sources[raster.name].files
        ],
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
    try:
        content = read_state(folder / SOURCES, _FORMAT)
    except NewerFileError as error:
        raise DatasetError(str(error)) from error
    except (OSError, ValueError):  # then nothing is known
        content = {}
    before = content.get("rasters", content)
    known = before if isinstance(before, dict) else {}
    return [name for name, files in record.items() if known.get(name) != files]
