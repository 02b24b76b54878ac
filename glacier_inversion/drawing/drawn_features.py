"""
What was drawn of a feature, and its record, which lies beside its maps.

The record says what the maps were made from, what they hold, and what the tables of a
run tell of them. So a later run keeps maps that it would draw the same, and its tables
tell of them too.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from glacier_inversion.drawing.error_cells import ErrorCells
from glacier_inversion.drawing.holes import Holes
from glacier_inversion.drawing.published_volumes import PublishedMean
from glacier_inversion.drawing.styles import Extremes
from glacier_inversion.drawing.volumes import MeanThickness
from glacier_inversion.state_files import digest_of, read_state, write_state

RECORD = "drawn.json"
"""The name of the record, in the folder of a feature's maps."""
_FORMAT = 1


@dataclass(frozen=True)
class DrawnFeature:
    """
    What was drawn of a feature.

    Attributes
    ----------
    maps : mapping of Path
        By output and statistic.
    holes : Holes
    thicknesses : dict of MeanThickness
        By output.
    extremes : mapping of Extremes
        The least and the greatest value of maps, as far as they are known.
    is_kept : bool
        Whether an earlier run drew it.
    """

    maps: Mapping[tuple[str, str], Path]
    holes: Holes
    thicknesses: dict[str, MeanThickness]
    extremes: Mapping[Path, Extremes]
    is_kept: bool = False


def write_record(
    drawn: DrawnFeature, made_from: str, calibrations: Mapping[str, str]
) -> None:
    """
    Write what was drawn of a feature, once its maps are there.

    Parameters
    ----------
    made_from : str
        All that the maps and numbers follow from, as a digest.
    calibrations : mapping of str
        The digests of the calibrations among it, by output.

    Raises
    ------
    WorkspaceError
        It cannot be written.
    """
    content = {
        "made_from": made_from,
        "calibrations": dict(calibrations),
        "maps": {path.name: _digest_file(path) for path in drawn.maps.values()},
        "holes": asdict(drawn.holes),
        "thicknesses": {
            output: _to_json(mean) for output, mean in drawn.thicknesses.items()
        },
        "extremes": {path.name: both for path, both in drawn.extremes.items()},
    }
    path = next(iter(drawn.maps.values())).with_name(RECORD)
    write_state(path, {**content, "sha256": digest_of(content)}, _FORMAT)


def read_record(
    maps: Mapping[tuple[str, str], Path], made_from: str
) -> DrawnFeature | None:
    """
    Return what an earlier run drew of a feature.

    None where it would be drawn otherwise now, where a map is missing or not the one
    that was drawn, and where the record is missing, damaged or of a newer version.

    Parameters
    ----------
    maps : mapping of Path
        All that are wanted, by output and statistic.
    made_from : str
        What they would follow from, as `write_record` has it.
    """
    path = next(iter(maps.values())).with_name(RECORD)
    try:
        content = read_state(path, _FORMAT)
        del content["format"]
        written = content.pop("sha256")
        if (
            content["made_from"] != made_from
            or written != digest_of(content)
            or not all(path.is_file() for path in maps.values())
            or content["maps"] != {p.name: _digest_file(p) for p in maps.values()}
        ):
            return None
        means = {
            output: _from_json(mean) for output, mean in content["thicknesses"].items()
        }
        told = content.get("extremes", {})  # earlier versions tell none
        extremes: dict[Path, Extremes] = {}
        for path in maps.values():
            if path.name in told:
                both = told[path.name]
                extremes[path] = both and (float(both[0]), float(both[1]))
        holes = Holes(**content["holes"])
        return DrawnFeature(maps, holes, means, extremes, is_kept=True)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def read_calibrations(folder: Path) -> dict[str, str] | None:
    """
    Return the digests of the calibrations that a feature was drawn with, by output.

    None where that is not known: there is no record, an earlier version wrote it, or it
    cannot be used.

    Parameters
    ----------
    folder : Path
        That of the feature's maps.
    """
    try:
        told = read_state(folder / RECORD, _FORMAT)["calibrations"]
        return {str(output): str(digest) for output, digest in told.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _digest_file(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def _to_json(mean: MeanThickness) -> dict[str, Any]:
    """Return what JSON can hold: it knows no NaN."""
    content = asdict(mean) | {"members": mean.members.tolist()}
    content["cells"] = mean.cells and mean.cells.to_json()
    written: dict[str, Any] = _replace(content)
    return written


def _replace(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _replace(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_replace(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _from_json(content: Mapping[str, Any]) -> MeanThickness:
    published = {
        raster: PublishedMean(**{name: _number(n) for name, n in own.items()})
        for raster, own in content["published"].items()
    }
    numbers = {
        name: _number(value)
        for name, value in content.items()
        if name not in ("feature", "members", "published", "cells")
    }
    members = np.array([_number(n) for n in content["members"]], np.float64)
    cells = content["cells"]
    return MeanThickness(
        feature=content["feature"],
        members=members,
        published=published,
        cells=None if cells is None else ErrorCells.from_json(cells),
        **numbers,
    )


def _number(value: Any) -> Any:
    return math.nan if value is None else value
