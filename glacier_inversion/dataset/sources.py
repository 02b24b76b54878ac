"""sources.json: the files that a dataset's tiles were made from, on record."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from glacier_inversion.errors import DatasetError
from glacier_inversion.experiment.sections import Raster
from glacier_inversion.geodata.rasters import Source
from glacier_inversion.state_files import NewerFileError, read_state, write_state

SOURCES = "sources.json"
_FORMAT = 2  # 1 had no number, and the rasters side by side

Record = dict[str, Any]
"""What is known of the files of each raster, by its name."""


def record_sources(rasters: list[Raster], sources: Mapping[str, Source]) -> Record:
    """Return the name, size and time of each file of every raster."""
    return {
        raster.name: {
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
        for raster in rasters
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
